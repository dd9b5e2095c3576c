//! Does every item arrive through a backend that fails at random? And once, if it looks at keys?
//!
//! What stands above a sink is played by a few lines here: a batch in doubt is repeated unchanged,
//! one that was refused or is too large is halved, and items that failed alone come again alone.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tidegate::Outcome;
use tidegate_event::Position;
use tidegate_sinks::http::{HttpSink, Settings};
use tidegate_sinks::{Batch, DeliveryFailure, Sink};
use tidegate_testbed::http::{Answers, Behaviour, Deed, HttpBackend, Poison, Random};

use super::contract::{origin, slice};

/// What a small lane came to.
#[derive(Debug, Default)]
struct Came {
    attempts: u64,
    dead: Vec<Position>,
    /// Items of attempts without an answer: they may have been taken.
    in_doubt: BTreeSet<Position>,
}

/// Delivers positions until nothing is left of them.
async fn drive(sink: &HttpSink, positions: Range<Position>, size: u64) -> Came {
    let mut came = Came::default();
    let mut waiting: VecDeque<(Range<Position>, Vec<Position>)> = VecDeque::new();
    let starts = positions.clone().step_by(usize::try_from(size).unwrap());
    for start in starts {
        let range = start..(start + size).min(positions.end);
        waiting.push_back((range.clone(), range.collect()));
    }
    while let Some((range, items)) = waiting.pop_front() {
        came.attempts += 1;
        assert!(came.attempts < 100_000, "it does not come to an end");
        let slices = runs(&items).into_iter().map(slice).collect();
        let batch = Batch { lane: "default".into(), range: range.clone(), slices };
        let delivery = sink.deliver(batch).await;
        if matches!(delivery.outcome, Outcome::Unreachable | Outcome::TimedOut) {
            came.in_doubt.extend(&items);
        }
        match delivery.failure {
            None => {}
            Some(DeliveryFailure::Retry(_)) => waiting.push_front((range, items)),
            Some(DeliveryFailure::Refused { .. } | DeliveryFailure::TooLarge(_)) => {
                if items.len() == 1 {
                    came.dead.extend(items);
                } else {
                    let (low, high) = items.split_at(items.len() / 2);
                    let part = |part: &[u64]| (part[0]..part[part.len() - 1] + 1, part.to_vec());
                    waiting.push_front(part(high));
                    waiting.push_front(part(low));
                }
            }
            Some(DeliveryFailure::Items(failures)) => {
                let (again, dead): (Vec<_>, Vec<_>) =
                    failures.into_iter().partition(|failure| failure.retryable);
                came.dead.extend(dead.into_iter().map(|failure| failure.position));
                if !again.is_empty() {
                    let again = again.into_iter().map(|failure| failure.position).collect();
                    waiting.push_front((range, again));
                }
            }
            Some(other) => panic!("{other}"),
        }
    }
    came.dead.sort_unstable();
    came
}

/// Runs of consecutive positions.
fn runs(positions: &[Position]) -> Vec<Range<Position>> {
    let mut runs: Vec<Range<Position>> = Vec::new();
    for position in positions {
        match runs.last_mut().filter(|run| run.end == *position) {
            Some(run) => run.end += 1,
            None => runs.push(*position..*position + 1),
        }
    }
    runs
}

/// Everything that can go wrong and pass again, and the two that leave a batch in doubt.
fn deeds() -> Vec<Deed> {
    let mut deeds = [429, 500, 503, 413, 401, 404, 408, 502].map(Deed::status).to_vec();
    deeds.extend([Deed::Drop, Deed::TakeAndDrop, Deed::TakeAndCut, Deed::TakeAndDrop]);
    deeds
}

async fn through_random_failures(
    seed: u64,
    share: f64,
    honours_keys: bool,
    answers: Answers,
) -> Result<(), TestCaseError> {
    let random = Some(Random { seed, share, deeds: deeds() });
    let poison = Some(Poison { marker: "event 77\"".to_owned(), status: 422 });
    let behaviour = Behaviour { random, poison, honours_keys, answers, ..Behaviour::default() };
    let backend = HttpBackend::start(behaviour).unwrap();
    let sink = HttpSink::start(Settings::new(backend.url("/events"), "api")).unwrap();
    sink.open(origin(1)).await.unwrap();
    let came = drive(&sink, 0..200, 20).await;
    let ledger = backend.ledger();
    // A single item may have been told that it is too large: then it is dead, and not stored unless
    // an attempt before that had no answer.
    prop_assert!(came.dead.contains(&77), "{:?}", came);
    let is_stored = |position: &Position| {
        ledger.items.keys().any(|name| name.ends_with(&format!(":{position}")))
    };
    let (both, only_dead): (Vec<_>, Vec<_>) = came.dead.iter().partition(|dead| is_stored(dead));
    prop_assert_eq!(ledger.items.len() + only_dead.len(), 200);
    prop_assert!(both.iter().all(|position| came.in_doubt.contains(position)), "{:?}", both);
    if honours_keys {
        prop_assert!(ledger.items.values().all(|taken| taken.times == 1));
    }
    Ok(())
}

/// Invariant: through any row of failures, every item is taken under its name or given up, and both
/// only if an attempt had no answer before it was refused; and a backend that looks at keys takes none of them twice.
#[test]
fn every_item_arrives_and_with_keys_once() {
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answers = prop_oneof![Just(Answers::Status), Just(Answers::Listed)];
    proptest!(config, |(seed: u64, share in 0.0..0.7, honours_keys: bool, answers in answers)| {
        runtime.block_on(through_random_failures(seed, share, honours_keys, answers))?;
    });
}

#[tokio::test]
async fn seven_poison_items_among_ten_thousand_are_found_and_nothing_else_is_lost() {
    let poison = Some(Poison { marker: "99\"".to_owned(), status: 400 });
    let backend = HttpBackend::start(Behaviour { poison, ..Behaviour::default() }).unwrap();
    let sink = HttpSink::start(Settings::new(backend.url("/events"), "api")).unwrap();
    sink.open(origin(1)).await.unwrap();
    // Of these, those whose text ends in 99: one in a hundred.
    let came = drive(&sink, 0..700, 100).await;
    assert_eq!(came.dead, [99, 199, 299, 399, 499, 599, 699]);
    assert_eq!(backend.ledger().items.len(), 693);
    // Halving finds one of a hundred within 2 · ⌈log₂ 100⌉ + 1 attempts.
    assert!(came.attempts <= 7 * 15, "{}", came.attempts);
}
