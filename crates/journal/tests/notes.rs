//! The notes of batches: what they cost, how they end, and what trouble with the disk means.

#![allow(clippy::unwrap_used, reason = "a test stops at its first surprise")]
#![allow(clippy::single_range_in_vec_init, reason = "one batch is meant")]

mod support;

use std::ops::Range;

use support::disk::Disk;
use support::request;
use tidegate_journal::{
    BatchNotes, ClassFilter, Durability, FileStorage, Journal, LaneCursor, LaneStart, Settings,
    Storage,
};

const SETTINGS: Settings = Settings {
    durability: Durability::Fsync,
    segment_bytes: 64 << 10,
    max_bytes: 1 << 20,
    tail_bytes: 64 << 10,
    queue_bytes: 64 << 10,
    queue_frames: 10,
    notes_bytes: 4 << 10,
    keys_max: 1000,
    keys_age_max: std::time::Duration::from_secs(60),
};

/// A journal with this many items, and its lane.
async fn open(storage: impl Storage, settings: Settings, items: u32) -> (Journal, LaneCursor) {
    let (journal, _) = Journal::open(storage, settings).unwrap();
    let (_, cursor) = journal.lane("api", ClassFilter::all(), LaneStart::Oldest).unwrap().split();
    journal.begin_retention();
    if items > 0 {
        journal.append(request(items, 0, 100)).unwrap().await.unwrap();
    }
    (journal, cursor)
}

