//! What does one connection do all day?
//!
//! It claims a request, waits until it is due, sends it until it is settled, and counts. All
//! connections share a [`Run`]; tallies lie apart from it, so that nothing is contended.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::time::{Instant, timeout};

use crate::clock;
use crate::connection::{Connection, Failure};
use crate::error::LoadError;
use crate::events::MAX_TRY;
use crate::feed::{Claim, Claims};
use crate::file::FromFile;
use crate::prebuilt::{Outgoing, Prebuilt};
use crate::random::Random;
use crate::retry::{Past, RetryPolicy};
use crate::shared::{Feed, Run, lock};
use crate::summary::Ended;
use crate::tally::Tally;
use crate::verdict::{self, Verdict};

/// One connection at work.
pub(crate) struct Worker {
    pub(crate) run: Arc<Run>,
    pub(crate) connection: Connection,
    pub(crate) prebuilt: Vec<Prebuilt>,
    pub(crate) random: Random,
    pub(crate) tally: Arc<Mutex<Tally>>,
}

/// How one try ended.
enum Tried {
    /// The request is settled, one way or another.
    Settled,
    /// Worth another try, after what the server said.
    Again { after: Option<Duration> },
    /// No connection: nothing was sent.
    Unreachable { message: String },
}

impl Worker {
    /// Sends until there is nothing left to send.
    pub(crate) async fn work(mut self) -> Result<(), LoadError> {
        let run = Arc::clone(&self.run);
        match &run.feed {
            Feed::Generated(claims) => self.generated(claims).await,
            Feed::File(receiver) => self.forward(receiver).await,
        }
    }

    async fn generated(&mut self, claims: &Mutex<Claims>) -> Result<(), LoadError> {
        let run = Arc::clone(&self.run);
        let mut prebuilt = std::mem::take(&mut self.prebuilt);
        let mut turn = 0;
        while !run.ending() {
            let elapsed = run.elapsed();
            let Some(claim) = lock(claims).claim(run.batch, elapsed) else { break };
            if !self.is_time(claim).await {
                break;
            }
            turn = (turn + 1) % prebuilt.len().max(1);
            let Some(request) = prebuilt.get_mut(turn) else { break };
            let outgoing = request.fill(claim.first, claim.events, clock::wall());
            self.settle(outgoing, claim).await?;
        }
        Ok(())
    }

    async fn forward(
        &mut self,
        receiver: &AsyncMutex<mpsc::Receiver<Result<FromFile, LoadError>>>,
    ) -> Result<(), LoadError> {
        let run = Arc::clone(&self.run);
        let mut stop = run.stop.subscribe();
        while !run.ending() {
            let next = async { receiver.lock().await.recv().await };
            let next = tokio::select! {
                _ = stop.wait_for(Option::is_some) => None,
                next = next => next,
            };
            let Some(request) = next else { break };
            let mut request = request?;
            let over =
                request.claim.due.is_none() && run.until.is_some_and(|until| run.elapsed() > until);
            if over || !self.is_time(request.claim).await {
                break;
            }
            let outgoing = Outgoing::new(&mut request.bytes, &request.tries);
            self.settle(outgoing, request.claim).await?;
        }
        Ok(())
    }

    /// Waits until a claim is due, and says whether the run still goes on then.
    async fn is_time(&self, claim: Claim) -> bool {
        match claim.due.map(|due| self.run.start.checked_add(due)) {
            None => true,
            Some(None) => false,
            Some(Some(due)) => due <= clock::now() || self.run.wait(due).await,
        }
    }

    /// Sends one request until it is acknowledged, refused or given up.
    async fn settle(&mut self, mut outgoing: Outgoing<'_>, claim: Claim) -> Result<(), LoadError> {
        let run = Arc::clone(&self.run);
        let policy = RetryPolicy { retry_for: run.retry_for, max_tries: MAX_TRY };
        let begun = clock::now();
        let intended = claim.due.and_then(|due| run.start.checked_add(due)).unwrap_or(begun);
        let mut past = Past::default();
        loop {
            // Under a key every try is the same request, so its events name the first try.
            let named = if run.keyed { 1 } else { past.tries + 1 };
            let request = outgoing.as_try(named);
            let tried = self.attempt(request, (claim, named), past.tries + 1, intended).await?;
            past.failures += 1;
            let (after, unreachable) = match tried {
                Tried::Settled => return Ok(()),
                Tried::Again { after } => {
                    past.tries += 1;
                    (after, None)
                }
                Tried::Unreachable { message } => (None, Some(message)),
            };
            let now = clock::now();
            past.elapsed = now.saturating_duration_since(begun);
            let Some(pause) = policy.pause(past, after, self.random.fraction()) else {
                self.tally().failed("given_up", || "no retry fits --retry-for".to_owned());
                if let Some(message) = unreachable {
                    run.end(Ended::Unreachable { message });
                }
                return Ok(());
            };
            if run.ending() || !run.wait(now + pause).await {
                return Ok(());
            }
        }
    }

