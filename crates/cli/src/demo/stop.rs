//! How is the demo asked to stop, and how does it wait without being deaf?
//!
//! Signals become a flag behind a condition, and every pause of the demo is a wait for that
//! condition. So Ctrl-C leads through the same ends as success does: children are ended and
//! directories removed by their guards. A second Ctrl-C changes nothing: there is no wait that
//! goes on after the first.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Whether the demo is to stop.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// One that SIGINT, SIGTERM and SIGHUP set.
    pub(super) fn on_signals() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // Registered before anything is started that would have to be ended.
        let (mut interrupt, mut terminate, mut hangup) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            )
        };
        let stop = Self::default();
        let set = stop.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                        _ = hangup.recv() => {}
                    }
                    set.request();
                }
            });
        })?;
        Ok(stop)
    }

    /// Asks to stop.
    pub(super) fn request(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Whether it was asked.
    pub(super) fn requested(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits this long, or until it is asked to stop; says whether it was.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let (flag, changed) = &*self.0;
        let flag = flag.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(flag, time, |stop| !*stop);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until it is asked to stop.
    pub(super) fn wait_for_it(&self) {
        let (flag, changed) = &*self.0;
        let flag = flag.lock().unwrap_or_else(PoisonError::into_inner);
        drop(changed.wait_while(flag, |stop| !*stop));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_when_it_is_asked_to() {
        let stop = Stop::default();
        assert!(!stop.wait(Duration::ZERO));
        let asked = stop.clone();
        let thread = std::thread::spawn(move || asked.request());
        assert!(stop.wait(Duration::from_secs(60)));
        stop.wait_for_it();
        assert!(stop.requested());
        thread.join().unwrap();
    }
}
