//! How does the engine run in real time? A thin shell, with counts as items.
//!
//! The engine and the controller are the library's own; this is one more shell around them, beside
//! the batcher, the server's lane and the simulator. It measures as the batcher does: an attempt
//! begins when the engine is told that it leaves, and ends when this task has its answer, so that
//! encoding, the client's own queueing for a connection and the wake-up are inside.
//!
//! What an engine leaves to its shell is done as the simulator does it: an attempt that failed goes
//! back to the head of the queue and leaves again; a Retry-After pauses the engine for as long as
//! it asks; three refused connections in a row pause it, and one attempt every 50 ms tries again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use tidegate::engine::{Cut, Step, Ticket};
use tidegate::{Bounds, Engine, Moment, Outcome};
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::clock::Clock;
use crate::contender::Contender;
use crate::product::Product;
use crate::record::{Attempt, Run, Target, histogram, judge};
use crate::rows::ITEM_BYTES;
use crate::source::{Chunk, Source, Waiting};

/// Refused connections in a row that make an outage.
const REFUSALS_OF_AN_OUTAGE: u32 = 3;
/// Time between tries during an outage.
const PROBE_EVERY: Duration = Duration::from_millis(50);
/// Decisions that are kept: more than a run makes.
const DECISIONS_KEPT: usize = 1 << 20;

/// What a run is about.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Within which plans.
    pub bounds: Bounds,
    /// What arrives.
    pub source: Source,
    /// What is timely.
    pub target: Target,
    /// How long.
    pub length: Duration,
    /// When the client gives an attempt up.
    pub patience: Duration,
    /// Decides when exactly items arrive.
    pub seed: u64,
    /// Through the whole server, if not through the engine alone.
    pub through: Option<Product>,
}

/// An attempt that came back.
type Back = (Ticket, Vec<Chunk>, Outcome);

struct Drive<'a> {
    setup: &'a Setup,
    clock: Clock,
    engine: Engine,
    backend: Arc<dyn Backend>,
    waiting: Waiting,
    flying: JoinSet<Back>,
    attempts: Vec<Attempt>,
    delivery: Histogram<u64>,
    resume_at: Option<Moment>,
    refusals: u32,
}

/// Runs `contender` against `backend` from now, which is zero on `clock`, until the end, and
/// awaits what is still in flight then.
///
/// # Errors
///
/// When the first plan is out of bounds, or an attempt panicked.
pub(crate) async fn drive(
    contender: &Contender,
    setup: &Setup,
    backend: Arc<dyn Backend>,
    clock: Clock,
) -> anyhow::Result<Run> {
    let controller = contender.build(&setup.bounds)?;
    let engine = Engine::new(clock.now(), controller, setup.bounds, DECISIONS_KEPT);
    let first = *engine.plan();
    let mut drive = Drive {
        setup,
        clock,
        engine,
        backend,
        waiting: Waiting::new(&setup.source, setup.seed),
        flying: JoinSet::new(),
        attempts: Vec::with_capacity(1 << 16),
        delivery: histogram(),
        resume_at: None,
        refusals: 0,
    };
    drive.play().await?;
    Ok(Run {
        attempts: drive.attempts,
        decisions: drive.engine.history().iter().cloned().collect(),
        delivery: drive.delivery,
        queued: drive.waiting.items(),
        first,
        last: *drive.engine.plan(),
    })
}

