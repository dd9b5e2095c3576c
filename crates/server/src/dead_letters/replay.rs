//! How does a letter get delivered after all? Under its own name, through a lane of its own.
//!
//! A letter goes to its sink as the item it is, (journal, position), in the sink's lane
//! `<lane>~replay`. A sink with a record of ranges commits the position in that lane, so that
//! repeating a retry is harmless: after a crash between the delivery and the removal of the letter,
//! the record says that it is there, and the letter is removed. Positions are covered one by one:
//! a range that spans a letter that is still waiting would claim that it was delivered.
//!
//! A letter whose position the lane has not passed yet is not retried: its lane is still busy with
//! giving it up. Nor is one of another journal: its name would mean another item here.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;
use tidegate::breaker::Verdict;
use tidegate::{Moment, Outcome};
use tidegate_event::{JournalId, Position, Rows};
use tidegate_journal::LaneCursor;
use tidegate_sinks::{Batch, DeliveryFailure, Guarantee, Sink, Slice};
use tokio::sync::Mutex;

use super::letter::Kind;
use super::{DeadLetters, Filter, Record, StoreError, Why};
use crate::clock::{self, Clock};
use crate::lane::outage::Outage;

/// Letters that are looked at in one step.
const STEP: u32 = 256;

/// Where the letters of one sink go.
pub(crate) struct Target {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) outage: Arc<Outage>,
    pub(crate) timeout: Duration,
    /// The lanes that the sink has now.
    pub(crate) cursors: BTreeMap<String, LaneCursor>,
}

/// Delivers letters, one request at a time.
pub(crate) struct Replay {
    pub(crate) letters: DeadLetters,
    journal: JournalId,
    clock: Clock,
    targets: OnceLock<BTreeMap<String, Target>>,
    /// Two of them would send the same letter at once.
    turn: Mutex<()>,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay").field("journal", &self.journal).finish_non_exhaustive()
    }
}

/// What came of a retry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// Letters that were looked at.
    pub(crate) tried: u64,
    /// Delivered, and gone.
    pub(crate) delivered: u64,
    /// Refused again; they stay, with the new reason.
    pub(crate) refused: u64,
    /// Not sent, and why.
    pub(crate) skipped: BTreeMap<String, u64>,
    /// Why the rest was not tried, if it was not.
    pub(crate) stopped: Option<String>,
    /// The last letter that was looked at: a further retry goes on after it.
    pub(crate) last: Option<i64>,
}

/// What came of sending one letter.
enum Sent {
    Delivered,
    Refused,
    Stop(String),
}

impl Replay {
    pub(crate) fn new(letters: DeadLetters, journal: JournalId, clock: Clock) -> Self {
        Self { letters, journal, clock, targets: OnceLock::new(), turn: Mutex::new(()) }
    }

    /// The sinks, once they are known.
    pub(crate) fn set_targets(&self, targets: BTreeMap<String, Target>) {
        // Set once, when the server starts.
        let _ = self.targets.set(targets);
    }

    /// Sends up to `limit` letters that the filter lets through, the oldest first, from the one after
    /// `after` on. It stops at the first that the sink does not take now.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the letters cannot be read or written.
    pub(crate) async fn run(
        &self,
        filter: Filter,
        after: i64,
        limit: u32,
    ) -> Result<Report, StoreError> {
        let _turn = self.turn.lock().await;
        let mut report = Report::default();
        let (mut after, mut left) = (after, limit);
        let mut there = BTreeMap::new();
        while left > 0 && report.stopped.is_none() {
            let page = self.letters.page(filter.clone(), after, left.min(STEP)).await?;
            let Some(last) = page.last() else { break };
            left -= u32::try_from(page.len()).unwrap_or(left).min(left);
            after = last.id;
            self.send_all(page, &mut there, &mut report).await?;
        }
        Ok(report)
    }

    async fn send_all(
        &self,
        page: Vec<Record>,
        there: &mut BTreeMap<(String, String), Vec<Range<Position>>>,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let mut gone = Vec::new();
        for letter in page {
            let target = match self.target(&letter) {
                Ok(target) => target,
                Err(why) => {
                    *report.skipped.entry(why).or_default() += 1;
                    report.tried += 1;
                    report.last = Some(letter.id);
                    continue;
                }
            };
            let key = (letter.sink.clone(), letter.lane.clone());
            if !there.contains_key(&key) {
                match delivered(target, &letter).await {
                    Ok(found) => there.insert(key.clone(), found),
                    Err(why) => {
                        report.stopped = Some(why);
                        break;
                    }
                };
            }
            report.tried += 1;
            report.last = Some(letter.id);
            let id = letter.id;
            if there.get(&key).is_some_and(|found| has(found, letter.position)) {
                report.delivered += 1;
                gone.push(id);
                continue;
            }
            match self.send(target, letter).await? {
                Sent::Delivered => {
                    report.delivered += 1;
                    gone.push(id);
                }
                Sent::Refused => report.refused += 1,
                Sent::Stop(why) => {
                    report.stopped = Some(why);
                    break;
                }
            }
        }
        if gone.is_empty() { Ok(()) } else { self.letters.remove(gone).await }
    }

