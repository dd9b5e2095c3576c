//! The journal on real files: what it promises, what it refuses, and what it finds again.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_wrap,
    reason = "a test stops at its first surprise"
)]

mod support;

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use support::{group, read_until, request, tag};
use tidegate_journal::{
    Advice, AppendError, Cause, Claimed, ClassFilter, CursorsFound, Durability, FileStorage,
    Journal, KeysFound, Lane, LaneError, LaneStart, OpenError, ReadError, Recovery, RequestKey,
    Settings,
};

const SMALL: Settings = Settings {
    durability: Durability::Fsync,
    segment_bytes: 64 << 10,
    max_bytes: 1 << 20,
    tail_bytes: 64 << 10,
    queue_bytes: 1 << 20,
    queue_frames: 1000,
    notes_bytes: 4 << 10,
    keys_max: 1000,
    keys_age_max: Duration::from_secs(60),
};

fn open(dir: &Path, settings: Settings) -> (Journal, Recovery) {
    Journal::open(FileStorage::open(dir).unwrap(), settings).unwrap()
}

fn all(journal: &Journal) -> Lane {
    journal.lane("all", ClassFilter::all(), LaneStart::Oldest).unwrap()
}

async fn append(journal: &Journal, items: u32, tag: u64, bytes: usize) -> std::ops::Range<u64> {
    journal.append(request(items, tag, bytes)).unwrap().await.unwrap()
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "seg"));
    paths.sort();
    paths
}

/// Changes one byte where `needle` stands in a segment.
fn corrupt(path: &Path, needle: &[u8], shift: i64) {
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut content = Vec::new();
    file.read_to_end(&mut content).unwrap();
    let at = content.windows(needle.len()).position(|window| window == needle).unwrap();
    let at = (at as i64 + shift) as u64;
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[!content[at as usize]]).unwrap();
}

fn tags(frames: &[std::sync::Arc<tidegate_journal::Frame>]) -> Vec<u64> {
    frames.iter().flat_map(|frame| &frame.groups).map(|group| tag(&group.rows)).collect()
}

/// Copies a directory as a crash would leave it: without closing anything. A file that is renamed
/// meanwhile would be missed, as no crash does, so then it begins again.
fn copy_of(dir: &Path) -> tempfile::TempDir {
    let names = || {
        let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    loop {
        let copy = tempfile::tempdir().unwrap();
        let before = names();
        let copied =
            before.iter().all(|name| fs::copy(dir.join(name), copy.path().join(name)).is_ok());
        if copied && before == names() {
            return copy;
        }
    }
}

#[tokio::test]
async fn a_second_process_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), SMALL);
    let refused = FileStorage::open(dir.path()).err().unwrap();
    assert!(matches!(refused, OpenError::InUse { .. }));
    assert!(refused.to_string().contains(dir.path().to_str().unwrap()), "{refused}");
    // A lane that outlives the journal does not hold the directory.
    let _lane = all(&journal);
    journal.close().await.unwrap();
    open(dir.path(), SMALL);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_again() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, report) = open(dir.path(), SMALL);
    assert!(report.created);
    let id = journal.identity();
    for n in 0..50 {
        assert_eq!(append(&journal, 3, n, 5000).await, n * 3..n * 3 + 3);
    }
    let crashed = copy_of(dir.path());
    drop(journal);
    for (path, in_order) in [(dir.path(), true), (crashed.path(), false)] {
        let (journal, report) = open(path, SMALL);
        assert_eq!(report.closed_in_order, in_order);
        assert_eq!(journal.identity().id, id.id);
        assert_eq!(journal.identity().epoch, id.epoch + 1, "a copy opens as itself");
        assert_eq!((report.frames, report.items, report.next), (50, 150, 150));
        assert_eq!((report.torn, report.missing.len()), (None, 0));
        let frames = read_until(&mut all(&journal), 150).await;
        assert_eq!(tags(&frames), (0..50).collect::<Vec<_>>());
        assert_eq!(append(&journal, 1, 99, 10).await, 150..151);
    }
}

