//! What a full disk, a failed sync, a slow disk and damaged bytes mean to who appends and reads.

#![allow(clippy::unwrap_used, reason = "a test stops at its first surprise")]

mod support;

use proptest::prelude::*;
use support::disk::{Call, Disk};
use support::{read_until, request, tag};
use tidegate_journal::{
    Advice, AppendError, ClassFilter, Durability, Journal, Lane, LaneStart, OpenError, ReadError,
    Settings,
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

fn open(disk: &Disk) -> (Journal, Lane) {
    let (journal, _) = Journal::open(disk.clone(), SETTINGS).unwrap();
    let lane = journal.lane("only", ClassFilter::all(), LaneStart::Oldest).unwrap();
    journal.begin_retention();
    (journal, lane)
}

#[tokio::test]
async fn what_waits_during_a_commit_is_the_next_commit() {
    let disk = Disk::default();
    let (journal, mut lane) = open(&disk);
    disk.hold();
    let first = journal.append(request(1, 0, 100)).unwrap();
    disk.await_held(1);
    let others: Vec<_> = (1..10).map(|n| journal.append(request(1, n, 100)).unwrap()).collect();
    let busy = journal.append(request(1, 10, 100)).unwrap_err();
    assert!(matches!(busy, AppendError::Busy { frames: 10, .. }), "{busy}");
    assert_eq!(busy.advice(), Advice::RetryLater);
    assert_eq!(journal.stats().durable, 0, "nothing is shown before it is durable");
    disk.release();
    assert_eq!(first.await, Ok(0..1));
    for (n, other) in (1..).zip(others) {
        assert_eq!(other.await, Ok(n..n + 1));
    }
    assert_eq!(journal.stats().commits, 2);
    assert_eq!(read_until(&mut lane, 10).await.len(), 10);
    assert_eq!(journal.append(request(1, 10, 100)).unwrap().await, Ok(10..11));
}

#[tokio::test]
async fn the_queue_is_bounded_in_bytes_but_takes_one_large_request() {
    let disk = Disk::default();
    let (journal, _lane) = open(&disk);
    let most = (64 << 10) - 4096 - 48 - 48 - 9;
    disk.hold();
    let large = journal.append(request(1, 0, most)).unwrap();
    let busy = journal.append(request(1, 1, 8000)).unwrap_err();
    assert!(matches!(busy, AppendError::Busy { frames: 1, .. }), "{busy}");
    disk.release();
    assert_eq!(large.await, Ok(0..1));
    let too_large = journal.append(request(1, 2, most + 8)).unwrap_err();
    assert!(matches!(too_large, AppendError::TooLarge { .. }), "{too_large}");
    assert_eq!(too_large.advice(), Advice::FixInput);
}

#[tokio::test]
async fn a_failed_sync_ends_acceptance_but_not_delivery() {
    let disk = Disk::default();
    let (journal, mut lane) = open(&disk);
    assert_eq!(journal.append(request(1, 0, 100)).unwrap().await, Ok(0..1));
    disk.fail_sync_after(0);
    let failed = journal.append(request(1, 1, 100)).unwrap().await.unwrap_err();
    assert!(matches!(failed, AppendError::Failed { .. }), "{failed}");
    assert_eq!(failed.advice(), Advice::GiveUp);
    let failed = journal.append(request(1, 2, 100)).unwrap_err();
    assert!(matches!(failed, AppendError::Failed { .. }), "{failed}");
    assert!(journal.stats().failed.is_some());
    // What is durable still gets delivered; what is not is never shown.
    assert_eq!(lane.next(1000).await.unwrap().len(), 1);
    assert!(matches!(lane.next(1000).await.unwrap_err(), ReadError::Failed { .. }));
    lane.cursor().delivered(0..1).unwrap();
    assert!(journal.close().await.is_err());
    let (journal, _lane) = open(&disk.kill());
    assert!(journal.append(request(1, 3, 100)).unwrap().await.is_ok());
}

#[tokio::test]
async fn a_full_disk_refuses_until_there_is_room() {
    let disk = Disk::default();
    let (journal, mut lane) = open(&disk);
    disk.set_room(Some(disk.used()));
    let mut accepted = 0;
    let refused = loop {
        match journal.append(request(1, accepted, 9000)).unwrap().await {
            Ok(_) => accepted += 1,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, AppendError::NoSpace { .. }), "{refused}");
    assert_eq!(refused.advice(), Advice::RetryLater);
    assert!(accepted > 3, "the first segment has its blocks already");
    disk.set_room(None);
    assert_eq!(
        journal.append(request(1, accepted, 9000)).unwrap().await,
        Ok(accepted..accepted + 1)
    );
    let frames = read_until(&mut lane, accepted + 1).await;
    let tags: Vec<_> = frames.iter().map(|frame| tag(&frame.groups[0].rows)).collect();
    assert_eq!(tags, (0..=accepted).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_bad_setting_is_refused_by_name() {
    let settings = Settings { max_bytes: 1, ..SETTINGS };
    let refused = Journal::open(Disk::default(), settings).unwrap_err();
    assert!(matches!(&refused, OpenError::Settings(error) if error.field == "max_bytes"));
}

proptest! {
    /// Invariant: one changed byte, wherever it is among the frames, costs at most the one frame
    /// it hits; all others are read with the positions they had.
    #[test]
    fn damage_costs_one_frame(
        sizes in prop::collection::vec(8usize..6000, 1..40),
        at in any::<prop::sample::Index>(), flip in 1u8.., in_order in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let disk = Disk::default();
            let (journal, _) = open(&disk);
            for (n, bytes) in (0..).zip(&sizes) {
                journal.append(request(2, n, *bytes)).unwrap().await.unwrap();
            }
            if in_order {
                journal.close().await.unwrap();
            }
            let disk = disk.kill();
            drop(journal);
            disk.damage(at, flip);
            let (journal, report) = Journal::open(disk, SETTINGS).unwrap();
            let mut lane = journal.lane("only", ClassFilter::all(), LaneStart::Oldest).unwrap();
            // One more, so that there is an end to read up to.
            let end = journal.append(request(2, 1000, 8)).unwrap().await.unwrap().end;
            let frames = read_until(&mut lane, end).await;
            let mut seen = 0;
            for frame in &frames {
                let tag = tag(&frame.groups[0].rows);
                assert!(tag == 1000 || frame.first == tag * 2, "{tag} has moved to {}", frame.first);
                seen += 1;
            }
            assert!(seen >= sizes.len(), "{} lost: {report:?}", sizes.len() + 1 - seen);
            let lost_in_order = in_order && seen == sizes.len();
            assert!(!lost_in_order || !report.missing.is_empty(), "a loss must be told: {report:?}");
        });
    }
}

/// A crash takes positions that have no frame behind them yet. The reader passes them: it would
/// keep their segment and all later ones until the next opening, and the journal would fill up.
#[tokio::test]
async fn positions_lost_at_the_end_are_passed_by_a_reader() {
    let disk = Disk::default();
    let written = Settings { durability: Durability::Written, ..SETTINGS };
    let (journal, _) = Journal::open(disk.clone(), written).unwrap();
    assert_eq!(journal.append(request(3, 0, 100)).unwrap().await, Ok(0..3));
    let disk = disk.kill();
    let (journal, report) = Journal::open(disk, written).unwrap();
    assert_eq!(report.skipped, Some(3..report.next), "positions were set aside");
    let lane = journal.lane("only", ClassFilter::all(), LaneStart::Oldest).unwrap();
    let (mut reader, cursor) = lane.split();
    journal.begin_retention();
    reader.call_at(report.next);
    let frames = reader.next(100_000).await.unwrap();
    assert_eq!(frames.len(), 1);
    assert!(reader.next(100_000).await.unwrap().is_empty());
    cursor.delivered(0..3).unwrap();
    assert_eq!(cursor.low_water(), report.next);
}

/// A segment whose removal could not be made durable is freed at the next try, and a failed try
/// frees none behind it: of two removals a crash may keep only the younger.
#[tokio::test]
async fn freeing_goes_on_after_a_failed_sync_of_the_directory() {
    let disk = Disk::default();
    let (journal, lane) = open(&disk);
    for n in 0..40 {
        journal.append(request(1, n, 9000)).unwrap().await.unwrap();
    }
    let kept = journal.stats().segments;
    assert!(kept > 4, "{kept} segments");
    let end = journal.stats().durable;
    // The keeper frees as soon as it hears of a delivery: it must fail, and fail again.
    for _ in 0..3 {
        disk.fail_after(Call::SyncDir, 0);
        lane.cursor().delivered(0..end).unwrap();
        journal.retain();
    }
    disk.mend();
    journal.retain();
    assert!(journal.stats().segments < kept, "{:?}", journal.stats());
    for n in 40..300 {
        let range = journal.append(request(1, n, 9000)).unwrap().await.unwrap();
        lane.cursor().delivered(range).unwrap();
        journal.retain();
    }
    let (journal, report) = Journal::open(disk.crash(1), SETTINGS).unwrap();
    assert_eq!((report.missing, journal.stats().durable), (vec![], 300));
}

/// Wherever the power goes while segments are removed, and whichever removals it takes back: no hole
/// between those that are left, so nothing delivered is ever reported as lost.
#[tokio::test]
async fn removals_survive_a_crash_in_their_order() {
    for (steps, seed) in (0..24).flat_map(|steps| (0..6).map(move |seed| (steps, seed))) {
        let disk = Disk::default();
        let (journal, lane) = open(&disk);
        for n in 0..60 {
            journal.append(request(1, n, 9000)).unwrap().await.unwrap();
        }
        disk.die_after(steps);
        lane.cursor().delivered(0..60).unwrap();
        journal.retain();
        let disk = disk.crash(seed);
        drop((lane, journal));
        let (_, report) = Journal::open(disk, SETTINGS).unwrap();
        assert_eq!(report.missing, [], "after {steps} steps, seed {seed}");
    }
}
