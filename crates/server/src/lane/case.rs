//! What is left to do about a batch that failed? Its parts, in order, one at a time.
//!
//! A batch that was not taken keeps its place and its slot until every item of it is delivered or
//! given up: its parts are sent one after the other, and as long as there are any, one attempt less
//! may be in flight with something fresh. So with a concurrency of 1 nothing overtakes it, and with
//! more the others go on.

use std::collections::VecDeque;
use std::ops::Range;

use tidegate::bisect::Hints;
use tidegate::{Moment, Outcome};
use tidegate_event::Position;
use tidegate_sinks::Batch;

use crate::dead_letters::Why;

/// A batch, and what was tried with it.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    pub(super) batch: Batch,
    pub(super) attempts: u32,
    pub(super) first_at: Moment,
    /// What the last attempt came to.
    pub(super) last: Outcome,
    /// Whether an attempt with it may have been taken unseen. A later refusal for want of room does
    /// not settle that: only the same batch again does.
    pub(super) is_in_doubt: bool,
    /// Whether it is the same batch again, rather than a part that was never sent alone.
    pub(super) is_retry: bool,
    /// Whether it is the item that the backend pointed at.
    pub(super) is_hinted: bool,
}

impl Parcel {
    /// A part of this one, which was refused as a whole or answered item by item: no longer in
    /// doubt.
    pub(super) fn part(&self, batch: Batch) -> Self {
        Self { batch, is_retry: false, is_hinted: false, is_in_doubt: false, ..self.clone() }
    }
}

/// Whether a batch that was answered so may have been taken all the same.
pub(super) const fn leaves_doubt(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::TimedOut | Outcome::Unreachable)
}

/// What is to be done next about a part of the batch.
#[derive(Debug)]
pub(super) enum Part {
    /// It is sent.
    Send(Parcel),
    /// It becomes dead letters.
    Die(Parcel, Why),
    /// Its letters are kept: that its range is dealt with is committed in the sink.
    Settle(Batch),
}

/// A batch that failed.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) id: u64,
    /// Never empty.
    pub(super) parts: VecDeque<Part>,
    /// Whether the first part is on its way.
    pub(super) flying: bool,
    /// When the first part may go.
    pub(super) due: Moment,
    /// Whether its next retry is paid for.
    pub(super) paid: bool,
    /// Attempts in a row that the backend did not take now.
    pub(super) failures: u32,
    pub(super) hints: Hints,
    /// What the backend said last.
    pub(super) said: String,
}

impl Case {
    pub(super) fn new(id: u64, due: Moment, parts: VecDeque<Part>) -> Self {
        let (hints, said) = (Hints::default(), String::new());
        Self { id, parts, flying: false, due, paid: false, failures: 0, hints, said }
    }

    /// Where its first part begins.
    pub(super) fn start(&self) -> Position {
        self.parts.front().map_or(0, |part| match part {
            Part::Send(parcel) | Part::Die(parcel, _) => parcel.batch.range.start,
            Part::Settle(batch) => batch.range.start,
        })
    }

    /// The first part, if it is to be sent.
    pub(super) fn sends(&mut self) -> Option<&mut Parcel> {
        match self.parts.front_mut() {
            Some(Part::Send(parcel)) => Some(parcel),
            _ => None,
        }
    }

    /// Puts these in place of the first part.
    pub(super) fn replace(&mut self, parts: impl DoubleEndedIterator<Item = Part>) {
        self.parts.pop_front();
        parts.rev().for_each(|part| self.parts.push_front(part));
    }
}

/// What is known of positions that are read anew after the sink's record was asked.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) range: Range<Position>,
    pub(super) attempts: u32,
    pub(super) first_at: Moment,
    pub(super) last: Outcome,
    /// They are given up, if they turn out not to be stored.
    pub(super) dies: Option<Why>,
}

impl Known {
    /// Of a parcel.
    pub(super) fn of(parcel: &Parcel, dies: Option<Why>) -> Self {
        let Parcel { batch, attempts, first_at, last, .. } = parcel;
        Self {
            range: batch.range.clone(),
            attempts: *attempts,
            first_at: *first_at,
            last: *last,
            dies,
        }
    }

    pub(super) fn overlaps(&self, range: &Range<Position>) -> bool {
        self.range.start < range.end && range.start < self.range.end
    }
}