#[tokio::test]
async fn an_unfinished_frame_is_cut_off_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), SMALL);
    for n in 0..3 {
        append(&journal, 1, n, 9000).await;
    }
    let crashed = copy_of(dir.path());
    // There may be a second one already, made ahead of need.
    let last = segments(crashed.path()).swap_remove(0);
    let mut content = fs::read(&last).unwrap();
    // The end of the last frame never reached the disk.
    let from = 4096 + 2 * 9072 + 4096 * 2;
    content[from..].fill(0);
    fs::write(&last, content).unwrap();
    let (journal, report) = open(crashed.path(), SMALL);
    let torn = report.torn.unwrap();
    assert!(torn.bytes > 0, "{torn:?}");
    assert_eq!((report.frames, report.missing.len()), (2, 0));
    // The position of the lost one is not given to another.
    assert_eq!(report.skipped, Some(2..3));
    assert_eq!(append(&journal, 1, 7, 100).await, 3..4);
    let frames = read_until(&mut all(&journal), 4).await;
    assert_eq!(tags(&frames), [0, 1, 7]);
    drop(journal);
    let (_, report) = open(crashed.path(), SMALL);
    assert_eq!((report.torn, report.missing.len(), report.next), (None, 0, 4));
}

#[tokio::test]
async fn damage_costs_the_damaged_frames_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), SMALL);
    for n in 0..20 {
        append(&journal, 2, 1000 + n, 9000).await;
    }
    journal.close().await.unwrap();
    let paths = segments(dir.path());
    assert!(paths.len() >= 3);
    // A payload in the first segment, a header in the second.
    corrupt(&paths[0], &1001u64.to_le_bytes(), 500);
    let second = fs::read(&paths[1]).unwrap();
    let victim = u64::from_le_bytes(second[4096 + 57..4096 + 65].try_into().unwrap());
    corrupt(&paths[1], &victim.to_le_bytes(), -40);
    let (journal, report) = open(dir.path(), SMALL);
    let lost: Vec<_> = report.missing.iter().map(|missing| missing.positions.clone()).collect();
    let second_lost = (victim - 1000) * 2..(victim - 1000) * 2 + 2;
    assert_eq!(lost, [2..4, second_lost]);
    assert_eq!(report.missing[0].cause, Cause::Body);
    assert_eq!(report.missing[1].cause, Cause::Unreadable);
    assert_eq!((report.frames, report.torn), (18, None));
    let mut lane = all(&journal);
    let frames = read_until(&mut lane, 40).await;
    let expected: Vec<_> = (1000..1020).filter(|&tag| tag != 1001 && tag != victim).collect();
    assert_eq!(tags(&frames), expected);
    // The lost positions do not hold the lane's low-water mark.
    for frame in frames {
        lane.cursor().delivered(frame.first..frame.end).unwrap();
    }
    assert_eq!((lane.cursor().low_water(), lane.cursor().backlog_items()), (40, 0));
}

#[tokio::test]
async fn a_lost_segment_is_reported_with_its_positions() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), SMALL);
    for n in 0..20 {
        append(&journal, 1, n, 9000).await;
    }
    journal.close().await.unwrap();
    let paths = segments(dir.path());
    // Both copies of a header.
    let mut content = fs::read(&paths[1]).unwrap();
    content[..4096].fill(0xaa);
    fs::write(&paths[1], content).unwrap();
    let (journal, report) = open(dir.path(), SMALL);
    assert_eq!(report.set_aside.len(), 1);
    assert_eq!(report.missing.len(), 1);
    let lost = report.missing[0].positions.clone();
    let frames = read_until(&mut all(&journal), 20).await;
    let expected: Vec<_> = (0..20).filter(|n| !lost.contains(n)).collect();
    assert_eq!(tags(&frames), expected);
    assert_eq!(report.next, 20);
}

#[tokio::test]
async fn a_journal_without_its_meta_is_not_taken_for_another() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), SMALL);
    append(&journal, 1, 1, 10).await;
    journal.close().await.unwrap();
    let meta = fs::read(dir.path().join("meta")).unwrap();
    fs::remove_file(dir.path().join("meta")).unwrap();
    let reopen = || Journal::open(FileStorage::open(dir.path()).unwrap(), SMALL);
    let missing = reopen().err().unwrap();
    assert!(matches!(missing, OpenError::Meta { .. }), "{missing}");
    let other = tempfile::tempdir().unwrap();
    drop(open(other.path(), SMALL));
    fs::copy(other.path().join("meta"), dir.path().join("meta")).unwrap();
    let foreign = reopen().err().unwrap();
    assert!(matches!(foreign, OpenError::Foreign { .. }), "{foreign}");
    fs::write(dir.path().join("meta"), meta).unwrap();
    reopen().unwrap();
}

