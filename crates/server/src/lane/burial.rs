//! How is an item given up, so that it is never in neither place? First its letter is durable, then
//! its position is committed in the sink, as an empty range, and only then does the cursor pass it.
//!
//! After a crash between the first two the item would be sent again although there is a letter. So
//! a lane that reads the sink's record reads the letters too, and goes on with the second step.
//!
//! A sink without a record knows a repeat by its key, and a batch without the item would have
//! another one: if the batch is in doubt, the item is sent again with it, and given up again.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use tidegate_event::Position;
use tidegate_sinks::{Batch, Guarantee};

use super::case::{Known, Parcel, Part, leaves_doubt};
use super::error::LaneError;
use super::{Lane, cut};
use crate::dead_letters::{Letter, StoreError, Why};

impl Lane {
    /// Keeps the letters of what is given up, as far as there is room for them.
    pub(super) async fn bury(&mut self) -> Result<(), LaneError> {
        self.blocked = None;
        while let Some(place) = self.next_burial() {
            let Some(Part::Die(parcel, why)) = self.cases[place].parts.front() else { break };
            let (letters, kind) = (self.letters(parcel, why), why.kind);
            let (count, reason) = (letters.len() as u64, why.reason.clone());
            let settled = cut::emptied(&parcel.batch);
            match self.failing.dead_letters.keep(letters).await {
                Ok(()) => {}
                Err(error) => {
                    self.block(&error);
                    break;
                }
            }
            self.buried += count;
            if self.buried == count || self.buried.is_power_of_two() {
                let (sink, lane, total) = (&self.shared.sink, &self.shared.lane, self.buried);
                let kind = kind.label();
                tracing::warn!(%sink, %lane, kind, reason, total, "given up: see `tidegate dlq`");
            }
            self.buried_at(place, settled)?;
        }
        Ok(())
    }

    fn next_burial(&self) -> Option<usize> {
        let dies = |part: Option<&Part>| matches!(part, Some(Part::Die(..)));
        self.cases.iter().position(|case| dies(case.parts.front()))
    }

    /// The letters of the first part are kept.
    fn buried_at(&mut self, place: usize, settled: Batch) -> Result<(), LaneError> {
        let range = settled.range.clone();
        let case = &mut self.cases[place];
        match self.sink.limits().guarantee {
            Guarantee::ExactlyOnce => case.replace(std::iter::once(Part::Settle(settled))),
            // There is no record in which a range could be committed.
            Guarantee::AtLeastOnce => {
                case.parts.pop_front();
                if case.parts.is_empty() {
                    self.cases.remove(place);
                }
                self.note(range)?;
            }
        }
        Ok(())
    }

    fn letters(&self, parcel: &Parcel, why: &Why) -> Vec<Letter> {
        let first_at = self.shared.clock.unix_millis(parcel.first_at).saturating_mul(1_000_000);
        let letter = |slice: tidegate_sinks::Slice| Letter {
            journal: self.failing.journal,
            position: slice.first,
            sink: Arc::clone(&self.shared.sink),
            lane: Arc::clone(&self.shared.lane),
            why: why.clone(),
            attempts: parcel.attempts,
            first_at,
            row: slice.rows.bytes().clone(),
        };
        cut::singles(&parcel.batch).map(letter).collect()
    }

    fn block(&mut self, error: &StoreError) {
        let (sink, lane) = (&self.shared.sink, &self.shared.lane);
        if self.blocked_said.as_deref() != Some(&error.to_string()) {
            tracing::error!(%sink, %lane, %error, "the lane stands still: an item must be given up");
            self.blocked_said = Some(error.to_string());
        }
        // Room is told; a file that failed is tried again.
        let retry_at = match error {
            StoreError::Full { .. } => None,
            _ => Some(self.shared.clock.now() + self.failing.policy.backoff.bound(6)),
        };
        self.blocked = Some((error.to_string(), retry_at));
    }

