//! How does a letter get delivered after all? Under its own name, through a lane of its own.
//!
//! A letter goes to its sink as the item it is, (journal, position), in the sink's lane
//! `<lane>~replay`. A sink with a record of ranges commits the position in that lane, so that
//! repeating a retry is harmless: after a crash between the delivery and the removal of the letter,
//! the record says that it is there, and the letter is removed. Letters at positions that follow each
//! other go in one batch, and nothing but letters of that batch is in its range: one that spans a
//! letter that is still waiting would claim that it was delivered.
//!
//! A letter is marked, durably, before it is sent, and until it is known what became of it nobody can
//! replace its event: the one that was delivered would be another than the one that was mended.
//!
//! A letter whose position the lane has not passed yet is not retried: its lane is still busy with
//! giving it up. Nor is one of another journal: its name would mean another item here.

use std::collections::{BTreeMap, VecDeque};
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
use crate::lane::outage::{Leave, Outage};

/// Letters that are looked at in one step.
const STEP: u32 = 256;
/// Most bytes of rows in one batch, unless one letter alone has more.
const RUN_BYTES: usize = 1 << 20;

/// Why a letter is not sent that its lane has not passed yet.
const EARLY: &str = "their lane is still giving them up: try again shortly";

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
    /// Of those not sent, how many their lane is still giving up.
    #[serde(skip)]
    pub(crate) early: u64,
    /// Why the rest was not tried, if it was not.
    pub(crate) stopped: Option<String>,
    /// The last letter that was looked at: a further retry goes on after it.
    pub(crate) last: Option<i64>,
}

/// What came of sending letters.
enum Sent {
    Delivered,
    /// The sink does not take these as they are.
    Never(Why, Vec<Record>),
    /// The sink takes nothing now; whether it is certain that these are not there.
    Stop {
        why: String,
        is_certain: bool,
    },
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

    /// The sinks, each with what its lanes share.
    pub(super) fn outages(&self) -> Vec<Arc<Outage>> {
        let targets = self.targets.get().into_iter().flat_map(BTreeMap::values);
        targets.map(|target| Arc::clone(&target.outage)).collect()
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
            let is_automatic = filter.automatic_below.is_some();
            self.send_all(page, &mut there, is_automatic, &mut report).await?;
        }
        Ok(report)
    }

    /// Sends a page of letters, run by run.
    async fn send_all(
        &self,
        page: Vec<Record>,
        there: &mut BTreeMap<(String, String), Vec<Range<Position>>>,
        is_automatic: bool,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let (mut gone, mut waiting) = (Vec::new(), Vec::new());
        let page_end = page.last().map(|letter| letter.id);
        for letter in page {
            let target = match self.target(&letter) {
                Ok(target) => target,
                Err(why) => {
                    report.early += u64::from(why == EARLY);
                    *report.skipped.entry(why).or_default() += 1;
                    report.tried += 1;
                    continue;
                }
            };
            let key = (letter.sink.clone(), letter.lane.clone());
            if !there.contains_key(&key) {
                match delivered(target, &letter).await {
                    Ok(found) => there.insert(key.clone(), found),
                    Err(why) => {
                        report.stopped = Some(why);
                        waiting.clear();
                        break;
                    }
                };
            }
            if there.get(&key).is_some_and(|found| has(found, letter.position)) {
                report.tried += 1;
                report.delivered += 1;
                gone.push(letter.id);
                continue;
            }
            waiting.push(letter);
        }
        if !gone.is_empty() {
            self.letters.remove(gone).await?;
        }
        let joins = |letter: &Record| {
            self.target(letter)
                .is_ok_and(|target| target.sink.limits().guarantee == Guarantee::ExactlyOnce)
        };
        for run in runs(waiting, joins) {
            let Some(first) = run.first() else { continue };
            let Ok(target) = self.target(first) else { continue };
            self.send_run(target, run, is_automatic, report).await?;
            if report.stopped.is_some() {
                return Ok(());
            }
        }
        if report.stopped.is_none() {
            report.last = page_end;
        }
        Ok(())
    }

    /// Sends letters that go together, and cuts them where the sink refuses some.
    async fn send_run(
        &self,
        target: &Target,
        run: Vec<Record>,
        is_automatic: bool,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let mut rest = VecDeque::from([run]);
        let mut is_first = is_automatic;
        while let Some(mut run) = rest.pop_front() {
            let ids: Vec<i64> = run.iter().map(|letter| letter.id).collect();
            let asked = run.len();
            let leave = match target.outage.admit(self.clock.now()) {
                Ok(leave) => leave,
                Err(at) => {
                    let name = run.first().map_or("", |letter| &letter.sink);
                    report.stopped = Some(away(name, self.clock.now(), at));
                    return Ok(());
                }
            };
            // What was read may have been replaced since: what is sent is what stands there now.
            run = self.letters.sending(ids.clone(), is_first).await?;
            if run.len() < asked {
                // Somebody has purged some: what is left goes in runs of its own.
                rest.extend(runs(run, |_| true));
                is_first = false;
                continue;
            }
            is_first = false;
            let count = run.len() as u64;
            match self.send(target, leave, run).await {
                Sent::Delivered => {
                    self.letters.remove(ids).await?;
                    report.delivered += count;
                    report.tried += count;
                }
                Sent::Never(why, run) if run.len() <= 1 => {
                    self.letters.put_back(ids, why).await?;
                    report.refused += count;
                    report.tried += count;
                }
                Sent::Never(_, mut run) => {
                    let tail = run.split_off(run.len() / 2);
                    rest.push_front(tail);
                    rest.push_front(run);
                }
                Sent::Stop { why, is_certain } => {
                    // None of what was not sent has been marked but by a larger run before.
                    let unsent = rest.into_iter().flatten().map(|letter| letter.id);
                    let mut clear: Vec<i64> = unsent.collect();
                    if is_automatic {
                        // A sink that was away has not been asked.
                        let spared = clear.iter().chain(&ids).copied().collect();
                        self.letters.spare(spared).await?;
                    }
                    if is_certain {
                        clear.extend(ids);
                    }
                    self.letters.not_there(clear).await?;
                    report.tried += 1;
                    report.stopped = Some(why);
                    return Ok(());
                }
            }
        }
        Ok(())
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
            Some(cursor) if !cursor.undelivered_in(range).is_empty() => Err(EARLY.to_owned()),
            _ => Ok(target),
        }
    }

    async fn send(&self, target: &Target, leave: Leave, run: Vec<Record>) -> Sent {
        let Target { sink, timeout, .. } = target;
        let Some(letter) = run.first() else { return Sent::Delivered };
        let name = letter.sink.clone();
        let slice = |letter: &Record| Slice {
            first: letter.position,
            rows: Rows::new(letter.row.clone().into(), 1),
        };
        let batch = Batch {
            lane: replay_lane(&letter.lane),
            range: letter.position..letter.position + run.len() as u64,
            slices: run.iter().map(slice).collect(),
        };
        let answer = tokio::time::timeout(*timeout, sink.deliver(batch)).await;
        let now = self.clock.now();
        let Ok(delivery) = answer else {
            leave.answered(now, Verdict::Failed);
            let why = format!("sink `{name}`: no answer within {timeout:?}");
            return Sent::Stop { why, is_certain: false };
        };
        let outcome = delivery.outcome;
        leave.answered(now, outcome.into());
        let failure = match (outcome, delivery.failure) {
            (Outcome::Ok, _) => return Sent::Delivered,
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
            let is_certain = matches!(outcome, Outcome::Throttled { .. } | Outcome::Overloaded);
            return Sent::Stop { why: format!("sink `{name}`: {failure}"), is_certain };
        };
        let why = Why { kind, outcome, reason: failure.to_string(), at: clock::unix_nanos() };
        Sent::Never(why, run)
    }
}