#[tokio::test]
async fn at_its_bound_it_refuses_and_goes_on_when_lanes_have_delivered() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { max_bytes: 256 << 10, ..SMALL };
    let (journal, _) = open(dir.path(), settings);
    let mut lane = all(&journal);
    journal.begin_retention();
    let mut accepted = 0;
    let full = loop {
        let answer = match journal.append(request(1, accepted, 9000)) {
            Ok(answer) => answer.await,
            Err(refused) => Err(refused),
        };
        match answer {
            Ok(_) => accepted += 1,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(full, AppendError::Full { max: 262_144, .. }), "{full}");
    assert_eq!(full.advice(), Advice::RetryLater);
    // Four segments of six; one may be in the making, which counts already.
    assert!(accepted >= 18, "{accepted}");
    assert!(journal.stats().bytes <= 256 << 10);
    let frames = read_until(&mut lane, accepted).await;
    assert_eq!(tags(&frames), (0..accepted).collect::<Vec<_>>());
    lane.cursor().delivered(0..accepted).unwrap();
    // The keeper may have been faster.
    journal.retain();
    assert_eq!(journal.stats().segments, 1);
    append(&journal, 1, accepted, 9000).await;
    let on_disk: u64 = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(on_disk <= (256 << 10) + 8192, "{on_disk}");
}

#[tokio::test]
async fn used_segments_never_show_what_they_held_before() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), Settings { max_bytes: 256 << 10, ..SMALL });
    let mut lane = all(&journal);
    journal.begin_retention();
    let mut next = 0;
    // Many times around: every file is used again and again.
    for n in 0..200u64 {
        let bytes = if n % 7 == 0 { 20_000 } else { 3000 };
        loop {
            match journal.append(request(1, n, bytes)) {
                Ok(answer) => {
                    next = answer.await.unwrap().end;
                    break;
                }
                Err(refused) => {
                    assert_eq!(refused.advice(), Advice::RetryLater);
                    journal.retain();
                }
            }
        }
        let frames = read_until(&mut lane, next).await;
        assert_eq!(tags(&frames), [n]);
        lane.cursor().delivered(next - 1..next).unwrap();
    }
    let crashed = copy_of(dir.path());
    let (journal, report) = open(crashed.path(), SMALL);
    assert_eq!((report.next, report.torn, report.missing.len()), (next, None, 0));
    assert!(report.frames < 60);
    // Cursors are hints that may lag by a second; the low-water mark never lies ahead.
    assert!(all(&journal).cursor().low_water() <= next);
}

