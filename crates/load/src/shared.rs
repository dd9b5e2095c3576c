//! What do all connections of a run share?
//!
//! The feed they claim from, the bounds they keep, the ledgers they write to, and the reason to
//! stop, once there is one. What is counted lies apart, in tallies
//! that few connections share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::args::Protocol;
use crate::clock;
use crate::error::LoadError;
use crate::feed::Claims;
use crate::file::FromFile;
use crate::ledger::Ledger;
use crate::summary::Ended;
use crate::target::Head;

/// Where requests come from.
pub(crate) enum Feed {
    /// Made-up events: claims are filled into a connection's own prebuilt requests.
    Generated(Mutex<Claims>),
    /// Requests that arrive complete.
    File(AsyncMutex<mpsc::Receiver<Result<FromFile, LoadError>>>),
}

/// What all connections of a run share.
pub(crate) struct Run {
    pub(crate) head: Head,
    pub(crate) protocol: Protocol,
    pub(crate) start: Instant,
    pub(crate) until: Option<Duration>,
    pub(crate) batch: usize,
    pub(crate) timeout: Duration,
    pub(crate) retry_for: Duration,
    /// Whether a request is repeated unchanged, under its key.
    pub(crate) keyed: bool,
    pub(crate) feed: Feed,
    pub(crate) acknowledged: Option<Ledger>,
    pub(crate) unanswered: Option<Ledger>,
    /// Why the run ends before its end, once it does.
    pub(crate) stop: watch::Sender<Option<Ended>>,
}

impl Run {
    pub(crate) fn elapsed(&self) -> Duration {
        clock::now().saturating_duration_since(self.start)
    }

    /// Ends the run early; the first reason stays.
    pub(crate) fn end(&self, why: Ended) {
        self.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            if first {
                *stop = Some(why);
            }
            first
        });
    }

    pub(crate) fn ending(&self) -> bool {
        self.stop.borrow().is_some()
    }

    /// Waits, and says whether the run still goes on afterwards.
    pub(crate) async fn wait(&self, until: Instant) -> bool {
        let mut stop = self.stop.subscribe();
        tokio::select! {
            _ = stop.wait_for(Option::is_some) => false,
            () = sleep_until(until) => true,
        }
    }
}

/// Locks; a panic elsewhere leaves counts that are still worth showing.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