/// Letters that may go in one batch, as far as `joins` allows it: of one lane, at positions that
/// follow each other, so that the batch's range spans nothing else.
fn runs(letters: Vec<Record>, joins: impl Fn(&Record) -> bool) -> Vec<Vec<Record>> {
    let mut letters = letters;
    // A page is the oldest letters; within it those of a run need not follow each other.
    letters
        .sort_by_cached_key(|letter| (letter.sink.clone(), letter.lane.clone(), letter.position));
    let mut runs: Vec<Vec<Record>> = Vec::new();
    let mut bytes = 0;
    for letter in letters {
        bytes += letter.row.len();
        let follows = |last: &Record| {
            (&last.sink, &last.lane) == (&letter.sink, &letter.lane)
                && last.position + 1 == letter.position
                && bytes <= RUN_BYTES
                && joins(&letter)
        };
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(follows) => run.push(letter),
            _ => {
                bytes = letter.row.len();
                runs.push(vec![letter]);
            }
        }
    }
    runs.sort_by_key(|run| run.iter().map(|letter| letter.id).min());
    runs
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn letter(id: i64, lane: &str, position: Position) -> Record {
        let [journal, sink, class, kind, outcome, reason, event] = [const { String::new() }; 7];
        let lane = lane.to_owned();
        let (attempts, first_at, last_at, mended, row) = (1, 0, 0, 0, vec![0; 300_000]);
        Record {
            id,
            journal,
            position,
            sink,
            lane,
            class,
            kind,
            outcome,
            reason,
            attempts,
            first_at,
            last_at,
            mended,
            event,
            row,
        }
    }

    proptest! {
        /// Invariant: every letter is in one run, and the range of a run holds its letters and
        /// nothing else.
        #[test]
        fn a_run_spans_its_own_letters_alone(
            names in proptest::collection::btree_set((0..2usize, 0..30u64), 0..40), seed: u64,
        ) {
            let mut letters: Vec<_> = names
                .iter()
                .zip(1i64..)
                .map(|((lane, position), id)| letter(id, ["a", "b"][*lane], *position))
                .collect();
            let count = letters.len();
            letters.rotate_left(usize::try_from(seed % 41).unwrap().min(count));
            let runs = runs(letters, |_| true);
            let mut seen = std::collections::BTreeSet::new();
            for run in &runs {
                prop_assert!(run.iter().map(|letter| letter.row.len()).sum::<usize>() <= RUN_BYTES);
                for (letter, position) in run.iter().zip(run[0].position..) {
                    prop_assert_eq!(letter.position, position);
                    prop_assert_eq!(&letter.lane, &run[0].lane);
                    seen.insert((usize::from(letter.lane == "b"), letter.position));
                }
            }
            prop_assert_eq!(seen, names);
        }
    }
}