#[tokio::test]
async fn a_backlog_is_read_from_disk_and_then_from_memory_again() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { segment_bytes: 1 << 20, max_bytes: 32 << 20, ..SMALL };
    let (journal, _) = open(dir.path(), settings);
    let mut lane = all(&journal);
    for n in 0..300 {
        append(&journal, 1, n, 30_000).await;
    }
    assert!(journal.stats().tail_bytes <= 64 << 10);
    let frames = read_until(&mut lane, 300).await;
    assert_eq!(tags(&frames), (0..300).collect::<Vec<_>>());
    let reads = journal.stats().disk_reads;
    assert!((8..30).contains(&reads), "{reads}");
    for n in 300..310 {
        append(&journal, 1, n, 30_000).await;
        assert_eq!(tags(&read_until(&mut lane, n + 1).await), [n]);
    }
    assert_eq!(journal.stats().disk_reads, reads, "fresh frames come from memory");
    lane.seek(150);
    let again = read_until(&mut lane, 310).await;
    assert_eq!(tags(&again), (150..310).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_key_outlives_the_segment_of_its_request() {
    let dir = tempfile::tempdir().unwrap();
    let key = |n: u64| RequestKey { digest: n.into(), body: n, at: 1_000_000 };
    let keyed = async |journal: &Journal, n| match journal.claim(key(n)).await {
        Claimed::New(claim) => {
            let rows = request(2, n, 30_000);
            Some(journal.append_claimed(claim, rows).unwrap().await.unwrap())
        }
        Claimed::Stored(range) => {
            assert_eq!(range, n * 2..n * 2 + 2);
            None
        }
        Claimed::OtherBody => unreachable!("the body is the same"),
    };
    let (journal, _) = open(dir.path(), SMALL);
    let mut lane = all(&journal);
    journal.begin_retention();
    for n in 0..20 {
        assert_eq!(keyed(&journal, n).await, Some(n * 2..n * 2 + 2));
    }
    read_until(&mut lane, 40).await;
    lane.cursor().delivered(0..40).unwrap();
    journal.retain();
    assert!(journal.stats().first > 20, "most segments are gone");
    let copy = copy_of(dir.path());
    let (again, report) = open(copy.path(), SMALL);
    assert_eq!(report.keys, KeysFound { known: 20, lost: false });
    for n in 0..20 {
        assert_eq!(keyed(&again, n).await, None);
    }
    let old = RequestKey { at: 1_000_000 + 60_001, ..key(3) };
    assert!(matches!(again.claim(old).await, Claimed::New(_)), "its window is over");
    again.close().await.unwrap();
    fs::write(copy.path().join("keys"), "TGJK and no more").unwrap();
    let (_, report) = open(copy.path(), SMALL);
    assert!(report.keys.lost && report.keys.known < 20, "{report:?}");
}

#[tokio::test]
async fn a_key_is_remembered_with_durability_memory_too() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), Settings { durability: Durability::Memory, ..SMALL });
    let key = RequestKey { digest: 1, body: 2, at: 3 };
    let Claimed::New(claim) = journal.claim(key).await else { unreachable!("nobody has it") };
    let range = journal.append_claimed(claim, request(1, 0, 8)).unwrap().await.unwrap();
    assert!(matches!(journal.claim(key).await, Claimed::Stored(at) if at == range));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_appends_get_disjoint_dense_ranges() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), Settings { max_bytes: 8 << 20, ..SMALL });
    let mut lane = all(&journal);
    let tasks: Vec<_> = (0..8u64)
        .map(|task| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let mut ranges = Vec::new();
                for n in 0..50 {
                    let items = (n % 5) as u32 + 1;
                    let range = append(&journal, items, task * 1000 + n, 2000).await;
                    assert_eq!(range.end - range.start, u64::from(items));
                    ranges.push((range.start, range.end, task * 1000 + n));
                }
                assert!(ranges.is_sorted(), "a producer's requests keep their order");
                ranges
            })
        })
        .collect();
    let mut ranges = Vec::new();
    for task in tasks {
        ranges.extend(task.await.unwrap());
    }
    ranges.sort_unstable();
    assert_eq!(ranges[0].0, 0);
    assert!(ranges.windows(2).all(|pair| pair[0].1 == pair[1].0));
    let end = ranges.last().unwrap().1;
    let frames = read_until(&mut lane, end).await;
    let expected: Vec<_> = ranges.iter().map(|&(_, _, tag)| tag).collect();
    assert_eq!(tags(&frames), expected);
    let stats = journal.stats();
    assert_eq!((stats.frames, stats.items, stats.durable), (400, end, end));
    assert_eq!(stats.syncs.count(), stats.commits);
    assert_eq!((stats.queued_frames, stats.queued_bytes), (0, 0));
}

#[tokio::test]
async fn a_reader_that_is_cancelled_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), SMALL);
    let mut lane = all(&journal);
    for n in 0..20 {
        append(&journal, 1, n, 9000).await;
    }
    let mut seen = Vec::new();
    // Polled once and dropped: at the wait, or in the middle of a read from disk.
    while seen.len() < 20 {
        tokio::select! {
            biased;
            frames = lane.next(1) => seen.extend(tags(&frames.unwrap())),
            () = tokio::task::yield_now() => {}
        }
        if seen.len() == 20 {
            break;
        }
        let patient = tokio::time::timeout(Duration::from_secs(60), lane.next(1));
        seen.extend(tags(&patient.await.unwrap().unwrap()));
    }
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_lane_gets_its_classes_and_passes_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), SMALL);
    let urgent = ClassFilter::Only("urgent".into());
    let mut only = journal.lane("only", urgent, LaneStart::Oldest).unwrap();
    let rest = ClassFilter::AllBut(vec!["urgent".into()]);
    let mut rest = journal.lane("rest", rest, LaneStart::Oldest).unwrap();
    let taken = journal.lane("rest", ClassFilter::all(), LaneStart::Oldest).err();
    assert_eq!(taken, Some(LaneError::InUse { name: "rest".into() }));
    for n in 0..10 {
        let groups = vec![group("", 2, n * 10, 4000), group("urgent", 1, n * 10 + 1, 3000)];
        journal.append(groups).unwrap().await.unwrap();
    }
    // Twice: once as it comes, and once more from disk.
    for _ in 0..2 {
        let frames = read_until(&mut only, 30).await;
        assert_eq!(tags(&frames), (0..10).map(|n| n * 10 + 1).collect::<Vec<_>>());
        assert_eq!(frames[3].groups[0].positions(), 11..12);
        let frames = read_until(&mut rest, 30).await;
        assert_eq!(tags(&frames), (0..10).map(|n| n * 10).collect::<Vec<_>>());
        only.seek(0);
        rest.seek(0);
    }
    assert_eq!(only.cursor().low_water(), 2, "what it does not want is passed");
    assert_eq!(only.cursor().backlog_items(), 10);
    for n in (0..10).rev() {
        only.cursor().delivered(n * 3 + 2..n * 3 + 3).unwrap();
    }
    assert_eq!((only.cursor().low_water(), rest.cursor().low_water()), (30, 0));
}

