//! Has this request been accepted before?
//!
//! Who never hears an answer sends again, and the journal may have the first one. So a request may
//! carry a key: it stands in the request's own frame and is durable by the same write and the same
//! sync. Whoever wants to append with a key *claims* it first. One claim at a time: a second one
//! waits for what becomes of the first. A claim travels with its request through the queue to the
//! writer and becomes a remembered key there, before anybody can see the request; if it is dropped
//! anywhere on the way — refused, cancelled — the key is free again.
//!
//! At opening the window is read from the frames, which are read anyway, and from the file `keys`
//! ([`crate::format::keys`]), which is written before a segment with keys is let go of.

pub(crate) mod window;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use tidegate_event::Position;
use tokio::sync::watch;

use crate::shared::lock;
use window::{Kept, Window};

/// What makes a request the same as another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestKey {
    /// A digest of the key that the producer chose, which nobody can make collide.
    pub digest: u128,
    /// A digest of what the request asks for: the same key with another one is a mistake.
    pub body: u64,
    /// When the request came, in milliseconds since 1970-01-01 UTC.
    pub at: u64,
}

/// What became of a wish to append with a key. See [`crate::Journal::claim`].
#[derive(Debug)]
pub enum Claimed {
    /// Nobody has it: append with [`crate::Journal::append_claimed`].
    New(Claim),
    /// This very request was accepted, and has these positions.
    Stored(Range<Position>),
    /// Another request was accepted with this key, or is being written.
    OtherBody,
}

/// The right to append with a key; dropped, it is given back.
#[derive(Debug)]
#[must_use = "a claim keeps others with the same key waiting"]
pub struct Claim {
    keys: Arc<Keys>,
    key: RequestKey,
    /// Dropped after the claim is settled: that wakes who waits.
    _settling: watch::Sender<()>,
}

/// The keys of a journal.
#[derive(Debug)]
pub(crate) struct Keys {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    window: Window,
    claimed: HashMap<u128, Pending>,
}

#[derive(Debug)]
struct Pending {
    body: u64,
    settled: watch::Receiver<()>,
}

impl Keys {
    pub(crate) fn new(window: Window) -> Arc<Self> {
        let claimed = HashMap::new();
        Arc::new(Self { inner: Mutex::new(Inner { window, claimed }) })
    }

    /// Claims a key; waits while somebody else has claimed it for the same request.
    pub(crate) async fn claim(self: &Arc<Self>, key: RequestKey) -> Claimed {
        loop {
            match self.try_claim(key) {
                Ok(claimed) => return claimed,
                Err(mut settled) => {
                    // Nothing is ever sent: it ends with the claim.
                    let _ = settled.changed().await;
                }
            }
        }
    }

    fn try_claim(self: &Arc<Self>, key: RequestKey) -> Result<Claimed, watch::Receiver<()>> {
        let mut inner = lock(&self.inner);
        if let Some(Kept { key: kept, positions }) = inner.window.find(key.digest, key.at) {
            let same = kept.body == key.body;
            return Ok(if same { Claimed::Stored(positions) } else { Claimed::OtherBody });
        }
        match inner.claimed.get(&key.digest) {
            Some(pending) if pending.body != key.body => return Ok(Claimed::OtherBody),
            Some(pending) => return Err(pending.settled.clone()),
            None => {}
        }
        let (settling, settled) = watch::channel(());
        inner.claimed.insert(key.digest, Pending { body: key.body, settled });
        Ok(Claimed::New(Claim { keys: Arc::clone(self), key, _settling: settling }))
    }

    /// What has to be noted before what lies below `low` is let go of.
    pub(crate) fn below(&self, low: Position) -> Vec<Kept> {
        lock(&self.inner).window.below(low)
    }

    /// How many keys are remembered.
    pub(crate) fn count(&self) -> usize {
        lock(&self.inner).window.len()
    }
}

impl Claim {
    pub(crate) fn key(&self) -> RequestKey {
        self.key
    }

    /// The request is durable as configured.
    pub(crate) fn store(self, positions: Range<Position>) {
        lock(&self.keys.inner).window.keep(self.key, positions);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.keys.inner).claimed.remove(&self.key.digest);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn who_comes_second_hears_what_became_of_the_first() {
        let keys = Keys::new(Window::new(10, Duration::from_secs(1)));
        let key = RequestKey { digest: 1, body: 2, at: 3 };
        let Claimed::New(first) = keys.claim(key).await else { unreachable!("nobody has it") };
        assert!(matches!(keys.claim(RequestKey { body: 9, ..key }).await, Claimed::OtherBody));
        let wait = |keys: &Arc<Keys>| {
            let keys = Arc::clone(keys);
            tokio::spawn(async move { keys.claim(key).await })
        };
        let second = wait(&keys);
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(first);
        let Claimed::New(second) = second.await.unwrap() else { unreachable!("it was given back") };
        let third = wait(&keys);
        tokio::task::yield_now().await;
        second.store(5..7);
        assert!(matches!(third.await.unwrap(), Claimed::Stored(at) if at == (5..7)));
        assert!(matches!(keys.claim(RequestKey { body: 9, ..key }).await, Claimed::OtherBody));
        let late = RequestKey { at: 3 + 1001, ..key };
        assert!(matches!(keys.claim(late).await, Claimed::New(_)));
    }
}
