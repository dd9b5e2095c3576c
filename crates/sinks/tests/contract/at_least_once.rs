//! Does every item arrive under its name, however often and however cut it comes?

use std::collections::BTreeSet;
use std::ops::Range;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tidegate_event::{JournalId, Position};
use tidegate_sinks::{Batch, Guarantee, Origin};

use super::{Stored, Subject, batch, deliver, opened, origin, slice, usual};

/// Insists that the store holds these positions at least once each, and nothing else.
pub(crate) async fn assert_arrived(
    subject: &Subject,
    positions: impl IntoIterator<Item = Position>,
) {
    assert_eq!(each_once((subject.stored)().await), usual(positions));
}

/// What is stored, without its repeats; they must be the same in every field.
fn each_once(mut stored: Vec<Stored>) -> Vec<Stored> {
    stored.dedup();
    stored
}

pub(crate) async fn it_says_so(subject: &Subject) {
    let sink = opened(subject, 1).await;
    assert_eq!(sink.limits().guarantee, Guarantee::AtLeastOnce);
}

pub(crate) async fn a_repeat_arrives_under_the_same_names(subject: &Subject) {
    let sink = opened(subject, 1).await;
    for _ in 0..3 {
        deliver(&*sink, batch(0..25)).await;
    }
    assert_arrived(subject, 0..25).await;
    sink.close().await;
    let sink = opened(subject, 2).await;
    deliver(&*sink, batch(0..25)).await;
    assert_arrived(subject, 0..25).await;
}

pub(crate) async fn a_batch_that_is_cut_otherwise_arrives(subject: &Subject) {
    let sink = opened(subject, 1).await;
    for range in [10..20, 5..15, 0..1, 0..30, 29..30] {
        deliver(&*sink, batch(range)).await;
    }
    assert_arrived(subject, 0..30).await;
}

pub(crate) async fn nothing_is_known_to_be_delivered(subject: &Subject) {
    let sink = opened(subject, 1).await;
    deliver(&*sink, batch(0..10)).await;
    assert_eq!(sink.delivered("default", 0).await, Ok(vec![]));
}

pub(crate) async fn a_range_without_rows_is_taken(subject: &Subject) {
    let sink = opened(subject, 1).await;
    let empty = |range| Batch { lane: "default".into(), range, slices: vec![] };
    deliver(&*sink, empty(0..100)).await;
    deliver(&*sink, empty(100..100)).await;
    assert_arrived(subject, 0..0).await;
}

pub(crate) async fn lanes_and_journals_do_not_disturb_each_other(subject: &Subject) {
    let sink = opened(subject, 1).await;
    let lane = |name: &str, first: Position| Batch {
        lane: name.into(),
        range: 0..6,
        slices: (0..3).map(|n| slice(first + 2 * n..first + 2 * n + 1)).collect(),
    };
    deliver(&*sink, lane("even", 0)).await;
    deliver(&*sink, lane("it's \"odd\"/{lane}", 1)).await;
    assert_arrived(subject, 0..6).await;
    sink.close().await;
    let sink = (subject.start)();
    let other = JournalId::from_u128(u128::MAX);
    sink.open(Origin { journal: other, epoch: 1, opening: 1 }).await.unwrap();
    deliver(&*sink, batch(0..6)).await;
    let stored = each_once((subject.stored)().await);
    assert_eq!(stored.iter().filter(|row| row.journal == other.to_string()).count(), 6);
    assert_eq!(stored.len(), 12);
}

pub(crate) async fn the_next_opening_goes_on(subject: &Subject) {
    let sink = opened(subject, 5).await;
    deliver(&*sink, batch(0..1)).await;
    // The same opening may open it again, and so may a later one.
    assert_eq!(sink.open(origin(5)).await, Ok(()));
    assert_eq!(sink.open(origin(6)).await, Ok(()));
    deliver(&*sink, batch(1..2)).await;
    assert_arrived(subject, 0..2).await;
}

#[derive(Debug, Clone)]
enum Action {
    Deliver(Range<Position>),
    Restart,
}

fn action() -> impl Strategy<Value = Action> {
    let range = (0..60u64, 1..25u64).prop_map(|(first, length)| first..first + length);
    prop_oneof![8 => range.prop_map(Action::Deliver), 1 => Just(Action::Restart)]
}

/// Invariant: whatever is delivered, repeated, cut again or restarted, each position of a range
/// that was taken is stored under its name, unaltered, and no other is.
pub(crate) fn every_position_that_was_taken_is_stored(subject: impl Fn() -> Subject) {
    let config = ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    proptest!(config, |(actions in proptest::collection::vec(action(), 1..25))| {
        runtime.block_on(async { run(&subject(), actions).await })?;
    });
}

async fn run(subject: &Subject, actions: Vec<Action>) -> Result<(), TestCaseError> {
    let (mut epoch, mut taken) = (1, BTreeSet::new());
    let mut sink = opened(subject, epoch).await;
    for action in actions {
        match action {
            Action::Deliver(range) => {
                deliver(&*sink, batch(range.clone())).await;
                taken.extend(range);
            }
            Action::Restart => {
                sink.close().await;
                epoch += 1;
                sink = opened(subject, epoch).await;
            }
        }
    }
    sink.close().await;
    prop_assert_eq!(each_once((subject.stored)().await), usual(taken));
    Ok(())
}
