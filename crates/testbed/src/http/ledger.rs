//! What has the server received and taken?

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// All that came in so far.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Connections that were accepted.
    pub connections: u64,
    /// Requests, in the order in which they were read. Empty if it only counts.
    pub requests: Vec<Received>,
    /// How many requests.
    pub request_count: u64,
    /// Items that were taken, by their ids. Empty if it only counts.
    pub items: BTreeMap<String, Taken>,
    /// How many items were taken, repeats included.
    pub item_count: u64,
    /// Bytes of all bodies, as sent.
    pub body_bytes: u64,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// Method and target (`POST /v1/events?x=1`).
    pub line: String,
    /// Its headers; names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The ids of its items, in order.
    pub ids: Vec<String>,
    /// The status of the answer; 0 for none.
    pub status: u16,
}

impl Received {
    /// Its `Idempotency-Key`; empty if it has none.
    #[must_use]
    pub fn key(&self) -> &str {
        self.headers.get("idempotency-key").map_or("", String::as_str)
    }
}

/// An item that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// How often.
    pub times: u32,
    /// Its JSON, as it came the first time.
    pub text: String,
}

impl Ledger {
    /// Takes an item.
    pub(super) fn take(&mut self, id: &str, text: &str) {
        self.item_count += 1;
        let taken = self.items.entry(id.to_owned());
        taken.or_insert_with(|| Taken { times: 0, text: text.to_owned() }).times += 1;
    }
}

/// A ledger that can be waited for.
#[derive(Default)]
pub(super) struct Shared {
    ledger: Mutex<Ledger>,
    /// How often it was written.
    changes: watch::Sender<u64>,
}

impl Shared {
    pub(super) fn write<T>(&self, with: impl FnOnce(&mut Ledger) -> T) -> T {
        let written = with(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_modify(|changes| *changes += 1);
        written
    }

    pub(super) fn read<T>(&self, with: impl FnOnce(&Ledger) -> T) -> T {
        with(&self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) async fn until(&self, condition: impl Fn(&Ledger) -> bool) {
        let mut changes = self.changes.subscribe();
        while !self.read(&condition) {
            // The sender lives as long as this.
            let _ = changes.changed().await;
        }
    }
}