#[tokio::test]
async fn cursors_survive_and_a_lost_cursors_file_costs_only_work() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), SMALL);
    let lane = all(&journal);
    for n in 0..10 {
        append(&journal, 1, n, 1000).await;
    }
    let beyond = lane.cursor().delivered(9..11).unwrap_err();
    assert_eq!(beyond.durable, 10);
    for range in [0..3, 5..6, 8..9] {
        lane.cursor().delivered(range).unwrap();
    }
    journal.close().await.unwrap();
    let copy = copy_of(dir.path());

    let (journal, report) = open(dir.path(), SMALL);
    let CursorsFound::Lanes(lanes) = report.cursors else { panic!("{:?}", report.cursors) };
    assert_eq!((lanes[0].low_water, lanes[0].ranges), (3, 2));
    let mut lane = all(&journal);
    assert_eq!(lane.cursor().undelivered_in(0..10), [3..5, 6..8, 9..10]);
    assert_eq!(tags(&read_until(&mut lane, 10).await), [3, 4, 6, 7, 9]);
    drop((journal, lane));

    fs::remove_file(copy.path().join("cursors")).unwrap();
    let (journal, report) = open(copy.path(), SMALL);
    assert_eq!(report.cursors, CursorsFound::Absent);
    let mut lane = all(&journal);
    assert_eq!(tags(&read_until(&mut lane, 10).await), (0..10).collect::<Vec<_>>());
    journal.skip_to(1000);
    assert_eq!(append(&journal, 1, 10, 10).await, 1000..1001);
    assert_eq!(tags(&read_until(&mut lane, 1001).await), [10]);
    lane.cursor().delivered(0..10).unwrap();
    lane.cursor().delivered(1000..1001).unwrap();
    assert_eq!(lane.cursor().low_water(), 1001, "a gap is passed");
    let newest = journal.lane("new", ClassFilter::all(), LaneStart::Newest).unwrap();
    assert_eq!(newest.cursor().low_water(), 1001);
}

#[tokio::test]
async fn only_registered_lanes_hold_segments() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), SMALL);
    for n in 0..20 {
        append(&journal, 1, n, 9000).await;
    }
    let kept = journal.stats().segments;
    assert!(kept >= 3);
    let fast = all(&journal);
    fast.cursor().delivered(0..20).unwrap();
    assert_eq!(journal.retain(), 0, "the slow lane may not be registered yet");
    let slow = journal.lane("slow", ClassFilter::all(), LaneStart::Oldest).unwrap();
    assert!(journal.begin_retention().is_empty());
    journal.retain();
    assert_eq!(journal.stats().segments, kept, "the slow lane needs them");
    let cursor = slow.cursor().clone();
    drop(slow);
    journal.retain();
    assert_eq!(journal.stats().segments, kept, "a dropped reader may come back");
    assert!(cursor.detach());
    journal.retain();
    let stats = journal.stats();
    assert_eq!(stats.segments, 1);
    assert!(stats.first > 0);
    let slow = journal.lane("slow", ClassFilter::all(), LaneStart::Oldest).unwrap();
    assert_eq!(slow.cursor().low_water(), stats.first);
}

