//! How does something that blocks (a file, a pipe) get its jobs one after the other? From a thread
//! of its own, so that neither the async runtime nor its end waits for a disk or a reader.
//!
//! The queue is bounded, and so are its bytes: each job brings at most one batch. Jobs run in
//! order, so that a close drains. Whoever stops waiting for a job does not stop it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use tokio::sync::{Semaphore, oneshot};

/// Jobs that may wait.
const QUEUE: usize = 4;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// The way to a thread that owns an `S`.
pub(crate) struct Serial<S> {
    permits: Arc<Semaphore>,
    jobs: SyncSender<Job<S>>,
}

/// The thread has ended, since a job panicked.
#[derive(Debug)]
pub(crate) struct Gone;

impl<S: Send + 'static> Serial<S> {
    /// Starts the thread, which ends when this is dropped and the queue is done.
    pub(crate) fn spawn(name: &str, state: S) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        thread::Builder::new().name(name.to_owned()).spawn(move || run(state, &queue))?;
        Ok(Self { permits: Arc::new(Semaphore::new(QUEUE)), jobs })
    }

    /// Has the job done and waits for what it returns.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Gone)?;
        let (sender, answer) = oneshot::channel();
        let job: Job<S> = Box::new(move |state| {
            // The job has left the queue: there is room for another.
            drop(permit);
            // Nobody may wait for it any more.
            let _ = sender.send(job(state));
        });
        // There is room, since there is a permit: this fails only if the thread has ended.
        self.jobs.try_send(job).map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }
}

fn run<S>(mut state: S, jobs: &Receiver<Job<S>>) {
    while let Ok(job) = jobs.recv() {
        job(&mut state);
    }
}
