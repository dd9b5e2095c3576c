//! The HTTP sink against a real server that misbehaves on purpose: the contract's suite, and what
//! only HTTP can do wrong.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::single_range_in_vec_init,
    reason = "all of this is test code, also what is outside of test functions, and a list of one \
              range is what is meant"
)]

#[path = "../contract/mod.rs"]
mod contract;

mod answers;
mod bodies;
mod connections;
mod items;
mod keys;
mod random;
mod secrets;

use std::sync::Arc;

use contract::json::all_stored;
use contract::{Subject, origin};
use tidegate::Outcome;
use tidegate_sinks::http::{HttpSink, Settings};
use tidegate_sinks::{Delivery, DeliveryFailure, Sink};
use tidegate_testbed::http::{Behaviour, HttpBackend};

contract::suite!(at_least_once: subject);

/// A subject on a server of its own.
fn subject() -> Subject {
    let backend = Arc::new(HttpBackend::start(Behaviour::default()).unwrap());
    let url = backend.url("/{lane}/events");
    let ledger = Arc::clone(&backend);
    Subject {
        start: Box::new(move || Box::new(HttpSink::start(Settings::new(&url, "api")).unwrap())),
        stored: Box::new(move || {
            let items = ledger.ledger().items;
            Box::pin(async move { all_stored(items.values().map(|taken| taken.text.as_str())) })
        }),
        keep: Box::new(backend),
    }
}

/// A server that behaves like this, and an opened sink that sends to it.
async fn pair(behaviour: Behaviour) -> (HttpBackend, HttpSink) {
    pair_with(behaviour, |_| {}).await
}

/// The same with settings that are changed like this.
async fn pair_with(
    behaviour: Behaviour,
    change: impl FnOnce(&mut Settings),
) -> (HttpBackend, HttpSink) {
    let backend = HttpBackend::start(behaviour).unwrap();
    let sink = sink(&backend, change).await;
    (backend, sink)
}

/// An opened sink that sends to `/events` of a server.
async fn sink(backend: &HttpBackend, change: impl FnOnce(&mut Settings)) -> HttpSink {
    let mut settings = Settings::new(backend.url("/events"), "api");
    change(&mut settings);
    let sink = HttpSink::start(settings).unwrap();
    sink.open(origin(1)).await.unwrap();
    sink
}

/// The outcome of a batch that is to be tried again, and its message.
fn retry(delivery: Delivery) -> (Outcome, String) {
    match delivery.failure {
        Some(DeliveryFailure::Retry(why)) => (delivery.outcome, why),
        other => panic!("{other:?}"),
    }
}
