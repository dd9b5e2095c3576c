//! Where does the load come from? From `tidegate load`'s own generator, on a thread of its own.
//!
//! With a rate, so that it does not take the machine from what it measures, and with a schedule
//! that does not wait for the server.

use std::thread::JoinHandle;
use std::time::Duration;

use tidegate_load::{LoadArgs, LoadError, Summary};
use tokio::sync::oneshot;

use super::args::DemoArgs;
use super::error::DemoError;
use super::plan::Plan;

/// How much is sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Amount {
    /// So many events.
    Events(u64),
    /// As many as come in this time.
    Time(Duration),
}

/// The load that these flags ask for.
pub(super) fn args(demo: &DemoArgs, plan: &Plan, amount: Amount, seed: Option<u64>) -> LoadArgs {
    let (events, duration, length) = match amount {
        Amount::Events(events) => (Some(events), None, plan.length),
        Amount::Time(time) => (None, Some(time), time),
    };
    LoadArgs {
        events,
        duration,
        rate: Some(plan.rate),
        pattern: demo.pattern,
        period: Plan::period(length),
        connections: demo.workers,
        seed,
        ..LoadArgs::default()
    }
}

/// A load at work; it stops when this is dropped.
pub(super) struct Load {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<Summary, LoadError>>>,
}

impl Load {
    /// Begins to send to `url`.
    pub(super) fn start(mut args: LoadArgs, url: String) -> Result<Self, DemoError> {
        args.url = url;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || {
            runtime.block_on(async {
                // Told or dropped: either way nobody wants it any more.
                let stopped = async { drop(stopped.await) };
                tidegate_load::run(&args, &mut (), stopped).await
            })
        };
        let thread = std::thread::Builder::new().name("load".to_owned()).spawn(run)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends it if it still runs, and says what came of it.
    pub(super) fn end(mut self) -> Result<Summary, DemoError> {
        self.stop = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => Ok(ended?),
            Some(Err(_)) | None => Err(DemoError::Fault("the load")),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // Whoever drops it does not want to know how it went.
            let _ = thread.join();
        }
    }
}