    /// One try; `named` is the try that its events name.
    async fn attempt(
        &mut self,
        request: &[u8],
        (claim, named): (Claim, u32),
        attempt: u32,
        intended: Instant,
    ) -> Result<Tried, LoadError> {
        if !self.connection.is_open()
            && let Err(failure) = within(self.run.timeout, self.connection.open()).await
        {
            return Ok(self.unreachable(failure));
        }
        self.tally().sending(attempt, claim.events);
        let run = Arc::clone(&self.run);
        let in_flight = InFlight { run: &run, claim, attempt: named };
        let exchange = self.connection.exchange(request, run.head.call(claim.first));
        let answer = timeout(run.timeout, exchange).await;
        in_flight.landed();
        let answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(failure)) => {
                self.tally().failed(failure.kind(), || failure.message());
                return self.unanswered(claim, named, None);
            }
            Err(_) => {
                let limit = run.timeout;
                self.tally().failed("timeout", || format!("no answer within {limit:?}"));
                return self.unanswered(claim, named, None);
            }
        };
        let verdict = verdict::judge(&answer, run.protocol, claim.events as u64);
        if !matches!(verdict, Verdict::Acknowledged { .. }) {
            let kind = format!("http_{}", answer.status);
            self.tally().failed(&kind, || verdict::message(&answer));
        }
        match verdict {
            Verdict::Acknowledged { accepted } => {
                self.acknowledged(claim, named, accepted, intended)
            }
            Verdict::Refused { every } => {
                self.tally().refused += claim.events as u64;
                if every {
                    let message = format!("{}: {}", answer.status, verdict::message(&answer));
                    self.run.end(Ended::Refused { message });
                }
                Ok(Tried::Settled)
            }
            Verdict::Again { after, stored_nothing: true } => Ok(Tried::Again { after }),
            Verdict::Again { after, stored_nothing: false } => self.unanswered(claim, named, after),
        }
    }

    fn acknowledged(
        &self,
        claim: Claim,
        attempt: u32,
        accepted: Option<u64>,
        intended: Instant,
    ) -> Result<Tried, LoadError> {
        let events = claim.events as u64;
        let accepted = accepted.unwrap_or(events).min(events);
        let mut tally = self.tally();
        tally.answered(clock::now().saturating_duration_since(intended));
        tally.acknowledged += accepted;
        if accepted < events {
            tally.refused += events - accepted;
            tally.failed("partly_refused", || format!("{accepted} of {events} events accepted"));
        } else if let Some(ledger) = &self.run.acknowledged {
            ledger.note(claim, attempt)?;
        }
        Ok(Tried::Settled)
    }

    /// A try of which nobody knows whether it was stored.
    fn unanswered(
        &self,
        claim: Claim,
        attempt: u32,
        after: Option<Duration>,
    ) -> Result<Tried, LoadError> {
        if let Some(ledger) = &self.run.unanswered {
            ledger.note(claim, attempt)?;
        }
        Ok(Tried::Again { after })
    }

    fn unreachable(&self, failure: std::io::Error) -> Tried {
        let failure = Failure::Connect(failure);
        let message = failure.message();
        self.tally().failed(failure.kind(), || message.clone());
        Tried::Unreachable { message }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }
}

/// A try whose answer is awaited: dropped before that, by the end of the run, it is one without.
struct InFlight<'a> {
    run: &'a Run,
    claim: Claim,
    attempt: u32,
}

impl InFlight<'_> {
    /// Its wait is over.
    fn landed(self) {
        std::mem::forget(self);
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if let Some(ledger) = &self.run.unanswered {
            // A failing disk is told by the flush at the end of the run.
            let _ = ledger.note(self.claim, self.attempt);
        }
    }
}

/// Bounds an attempt to connect; running out of time is one more way to fail.
pub(crate) async fn within<T>(
    limit: Duration,
    connecting: impl Future<Output = std::io::Result<T>>,
) -> std::io::Result<T> {
    timeout(limit, connecting).await.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}