    /// Goes on with positions whose letters are kept and that the sink has not heard of.
    pub(super) fn settle_kept(&mut self, kept: Vec<Position>) -> Result<(), LaneError> {
        let mut ranges: Vec<Range<Position>> = Vec::new();
        let repeated = self.repeated_whole(&kept);
        for position in kept {
            if repeated.iter().any(|batch| batch.contains(&position)) {
                continue;
            }
            if self.cursor.undelivered_in(position..position + 1).is_empty() {
                continue;
            }
            match ranges.last_mut() {
                Some(last) if last.end == position => last.end += 1,
                _ => ranges.push(position..position + 1),
            }
        }
        for range in ranges {
            self.known_below = self.known_below.max(range.end);
            if self.sink.limits().guarantee == Guarantee::AtLeastOnce {
                self.note(range)?;
                continue;
            }
            self.given_up.extend(range.clone());
            let lane = Arc::clone(&self.shared.lane);
            let part = Part::Settle(Batch { lane, range, slices: Vec::new() });
            self.open_case(self.shared.clock.now(), [part].into());
        }
        Ok(())
    }

    /// Batches in doubt of which there is more to deliver than items with kept letters.
    fn repeated_whole(&self, kept: &[Position]) -> Vec<Range<Position>> {
        let Some(notes) = &self.course.notes else { return Vec::new() };
        let kept: BTreeSet<_> = kept.iter().copied().collect();
        let mut batches = notes.in_doubt();
        batches.retain(|batch| {
            let mut undelivered = self.cursor.undelivered_in(batch.clone()).into_iter().flatten();
            kept.range(batch.clone()).next().is_some() && !undelivered.all(|at| kept.contains(&at))
        });
        batches
    }

    /// Remembers what was tried with positions that are about to be read anew.
    pub(super) fn remember(&mut self, known: Known) {
        let inside = |other: &Known| {
            known.range.start <= other.range.start && other.range.end <= known.range.end
        };
        self.known.retain(|other| !inside(other) || other.dies.is_some() && known.dies.is_none());
        self.known.push(known);
    }

    /// Forgets all cases but for what was tried: what the sink does not have is read anew.
    pub(super) fn forget_cases(&mut self) {
        for case in std::mem::take(&mut self.cases) {
            for part in case.parts {
                match part {
                    Part::Send(parcel) if parcel.attempts > 0 => {
                        self.remember(Known::of(&parcel, None));
                    }
                    Part::Die(parcel, why) => self.remember(Known::of(&parcel, Some(why))),
                    // Nothing was tried, or its letters are kept and will be read.
                    Part::Send(_) | Part::Settle(_) => {}
                }
            }
        }
        self.given_up.clear();
    }

    /// What was tried before with a batch that was just cut; a part of it may have to die.
    pub(super) fn recognize(&mut self, batch: Batch) -> Option<(Batch, (u32, tidegate::Moment))> {
        let now = self.shared.clock.now();
        if self.known.is_empty() {
            return Some((batch, (0, now)));
        }
        let low = self.cursor.low_water();
        self.known.retain(|known| known.range.end > low);
        let overlapping = self.known.iter().filter(|known| known.overlaps(&batch.range));
        let attempts = overlapping.clone().map(|known| known.attempts).max().unwrap_or(0);
        let first_at = overlapping.clone().map(|known| known.first_at).min().unwrap_or(now);
        let last =
            overlapping.clone().next_back().map_or(tidegate::Outcome::Ok, |known| known.last);
        let dying: Vec<_> = overlapping.filter(|known| known.dies.is_some()).cloned().collect();
        if dying.is_empty() {
            return Some((batch, (attempts, first_at)));
        }
        let mut parts = std::collections::VecDeque::new();
        let parcel = |batch, attempts, first_at, last| Parcel {
            batch,
            attempts,
            first_at,
            last,
            is_in_doubt: leaves_doubt(last),
            is_retry: false,
            is_hinted: false,
        };
        let mut rest = batch;
        for known in dying {
            let Some(why) = known.dies else { continue };
            let before = cut::items_below(&rest, known.range.start);
            let (head, tail) = cut::split(&rest, before);
            let inside = cut::items_below(&tail, known.range.end);
            let (dead, tail) = cut::split(&tail, inside);
            for (part, dies) in [(head, None), (dead, Some(why))] {
                if part.slices.is_empty() {
                    continue;
                }
                parts.push_back(match dies {
                    None => Part::Send(parcel(part, attempts, first_at, last)),
                    Some(why) => {
                        Part::Die(parcel(part, known.attempts, known.first_at, known.last), why)
                    }
                });
            }
            rest = tail;
        }
        if !rest.slices.is_empty() {
            parts.push_back(Part::Send(parcel(rest, attempts, first_at, last)));
        }
        self.open_case(now, parts);
        None
    }
}
