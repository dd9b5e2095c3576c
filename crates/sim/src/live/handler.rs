//! How does a simulated backend wait for real time? One task that sleeps until something happens, and a
//! handler that waits for its answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tidegate::batcher::{Answer, Batch, Handler};
use tidegate::{Feedback, Moment, Outcome};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::{Course, Stats};
use crate::scenario::BackendSpec;

/// A backend of the simulator in real time. Clones are one backend; it ends with the last of them.
#[derive(Debug, Clone)]
pub struct Simulated {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    patience: Duration,
    state: Mutex<State>,
    /// Something happens sooner than was thought.
    sooner: Notify,
}

#[derive(Debug)]
struct State {
    course: Course,
    waiting: HashMap<usize, oneshot::Sender<Outcome>>,
}

/// How long the task sleeps when nothing is to happen.
const LONG: Duration = Duration::from_secs(60);

impl Simulated {
    /// Starts the backend, whose time begins now; `seed` decides what is left to chance. Must be
    /// called within a tokio runtime that has time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the shell that reads the clock for a backend")]
    pub fn start(spec: &BackendSpec, seed: u64) -> Self {
        let course = Course::new(spec, seed);
        let shared = Arc::new(Shared {
            began: Instant::now(),
            patience: Duration::from_secs_f64(spec.timeout_s),
            state: Mutex::new(State { course, waiting: HashMap::new() }),
            sooner: Notify::new(),
        });
        tokio::spawn(drive(Arc::downgrade(&shared)));
        Self { shared }
    }

    /// What it has done so far, and how it is now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let now = self.shared.now();
        let mut state = self.shared.advance(now);
        state.course.stats(now)
    }

    /// What it said of its load last.
    #[must_use]
    pub fn feedback(&self) -> Feedback {
        self.shared.state().course.feedback().clone()
    }

    /// Sends a batch of that many items; the client gives up after the backend's `timeout_s`, and the
    /// work goes on.
    pub async fn send(&self, items: u32) -> Outcome {
        let (told, answer) = oneshot::channel();
        {
            let now = self.shared.now();
            let mut state = self.shared.advance(now);
            let job = state.course.admit(now, items);
            state.waiting.insert(job, told);
        }
        self.shared.sooner.notify_one();
        match tokio::time::timeout(self.shared.patience, answer).await {
            Ok(Ok(outcome)) => outcome,
            // Nobody answers any more: the runtime that drove it is gone.
            Ok(Err(_)) => Outcome::Unreachable,
            Err(_) => Outcome::TimedOut,
        }
    }
}

impl<T: Send + 'static> Handler<T> for Simulated {
    type Output = ();

    async fn handle(&self, batch: Batch<T>) -> Answer<()> {
        let items = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        let outcome = self.send(items).await;
        let feedback = self.feedback();
        match outcome {
            Outcome::Ok => Answer::ok().with_feedback(feedback),
            refused => Answer::failed(refused, "the simulated backend").with_feedback(feedback),
        }
    }
}

impl Shared {
    #[expect(clippy::disallowed_methods, reason = "the shell that reads the clock for a backend")]
    fn now(&self) -> Moment {
        Moment::ZERO + Instant::now().saturating_duration_since(self.began)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that is due happens, and whoever waits for it hears of it.
    fn advance(&self, now: Moment) -> MutexGuard<'_, State> {
        let mut state = self.state();
        for (job, outcome) in state.course.advance(now) {
            if let Some(told) = state.waiting.remove(&job) {
                // Whoever has given up does not listen.
                let _ = told.send(outcome);
            }
        }
        state
    }
}

/// Lets happen what is due, as long as anybody holds the backend.
async fn drive(shared: Weak<Shared>) {
    while let Some(held) = shared.upgrade() {
        let now = held.now();
        let next = held.advance(now).course.next();
        let until = next.map_or(LONG, |at| at.since(now));
        let woken = held.sooner.notified();
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep(until.min(Duration::from_millis(100))) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::canonical;
    use tidegate::Batcher;

    #[tokio::test(start_paused = true)]
    async fn a_batcher_delivers_to_it_and_both_count_alike() {
        let spec = canonical::by_name("pgA").unwrap().unwrap().backend;
        let backend = Simulated::start(&spec, 1);
        let batcher = Batcher::builder().concurrency(4.0).build(backend.clone()).unwrap();
        for row in 0..20_000_u32 {
            batcher.add(row).await.unwrap();
        }
        let stats = batcher.close().await;
        let found = backend.stats();
        assert_eq!((stats.added, stats.delivered, found.items), (20_000, 20_000, 20_000));
        assert!(found.busy_s > 0.2 && found.in_service < 0.5, "{found:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_client_gives_up_goes_on() {
        let mut spec = canonical::by_name("fsync").unwrap().unwrap().backend;
        spec.timeout_s = 0.01;
        let backend = Simulated::start(&spec, 1);
        // 5 ms + 10,000 · 2 µs.
        assert_eq!(backend.send(10_000).await, Outcome::TimedOut);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(backend.stats().items, 10_000);
    }
}
