//! Who touches the file? One thread, one job after the other, a few of them waiting.
//!
//! The same shape as that of the SQLite sink: a permit for each job that waits, so that the queue is
//! bounded and nobody blocks the runtime.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use tokio::sync::{Semaphore, oneshot};

use super::StoreError;
use super::store::Store;

/// Jobs that may wait.
const QUEUE: usize = 8;

enum Job {
    Do(Box<dyn FnOnce(&mut Store) + Send>),
    Close(oneshot::Sender<()>),
}

/// The way to the thread.
pub(super) struct Thread {
    permits: Arc<Semaphore>,
    jobs: SyncSender<Job>,
}

impl std::fmt::Debug for Thread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Thread").finish_non_exhaustive()
    }
}

impl Thread {
    pub(super) fn spawn(mut store: Store) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        std::thread::Builder::new().name("tidegate-control".to_owned()).spawn(move || {
            while let Ok(job) = queue.recv() {
                match job {
                    Job::Do(work) => work(&mut store),
                    Job::Close(closed) => {
                        drop(store);
                        // Nobody may wait for it any more; the file is closed all the same.
                        let _ = closed.send(());
                        return;
                    }
                }
            }
        })?;
        Ok(Self { permits: Arc::new(Semaphore::new(QUEUE)), jobs })
    }

    /// Has `work` done and waits for what it returns. Whoever stops waiting does not stop it.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| StoreError::Closed)?;
        let (sender, answer) = oneshot::channel();
        let job = Job::Do(Box::new(move |store| {
            drop(permit);
            // An answer that nobody waits for is dropped: what was done stays done.
            let _ = sender.send(work(store));
        }));
        // There is room, since there is a permit: this fails only if the thread has ended.
        self.jobs.try_send(job).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Ends the thread after what waits.
    pub(super) async fn close(&self) {
        let Ok(_permit) = self.permits.acquire().await else { return };
        let (sender, closed) = oneshot::channel();
        if self.jobs.try_send(Job::Close(sender)).is_ok() {
            // A thread that is gone has closed already.
            let _ = closed.await;
        }
    }
}