#[tokio::test]
async fn closed_means_closed_for_everybody() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), SMALL);
    let mut lane = all(&journal);
    let waiting = tokio::spawn(async move { lane.next(1000).await });
    let accepted = journal.append(request(1, 1, 100)).unwrap();
    journal.close().await.unwrap();
    assert_eq!(accepted.await, Ok(0..1), "what was accepted is written");
    journal.close().await.unwrap();
    assert_eq!(journal.append(request(1, 1, 100)).err(), Some(AppendError::Closed));
    match waiting.await.unwrap() {
        Ok(frames) => assert_eq!(tags(&frames), [1]),
        Err(error) => assert_eq!(error, ReadError::Closed),
    }
    let mut late = all(&journal);
    assert_eq!(late.next(1000).await.unwrap_err(), ReadError::Closed);
}

#[tokio::test]
async fn memory_keeps_until_delivered_and_never_more_than_its_bound() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { durability: Durability::Memory, ..SMALL };
    let (journal, _) = open(dir.path(), settings);
    let mut lane = all(&journal);
    journal.begin_retention();
    let mut accepted = 0;
    let full = loop {
        match journal.append(request(2, accepted, 5000)) {
            Ok(answer) => assert_eq!(answer.await.unwrap(), accepted * 2..accepted * 2 + 2),
            Err(full) => break full,
        }
        accepted += 1;
    };
    assert!(matches!(full, AppendError::Full { max: 65_536, .. }), "{full}");
    let frames = read_until(&mut lane, accepted * 2).await;
    assert_eq!(tags(&frames), (0..accepted).collect::<Vec<_>>());
    lane.seek(0);
    assert_eq!(read_until(&mut lane, accepted * 2).await.len(), frames.len(), "read is not done");
    assert!(journal.append(request(1, 0, 5000)).is_err());
    lane.cursor().delivered(0..2).unwrap();
    append(&journal, 1, 77, 5000).await;
    let first = journal.identity().id;
    journal.close().await.unwrap();
    assert!(segments(dir.path()).is_empty());
    let (journal, report) = open(dir.path(), settings);
    assert_ne!(journal.identity().id, first, "positions begin again, so the name must be new");
    assert_eq!(report.next, 0);
}

#[tokio::test]
async fn written_never_gives_a_position_twice() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { durability: Durability::Written, ..SMALL };
    let (journal, _) = open(dir.path(), settings);
    let before = copy_of(dir.path());
    append(&journal, 5, 1, 100).await;
    assert_eq!(journal.stats().syncs.count(), 0);
    // Power loss: the floor was synced, the frame was not.
    fs::copy(dir.path().join("meta"), before.path().join("meta")).unwrap();
    journal.close().await.unwrap();
    let (journal, report) = open(before.path(), settings);
    assert_eq!(report.frames, 0);
    let range = append(&journal, 1, 2, 100).await;
    assert!(range.start >= 5, "{range:?}");
    journal.close().await.unwrap();
    let (_, report) = open(before.path(), settings);
    assert_eq!((report.next, report.missing.len(), report.skipped), (range.end, 0, None));
    let (_, report) = open(dir.path(), settings);
    assert_eq!(report.next, 5, "closed in order, nothing needs to be skipped");
}

/// Invariant: whatever a reader was given may be called delivered at once, however fast it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_may_be_called_delivered_at_once() {
    for durability in [Durability::Fsync, Durability::Written, Durability::Memory] {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = open(
            dir.path(),
            Settings { durability, max_bytes: 64 << 20, tail_bytes: 1 << 20, ..SMALL },
        );
        let (mut reader, cursor) = all(&journal).split();
        journal.begin_retention();
        // Many at once, so that commits follow each other while the reader is still reading.
        let producers: Vec<_> = (0..8)
            .map(|_| {
                let journal = journal.clone();
                tokio::spawn(async move {
                    for n in 0..500 {
                        append(&journal, 3, n, 20).await;
                    }
                })
            })
            .collect();
        let deliver = tokio::spawn(async move {
            while cursor.low_water() < 12_000 {
                for frame in reader.next(1 << 20).await.unwrap() {
                    cursor.delivered(frame.first..frame.end).unwrap();
                }
            }
        });
        for producer in producers {
            producer.await.unwrap();
        }
        deliver.await.unwrap();
        journal.close().await.unwrap();
    }
}