    /// Where the letter goes, or why it cannot.
    fn target(&self, letter: &Record) -> Result<&Target, String> {
        if letter.journal != self.journal.to_string() {
            return Err(format!(
                "they are of journal {}, which is not the open one: export their events and send \
                 them again",
                letter.journal
            ));
        }
        let target = self.targets.get().and_then(|targets| targets.get(&letter.sink));
        let target = target.ok_or_else(|| format!("there is no sink `{}`", letter.sink))?;
        let range = letter.position..letter.position + 1;
        match target.cursors.get(&letter.lane) {
            Some(cursor) if !cursor.undelivered_in(range).is_empty() => {
                Err("their lane is still giving them up: try again shortly".to_owned())
            }
            _ => Ok(target),
        }
    }

    async fn send(&self, target: &Target, letter: Record) -> Result<Sent, StoreError> {
        let Target { sink, outage, timeout, .. } = target;
        let now = self.clock.now();
        let leave = match outage.admit(now) {
            Ok(leave) => leave,
            Err(at) => return Ok(Sent::Stop(away(&letter.sink, now, at))),
        };
        let first = letter.position;
        let batch = Batch {
            lane: replay_lane(&letter.lane),
            range: first..first + 1,
            slices: vec![Slice { first, rows: Rows::new(letter.row.into(), 1) }],
        };
        let answer = tokio::time::timeout(*timeout, sink.deliver(batch)).await;
        let now = self.clock.now();
        let Ok(delivery) = answer else {
            leave.answered(now, Verdict::Failed);
            return Ok(Sent::Stop(format!("sink `{}`: no answer within {timeout:?}", letter.sink)));
        };
        let outcome = delivery.outcome;
        leave.answered(now, outcome.into());
        let failure = match (outcome, delivery.failure) {
            (Outcome::Ok, _) => return Ok(Sent::Delivered),
            (_, Some(failure)) => failure,
            (outcome, None) => DeliveryFailure::Retry(outcome.describe().into()),
        };
        let never = match (&failure, outcome) {
            (DeliveryFailure::Refused { .. }, _) | (_, Outcome::Rejected) => Some(Kind::Refused),
            (DeliveryFailure::TooLarge(_), _) | (_, Outcome::TooLarge) => Some(Kind::TooLarge),
            (DeliveryFailure::Items(items), _) => {
                items.iter().any(|item| !item.retryable).then_some(Kind::Refused)
            }
            _ => None,
        };
        let Some(kind) = never else {
            return Ok(Sent::Stop(format!("sink `{}`: {failure}", letter.sink)));
        };
        let why = Why { kind, outcome, reason: failure.to_string(), at: clock::unix_nanos() };
        self.letters.put_back(vec![letter.id], why).await?;
        Ok(Sent::Refused)
    }
}

/// The lane through which letters of `lane` go. No lane of a configuration can have this name.
fn replay_lane(lane: &str) -> Arc<str> {
    format!("{lane}~replay").into()
}

fn away(sink: &str, now: Moment, at: Option<Moment>) -> String {
    match at {
        Some(at) => {
            format!("sink `{sink}` is away: its breaker is open for another {:.1?}", at.since(now))
        }
        None => format!("sink `{sink}` was away: its breaker waits for its probes"),
    }
}

/// Which positions the sink's record of the replay lane has.
async fn delivered(target: &Target, letter: &Record) -> Result<Vec<Range<Position>>, String> {
    if target.sink.limits().guarantee == Guarantee::AtLeastOnce {
        return Ok(Vec::new());
    }
    let lane = replay_lane(&letter.lane);
    let asked = tokio::time::timeout(target.timeout, target.sink.delivered(&lane, 0)).await;
    let failed = |why: String| format!("sink `{}`: {why}", letter.sink);
    match asked {
        Ok(Ok(ranges)) => Ok(ranges),
        Ok(Err(failure)) => Err(failed(failure.to_string())),
        Err(_) => Err(failed(format!("no answer within {:?}", target.timeout))),
    }
}

/// Whether one of the sorted ranges has this position.
fn has(ranges: &[Range<Position>], position: Position) -> bool {
    let after = ranges.partition_point(|range| range.start <= position);
    after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|range| position < range.end)
}