impl Drive<'_> {
    async fn play(&mut self) -> anyhow::Result<()> {
        let end = Moment::ZERO + self.setup.length;
        loop {
            let now = self.clock.now();
            if now >= end {
                break;
            }
            self.waiting.arrive(now);
            if self.resume_at.is_some_and(|at| at <= now) {
                self.resume_at = None;
                self.engine.resume(now);
            }
            match self.engine.poll(now, &self.waiting.seen(now)) {
                Step::Send(cut) => self.send(now, cut),
                Step::Wait(wait) => {
                    let timers = [wait.until, self.waiting.next(), self.resume_at];
                    let until = timers.into_iter().flatten().fold(end, Ord::min);
                    let timer = tokio::time::sleep_until(self.clock.instant(until));
                    // Answers come first: they free capacity for the edges that follow.
                    tokio::select! {
                        biased;
                        Some(back) = self.flying.join_next() => self.answered(back.context("an attempt broke")?),
                        () = timer => {}
                    }
                }
            }
        }
        while let Some(back) = self.flying.join_next().await {
            self.answered(back.context("an attempt broke")?);
        }
        Ok(())
    }

    fn send(&mut self, now: Moment, cut: Cut) {
        let batch = self.waiting.cut(now, cut);
        let items: u64 = batch.iter().map(|(_, items)| items).sum();
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        let ticket = self.engine.sent(now, cut, items, u64::from(items) * ITEM_BYTES);
        let attempt = Arc::clone(&self.backend).attempt(items);
        let patience = self.setup.patience;
        self.flying.spawn(async move {
            let answer = tokio::time::timeout(patience, attempt).await;
            (ticket, batch, answer.unwrap_or(Outcome::TimedOut))
        });
    }

    fn answered(&mut self, (ticket, batch, outcome): Back) {
        let now = self.clock.now();
        let sample = self.engine.answered(now, ticket, outcome, None, self.waiting.items());
        self.attempts.push(judge(&sample, &batch, self.setup.target, &mut self.delivery));
        if outcome.delivered(sample.sent.items) == 0 && !self.setup.source.is_saturated() {
            self.waiting.put_back(&batch);
        }
        match outcome {
            Outcome::Throttled { retry_after: Some(wait) } => self.pause(now, now + wait),
            Outcome::Unreachable => {
                self.refusals += 1;
                if self.refusals >= REFUSALS_OF_AN_OUTAGE {
                    self.pause(now, now + PROBE_EVERY);
                }
            }
            _ => self.refusals = 0,
        }
    }

    fn pause(&mut self, now: Moment, until: Moment) {
        self.engine.pause(now);
        self.resume_at = Some(self.resume_at.map_or(until, |at| at.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Later;
    use crate::record::Latency;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Answers after 10 ms; at most `room` at once, and refuses the rest.
    struct Timed {
        room: u32,
        now: AtomicU32,
        most: AtomicU32,
    }

    impl Backend for Timed {
        fn attempt(self: Arc<Self>, _items: u32) -> Later<'static, Outcome> {
            Box::pin(async move {
                let busy = self.now.fetch_add(1, Ordering::Relaxed) + 1;
                self.most.fetch_max(busy, Ordering::Relaxed);
                let outcome = if busy > self.room {
                    Outcome::Throttled { retry_after: Some(Duration::from_millis(100)) }
                } else {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    Outcome::Ok
                };
                self.now.fetch_sub(1, Ordering::Relaxed);
                outcome
            })
        }
    }

    async fn run(spec: &str, source: &str, room: u32) -> (Run, u32) {
        let latency = Duration::from_millis(50);
        let of = if source == "saturated" { Latency::Attempt } else { Latency::Delivery };
        let setup = Setup {
            bounds: Bounds::default(),
            source: source.parse().unwrap(),
            target: Target { latency, of },
            length: Duration::from_secs(2),
            patience: Duration::from_secs(3),
            seed: 1,
            through: None,
        };
        let backend = Arc::new(Timed { room, now: AtomicU32::new(0), most: AtomicU32::new(0) });
        let contender = Contender::parse(spec, latency).unwrap();
        let clone: Arc<dyn Backend> = backend.clone();
        let run = drive(&contender, &setup, clone, Clock::start()).await.unwrap();
        (run, backend.most.load(Ordering::Relaxed))
    }

    #[tokio::test(start_paused = true)]
    async fn a_static_plan_is_kept_full() {
        let (run, most) = run("fixed:100x4", "saturated", 4).await;
        assert_eq!(most, 4);
        // Four at a time, each 10 ms (a timer may take one more), for 2 s.
        assert!((720..=804).contains(&run.attempts.len()), "{}", run.attempts.len());
        assert!(run.attempts.iter().all(|attempt| attempt.timely == 100 && attempt.sent.full));
        assert!(run.decisions.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_arrives_is_delivered_and_its_latency_counted() {
        let (run, _) = run("fixed:100x4", "constant:5000", 4).await;
        let delivered: u64 = run.attempts.iter().map(|attempt| attempt.timely).sum();
        assert!((9_400..10_600).contains(&(delivered + run.queued)), "{delivered}");
        assert_eq!(run.delivery.len(), delivered);
        assert!(run.delivery.value_at_quantile(0.99) < 50_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_after_is_honoured_and_nothing_is_lost() {
        let (run, _) = run("fixed:10x4", "constant:1000", 2).await;
        let refused: Vec<_> = run.attempts.iter().filter(|attempt| !attempt.is_ok()).collect();
        for refusal in &refused {
            let until = refusal.answered() + Duration::from_millis(100);
            let early = |attempt: &&Attempt| {
                attempt.sent.at > refusal.answered() && attempt.sent.at < until
            };
            assert_eq!(run.attempts.iter().filter(early).count(), 0);
        }
        let delivered: u64 = run.attempts.iter().map(|one| one.timely + one.missed).sum();
        assert!((1_850..2_150).contains(&(delivered + run.queued)), "{delivered}");
    }
}