async fn begin(notes: &BatchNotes, batches: &[Range<u64>]) {
    for batch in batches {
        notes.begin(batch.clone()).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_in_doubt_is_so_after_an_orderly_end_and_what_was_delivered_is_not() {
    for durability in [Durability::Fsync, Durability::Written] {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { durability, ..SETTINGS };
        let (journal, cursor) = open(FileStorage::open(dir.path()).unwrap(), settings, 100).await;
        begin(&cursor.notes(), &[0..10, 10..30, 30..60, 60..61]).await;
        cursor.delivered(10..30).unwrap();
        // Refused for good and cut anew.
        begin(&cursor.notes(), &[30..45]).await;
        journal.close().await.unwrap();
        assert!(cursor.notes().begin(70..80).await.is_err(), "closed is closed");
        drop((journal, cursor));
        let (journal, cursor) = open(FileStorage::open(dir.path()).unwrap(), settings, 0).await;
        assert_eq!(cursor.notes().in_doubt(), [0..10, 30..45, 60..61]);
        cursor.delivered(0..10).unwrap();
        assert_eq!(cursor.low_water(), 30);
        journal.close().await.unwrap();
    }
}

#[tokio::test]
async fn deliveries_that_the_cursors_file_does_not_know_come_from_the_notes() {
    let disk = Disk::default();
    let (journal, cursor) = open(disk.clone(), SETTINGS, 100).await;
    begin(&cursor.notes(), &[0..10, 10..30]).await;
    cursor.delivered(0..10).unwrap();
    // Its sync makes the one before durable too.
    begin(&cursor.notes(), &[30..40]).await;
    let (next, cursor) = open(disk.crash(1), SETTINGS, 0).await;
    assert_eq!(cursor.low_water(), 10);
    assert_eq!(cursor.notes().in_doubt(), [10..30, 30..40]);
    drop((journal, next));
}

/// Of a batch that was answered item by item, all that was taken is noted or nothing is: whenever
/// the crash comes, the rest is cut as it was, or it is the item that was not taken.
#[tokio::test]
async fn what_was_taken_of_a_batch_is_noted_in_one() {
    for seed in 0..100 {
        let disk = Disk::default();
        let (journal, cursor) = open(disk.clone(), SETTINGS, 100).await;
        begin(&cursor.notes(), &[0..20]).await;
        cursor.all_delivered(&[0..3, 4..20]).unwrap();
        // The note is being written by another thread, or is not yet.
        let (next, cursor) = open(disk.crash(seed), SETTINGS, 0).await;
        let (left, in_doubt) = (cursor.undelivered_in(0..20), cursor.notes().in_doubt());
        let whole = (left == [0..20]) && in_doubt == [0..20];
        assert!(whole || left == [3..4], "{left:?}, and in doubt {in_doubt:?}");
        drop((journal, next));
    }
}

#[tokio::test]
async fn with_durability_memory_notes_are_kept_while_the_journal_is_open() {
    let settings = Settings { durability: Durability::Memory, ..SETTINGS };
    let disk = Disk::default();
    let (_journal, cursor) = open(disk.clone(), settings, 100).await;
    begin(&cursor.notes(), &[0..10, 10..30]).await;
    cursor.delivered(0..10).unwrap();
    assert_eq!(cursor.notes().in_doubt(), [10..30]);
    assert!(disk.list().unwrap().is_empty());
}

#[tokio::test]
async fn the_file_stays_small_and_the_notes_whole_through_many_rotations() {
    let disk = Disk::default();
    let (journal, cursor) = open(disk.clone(), SETTINGS, 1 << 16).await;
    let notes = cursor.notes();
    begin(&notes, &[0..3]).await;
    for at in 3..2000 {
        begin(&notes, &[at..at + 1]).await;
        cursor.delivered(at..at + 1).unwrap();
    }
    let file = disk.open("notes").unwrap();
    assert_eq!(file.len().unwrap(), SETTINGS.notes_bytes);
    begin(&notes, &[5000..5001]).await;
    let (next, cursor) = open(disk.crash(7), SETTINGS, 0).await;
    assert_eq!(cursor.notes().in_doubt(), [0..3, 5000..5001]);
    assert_eq!(cursor.undelivered_in(0..2000), [0..3]);
    drop((journal, next));
}

#[tokio::test]
async fn batches_that_wait_together_share_one_sync() {
    let disk = Disk::default();
    let (_journal, cursor) = open(disk.clone(), SETTINGS, 100).await;
    let notes = cursor.notes();
    begin(&notes, &[0..1]).await;
    disk.hold();
    let first = tokio::spawn({
        let notes = notes.clone();
        async move { notes.begin(1..2).await }
    });
    tokio::task::yield_now().await;
    let held = tokio::task::spawn_blocking({
        let disk = disk.clone();
        move || disk.await_held(1)
    });
    held.await.unwrap();
    let mut others = tokio::task::JoinSet::new();
    for at in 2..40 {
        let notes = notes.clone();
        others.spawn(async move { notes.begin(at..at + 1).await });
    }
    // Each of them has handed over its note once all have been polled.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let before = disk.syncs();
    disk.release();
    first.await.unwrap().unwrap();
    while let Some(noted) = others.join_next().await {
        noted.unwrap().unwrap();
    }
    assert_eq!(notes.in_doubt().len(), 40);
    // One for all of them; the journal may have done something of its own.
    let syncs = disk.syncs() - before;
    assert!((1..=4).contains(&syncs), "{syncs} syncs");
}

#[tokio::test]
async fn a_note_that_failed_may_be_tried_again_and_the_others_stay() {
    let disk = Disk::default();
    let (journal, cursor) = open(disk.clone(), SETTINGS, 100).await;
    let notes = cursor.notes();
    begin(&notes, &[0..10]).await;
    disk.fail_sync_after(0);
    let error = notes.begin(10..20).await.unwrap_err();
    assert!(error.to_string().contains("the disk failed"), "{error}");
    assert!(journal.stats().trouble.is_some());
    // The next one makes a new file: what the failed sync left of the old one does not matter.
    begin(&notes, &[20..30, 10..20]).await;
    let (next, cursor) = open(disk.crash(3), SETTINGS, 0).await;
    assert_eq!(cursor.notes().in_doubt(), [0..10, 10..20, 20..30]);
    drop((journal, next));
}

#[tokio::test]
async fn a_full_disk_refuses_notes_until_there_is_room() {
    let disk = Disk::default();
    let (journal, cursor) = open(disk.clone(), SETTINGS, 100).await;
    let notes = cursor.notes();
    disk.set_room(Some(disk.used() + 100));
    assert!(notes.begin(0..10).await.is_err());
    disk.set_room(None);
    begin(&notes, &[0..10]).await;
    let (next, cursor) = open(disk.crash(3), SETTINGS, 0).await;
    assert_eq!(cursor.notes().in_doubt(), [0..10]);
    drop((journal, next));
}
