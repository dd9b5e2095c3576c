//! What follows from an answer that was not yes? Decided here, carried out by `answers`.
//!
//! | the answer | a batch | one item |
//! |---|---|---|
//! | throttled, overloaded, timed out, unreachable | the same again, until a limit | the same |
//! | refused | cut until the poison stands alone | a dead letter |
//! | too large | halved | a dead letter |
//! | item by item | what may be taken later again, the rest dead letters | |
//! | cut differently before | the sink's record is read | |
//! | belongs to another opening | the lane ends | |
//!
//! Which outcomes are definite can be set. What is wrong with the configuration or the backend as a
//! whole (a password, a missing table) is never the data's fault: sinks answer it as unreachable,
//! and nothing dies of it unless somebody has set a limit.

use std::time::Duration;

use tidegate::Outcome;
use tidegate::retry::{Backoff, Limits};
use tidegate_event::Position;
use tidegate_sinks::{DeliveryFailure, Guarantee};

use crate::dead_letters::letter::Kind;

/// What a lane does about failures.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Policy {
    /// How long a batch waits before it is sent again.
    pub(crate) backoff: Backoff,
    /// When it is given up although it was never refused.
    pub(crate) limits: Limits,
    /// Whether refused data is sent again instead.
    pub(crate) retry_rejected: bool,
    /// Whether one item that is too large is sent again instead.
    pub(crate) retry_too_large: bool,
    /// Whether a batch that gets no answer in time is taken for refused.
    pub(crate) refuse_timed_out: bool,
    /// Whether a batch that an overloaded backend refuses is taken for refused.
    pub(crate) refuse_overloaded: bool,
}

/// What was tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tried {
    pub(super) items: u64,
    /// Attempts, this one included.
    pub(super) attempts: u32,
    /// Since the first one.
    pub(super) age: Duration,
    pub(super) guarantee: Guarantee,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consequence {
    /// The same again, after a wait that is at least what the backend asked for.
    Retry { asked: Option<Duration> },
    /// Whether it was stored shows in the sink's record; then the same again, unless it `dies`.
    Ask { dies: Option<Kind> },
    /// The record contradicts the cut: it is read at once.
    Recut,
    /// Cut it, at the item that the backend pointed at if it did.
    Split { at: Option<Position> },
    /// All of it is given up.
    Die(Kind),
    /// Item by item.
    Items,
    /// The lane cannot go on.
    End,
}

