//! Who touches the connection? One thread, which does one job after the other.
//!
//! SQLite blocks, on disks and on locks, and lets one writer in at a time: a thread of its own
//! keeps that away from the async runtime, and more of them would only wait for each other.
//!
//! The queue is bounded by permits: who wants something done waits for a permit, without blocking,
//! and a job with a permit always finds room. Batches are bounded too, since each job brings its
//! own and there are at most [`QUEUE`] of them. Jobs run in order, so that a close drains.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use tidegate::Outcome;
use tidegate_event::Position;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::retention::Pace;
use super::settings::Retention;
use super::store::Store;
use crate::contract::{Batch, Delivery, DeliveryFailure, OpenError, Origin};

/// Jobs that may wait.
const QUEUE: usize = 4;

/// Something to do, and where the answer goes.
pub(super) enum Command {
    Open(Origin, oneshot::Sender<Result<(), OpenError>>),
    Delivered(Arc<str>, Position, oneshot::Sender<Result<Vec<Range<Position>>, DeliveryFailure>>),
    Deliver(Batch, oneshot::Sender<Delivery>),
    Close(oneshot::Sender<()>),
}

struct Job {
    command: Command,
    /// Given back when the job leaves the queue.
    permit: OwnedSemaphorePermit,
}

/// The way to the writer thread.
pub(super) struct Writer {
    permits: Arc<Semaphore>,
    jobs: SyncSender<Job>,
}

/// The writer thread has ended: the sink is closed.
pub(super) struct Gone;

impl Writer {
    /// Starts the thread.
    pub(super) fn spawn(store: Store, retention: Option<Retention>) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        thread::Builder::new()
            .name("tidegate-sqlite".to_owned())
            .spawn(move || run(store, retention, &queue))?;
        Ok(Self { permits: Arc::new(Semaphore::new(QUEUE)), jobs })
    }

    /// Has the command done and waits for its answer. Whoever stops waiting does not stop the
    /// command.
    pub(super) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Gone> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Gone)?;
        let (sender, answer) = oneshot::channel();
        // There is room, since there is a permit: this fails only if the thread has ended.
        self.jobs.try_send(Job { command: command(sender), permit }).map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }
}

fn run(mut store: Store, retention: Option<Retention>, jobs: &Receiver<Job>) {
    let mut pace = Pace::default();
    loop {
        let job = match retention {
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(_) => jobs.recv_timeout(pace.wait()),
        };
        let was_idle = matches!(job, Err(RecvTimeoutError::Timeout));
        match job {
            Ok(Job { command, permit }) => {
                drop(permit);
                if let Some(closed) = perform(&mut store, &mut pace, command) {
                    // Nobody may wait for it any more; the thread ends all the same.
                    let _ = closed.send(());
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return store.close(),
        }
        if let Some(retention) = retention
            && (was_idle || pace.is_due())
        {
            let limit = pace.limit();
            let deleted = store.sweep(retention, wall_clock(), limit);
            pace.swept(limit, deleted);
        }
    }
}

/// Does it. An answer that nobody waits for is dropped: the record keeps what was committed.
/// After a close it gives back whom to tell.
fn perform(store: &mut Store, pace: &mut Pace, command: Command) -> Option<oneshot::Sender<()>> {
    match command {
        Command::Open(origin, answer) => drop(answer.send(store.open(origin))),
        Command::Delivered(lane, above, answer) => {
            drop(answer.send(store.delivered(&lane, above)));
        }
        Command::Deliver(batch, answer) => {
            let delivery = store.deliver(&batch);
            if delivery.outcome == Outcome::Ok {
                pace.inserted(batch.items());
            }
            drop(answer.send(delivery));
        }
        Command::Close(answer) => {
            store.close();
            return Some(answer);
        }
    }
    None
}

/// Nanoseconds since 1970 UTC.
fn wall_clock() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the edge: what decides gets it as an argument")]
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
