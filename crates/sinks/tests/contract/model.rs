//! Random batches, repeats, other cuts and restarts, held against a set of positions.

use std::collections::BTreeSet;
use std::ops::Range;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tidegate::Outcome;
use tidegate_event::Position;
use tidegate_sinks::{Batch, DeliveryFailure, Sink};

use super::{Subject, opened, slice, usual};

const LANES: u64 = 2;

#[derive(Debug, Clone)]
enum Action {
    /// A batch of a lane.
    Deliver { lane: u64, range: Range<Position> },
    /// The sink closes and the next opening of the journal starts.
    Restart,
    /// The next opening starts while this one still runs; this one tries once more.
    TakeOver { range: Range<Position> },
}

fn action() -> impl Strategy<Value = Action> {
    let range = (0..60u64, 1..25u64).prop_map(|(first, length)| first..first + length);
    prop_oneof![
        8 => (0..LANES, range.clone()).prop_map(|(lane, range)| Action::Deliver { lane, range }),
        1 => Just(Action::Restart),
        1 => range.prop_map(|range| Action::TakeOver { range }),
    ]
}

/// Invariant: whatever is delivered, repeated, cut again, restarted or taken over, each position of
/// a committed range is stored exactly once and no other is, and the answers say what happened.
pub(crate) fn every_committed_position_is_stored_exactly_once(subject: impl Fn() -> Subject) {
    let config = ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    proptest!(config, |(actions in proptest::collection::vec(action(), 1..25))| {
        runtime.block_on(run(&subject(), actions))?;
    });
}

async fn run(subject: &Subject, actions: Vec<Action>) -> Result<(), TestCaseError> {
    let mut epoch = 1;
    let mut sink = opened(subject, epoch).await;
    let mut committed = [const { BTreeSet::new() }; LANES as usize];
    for action in actions {
        match action {
            Action::Deliver { lane, range } => {
                let known = &mut committed[usize::try_from(lane).unwrap()];
                attempt(&*sink, lane, range, known).await?;
            }
            Action::Restart => {
                sink.close().await;
                epoch += 1;
                sink = opened(subject, epoch).await;
            }
            Action::TakeOver { range } => {
                epoch += 1;
                let next = opened(subject, epoch).await;
                let late = sink.deliver(batch(0, range)).await;
                let fenced = matches!(late.failure, Some(DeliveryFailure::Fenced { .. }));
                prop_assert!(fenced, "{:?}", late);
                sink = next;
            }
        }
    }
    for (lane, known) in (0..).zip(&committed) {
        let ranges = sink.delivered(name(lane), 0).await.unwrap();
        prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start), "{:?}", ranges);
        prop_assert!(ranges.into_iter().flatten().eq(known.iter().copied()));
    }
    let of_lane = |(lane, known): (u64, BTreeSet<Position>)| {
        known.into_iter().filter(move |position| position % LANES == lane)
    };
    let expected: BTreeSet<_> = (0..).zip(committed).flat_map(of_lane).collect();
    prop_assert_eq!((subject.stored)().await, usual(expected));
    Ok(())
}

async fn attempt(
    sink: &dyn Sink,
    lane: u64,
    range: Range<Position>,
    committed: &mut BTreeSet<Position>,
) -> Result<(), TestCaseError> {
    let inside = range.clone().filter(|position| committed.contains(position)).count();
    let delivery = sink.deliver(batch(lane, range.clone())).await;
    if inside == 0 || inside == range.clone().count() {
        prop_assert_eq!((delivery.outcome, delivery.failure), (Outcome::Ok, None));
        committed.extend(range);
    } else {
        let recut = matches!(delivery.failure, Some(DeliveryFailure::Recut(_)));
        prop_assert!(recut && delivery.outcome != Outcome::Ok);
    }
    Ok(())
}

/// A batch of every second position: the others belong to the other lane.
fn batch(lane: u64, range: Range<Position>) -> Batch {
    let own = range.clone().filter(|position| position % LANES == lane);
    let slices = own.map(|position| slice(position..position + 1)).collect();
    Batch { lane: name(lane).into(), range, slices }
}

fn name(lane: u64) -> &'static str {
    if lane == 0 { "even" } else { "odd" }
}