/// What follows from an answer.
pub(super) fn consequence(
    policy: &Policy,
    outcome: Outcome,
    failure: &DeliveryFailure,
    tried: Tried,
) -> Consequence {
    let alone = tried.items <= 1;
    let refused = |at, kind| if alone { Consequence::Die(kind) } else { Consequence::Split { at } };
    match failure {
        DeliveryFailure::Fenced { .. } => return Consequence::End,
        DeliveryFailure::Recut(_) => return Consequence::Recut,
        DeliveryFailure::Items(_) if tried.guarantee == Guarantee::AtLeastOnce => {
            return Consequence::Items;
        }
        DeliveryFailure::Refused { at, .. } if !policy.retry_rejected => {
            return refused(*at, Kind::Refused);
        }
        DeliveryFailure::TooLarge(_) if !(alone && policy.retry_too_large) => {
            return refused(None, Kind::TooLarge);
        }
        _ => {}
    }
    let definite = match outcome {
        Outcome::Rejected => !policy.retry_rejected,
        Outcome::TooLarge => !(alone && policy.retry_too_large),
        Outcome::TimedOut => policy.refuse_timed_out,
        Outcome::Overloaded => policy.refuse_overloaded,
        _ => false,
    };
    // A sink with a record is asked what became of an attempt without an answer.
    let in_doubt = matches!(outcome, Outcome::TimedOut | Outcome::Unreachable)
        && tried.guarantee == Guarantee::ExactlyOnce;
    if definite {
        return match refused(None, Kind::Refused) {
            Consequence::Die(kind) if in_doubt => Consequence::Ask { dies: Some(kind) },
            other => other,
        };
    }
    let dies = policy.limits.exhausted(tried.attempts, tried.age).map(Kind::from);
    match (dies, outcome) {
        (Some(_), _) | (None, Outcome::Unreachable) if in_doubt => Consequence::Ask { dies },
        (Some(kind), _) => Consequence::Die(kind),
        (None, Outcome::Throttled { retry_after }) => Consequence::Retry { asked: retry_after },
        (None, _) => Consequence::Retry { asked: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(items: u64, attempts: u32) -> Tried {
        Tried { items, attempts, age: Duration::ZERO, guarantee: Guarantee::ExactlyOnce }
    }

    fn follows(outcome: Outcome, tried: Tried, policy: &Policy) -> Consequence {
        let failure = match outcome {
            Outcome::Rejected => DeliveryFailure::Refused { why: "no".into(), at: Some(7) },
            Outcome::TooLarge => DeliveryFailure::TooLarge("no".into()),
            _ => DeliveryFailure::Retry("later".into()),
        };
        consequence(policy, outcome, &failure, tried)
    }

    #[test]
    fn nothing_dies_of_an_outage_by_default() {
        let asked = Some(Duration::from_secs(3));
        for outcome in [
            Outcome::Throttled { retry_after: asked },
            Outcome::Overloaded,
            Outcome::TimedOut,
            Outcome::Unreachable,
        ] {
            let old = Tried { age: Duration::MAX, ..tried(1, u32::MAX) };
            let follows = follows(outcome, old, &Policy::default());
            let expected = match outcome {
                Outcome::Throttled { .. } => Consequence::Retry { asked },
                Outcome::Unreachable => Consequence::Ask { dies: None },
                _ => Consequence::Retry { asked: None },
            };
            assert_eq!(follows, expected, "{outcome:?}");
        }
    }

    #[test]
    fn what_is_refused_is_cut_and_dies_alone() {
        let policy = Policy::default();
        let split = |at| Consequence::Split { at };
        assert_eq!(follows(Outcome::Rejected, tried(9, 1), &policy), split(Some(7)));
        assert_eq!(follows(Outcome::TooLarge, tried(9, 1), &policy), split(None));
        let dies = Consequence::Die;
        assert_eq!(follows(Outcome::Rejected, tried(1, 1), &policy), dies(Kind::Refused));
        assert_eq!(follows(Outcome::TooLarge, tried(1, 1), &policy), dies(Kind::TooLarge));
    }

    #[test]
    fn kinds_can_be_set_and_limits_end_it() {
        let policy = Policy {
            limits: Limits { attempts_max: Some(3), age_max: None },
            retry_rejected: true,
            retry_too_large: true,
            refuse_timed_out: true,
            ..Policy::default()
        };
        let again = Consequence::Retry { asked: None };
        assert_eq!(follows(Outcome::Rejected, tried(9, 2), &policy), again);
        assert_eq!(follows(Outcome::TooLarge, tried(1, 2), &policy), again);
        assert_eq!(
            follows(Outcome::TooLarge, tried(2, 2), &policy),
            Consequence::Split { at: None }
        );
        let dies = Consequence::Die(Kind::Attempts);
        assert_eq!(follows(Outcome::Rejected, tried(9, 3), &policy), dies);
        // Without an answer it may be stored: the record says, before anything dies.
        let asked = |kind| Consequence::Ask { dies: Some(kind) };
        assert_eq!(follows(Outcome::TimedOut, tried(1, 1), &policy), asked(Kind::Refused));
        assert_eq!(follows(Outcome::Unreachable, tried(1, 3), &policy), asked(Kind::Attempts));
        let without_record = Tried { guarantee: Guarantee::AtLeastOnce, ..tried(1, 3) };
        assert_eq!(follows(Outcome::Unreachable, without_record, &policy), dies);
    }

    #[test]
    fn items_are_for_sinks_that_can_store_a_part() {
        let failure = DeliveryFailure::Items(Vec::new());
        let partial = Outcome::Partial { delivered: 0 };
        let of = |guarantee| {
            consequence(&Policy::default(), partial, &failure, Tried { guarantee, ..tried(2, 1) })
        };
        assert_eq!(of(Guarantee::AtLeastOnce), Consequence::Items);
        assert_eq!(of(Guarantee::ExactlyOnce), Consequence::Retry { asked: None });
    }
}
