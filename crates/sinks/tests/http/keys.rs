//! Does a backend that looks at keys take a repeat once, and a part as something new?

use tidegate::Outcome;
use tidegate_sinks::http::{HttpSink, Settings};
use tidegate_sinks::{Batch, Sink, Slice};
use tidegate_testbed::http::{Behaviour, Deed, Received};

use super::contract::{JOURNAL, batch, deliver, origin, slice};
use super::pair;

fn keyed() -> Behaviour {
    Behaviour { honours_keys: true, ..Behaviour::default() }
}

#[tokio::test]
async fn a_batch_in_doubt_that_is_repeated_is_taken_once() {
    let (backend, sink) = pair(keyed()).await;
    backend.script([Deed::TakeAndDrop, Deed::TakeAndDrop]);
    for _ in 0..2 {
        assert_eq!(sink.deliver(batch(0..100)).await.outcome, Outcome::Unreachable);
    }
    // After a restart, by a sink that knows nothing of the first, and read in other pieces.
    sink.close().await;
    let sink = HttpSink::start(Settings::new(backend.url("/events"), "api")).unwrap();
    sink.open(origin(2)).await.unwrap();
    let pieces: Vec<Slice> = (0..100).map(|at| slice(at..at + 1)).collect();
    deliver(&sink, Batch { slices: pieces, ..batch(0..100) }).await;
    let ledger = backend.ledger();
    assert_eq!(ledger.requests.len(), 3);
    let keys: Vec<_> = ledger.requests.iter().map(Received::key).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert!(keys[0].starts_with(&format!("{JOURNAL}-0-100-")), "{}", keys[0]);
    assert!(ledger.items.len() == 100 && ledger.items.values().all(|taken| taken.times == 1));
}

#[tokio::test]
async fn the_parts_of_a_refused_batch_are_not_taken_for_repeats() {
    let (backend, sink) = pair(keyed()).await;
    backend.script([Deed::status(413)]);
    assert_eq!(sink.deliver(batch(0..100)).await.outcome, Outcome::TooLarge);
    deliver(&sink, batch(0..50)).await;
    deliver(&sink, batch(50..100)).await;
    let ledger = backend.ledger();
    assert_eq!(ledger.items.len(), 100);
    let mut keys: Vec<_> = ledger.requests.iter().map(Received::key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 3);
}
