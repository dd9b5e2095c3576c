//! What comes of a batch whose items are answered one by one?

use tidegate::Outcome;
use tidegate_sinks::http::{Answers, Format, Settings};
use tidegate_sinks::{DeliveryFailure, ItemFailure, Sink};
use tidegate_testbed::http::{Behaviour, Deed, Poison, Reply};

use super::contract::{batch, deliver};
use super::{pair, pair_with, retry};

fn poisoned(answers: tidegate_testbed::http::Answers, marker: &str, status: u16) -> Behaviour {
    let poison = Some(Poison { marker: marker.to_owned(), status });
    Behaviour { poison, answers, ..Behaviour::default() }
}

fn failure(position: u64, retryable: bool, why: &str) -> ItemFailure {
    ItemFailure { position, retryable, why: why.to_owned() }
}

#[tokio::test]
async fn a_207_is_read_item_by_item_whatever_is_set() {
    let listed = tidegate_testbed::http::Answers::Listed;
    let (backend, sink) = pair(poisoned(listed, "event 7\"", 422)).await;
    let delivery = sink.deliver(batch(0..10)).await;
    assert_eq!(delivery.outcome, Outcome::Partial { delivered: 9 });
    let items = vec![failure(7, false, "422: poison")];
    assert_eq!(delivery.failure, Some(DeliveryFailure::Items(items)));
    assert_eq!(backend.ledger().items.len(), 9);
    deliver(&sink, batch(10..20)).await;
}

#[tokio::test]
async fn a_bulk_answer_tells_what_may_be_tried_again() {
    let bulk = tidegate_testbed::http::Answers::Bulk;
    let change = |settings: &mut Settings| {
        settings.format = Format::Bulk;
        settings.answers = Answers::Items;
    };
    let (backend, sink) = pair_with(poisoned(bulk, "event 7\"", 429), change).await;
    let delivery = sink.deliver(batch(0..10)).await;
    assert_eq!(delivery.outcome, Outcome::Partial { delivered: 9 });
    let items = vec![failure(7, true, "429: poison")];
    assert_eq!(delivery.failure, Some(DeliveryFailure::Items(items)));
    // The part that failed comes again alone, under a key of its own, and is stored this time.
    backend.behave(Behaviour { answers: bulk, ..Behaviour::default() });
    let mut rest = batch(0..10);
    rest.slices = vec![super::contract::slice(7..8)];
    deliver(&sink, rest).await;
    let ledger = backend.ledger();
    assert!(ledger.items.len() == 10 && ledger.items.values().all(|taken| taken.times == 1));
    assert_ne!(ledger.requests[0].key(), ledger.requests[1].key());
}

#[tokio::test]
async fn none_taken_for_reasons_that_pass_is_the_failure_of_the_whole_batch() {
    let listed = tidegate_testbed::http::Answers::Listed;
    for (status, outcome) in [
        (429, Outcome::Throttled { retry_after: None }),
        (503, Outcome::Overloaded),
        (401, Outcome::Unreachable),
    ] {
        let (_backend, sink) = pair(poisoned(listed, "event", status)).await;
        let (said, why) = retry(sink.deliver(batch(0..10)).await);
        assert_eq!(said, outcome);
        assert!(why.ends_with(&format!("position 0: {status}: poison")), "{why}");
    }
    // But none taken for its data is ten failures.
    let (_backend, sink) = pair(poisoned(listed, "event", 400)).await;
    let delivery = sink.deliver(batch(0..10)).await;
    assert_eq!(delivery.outcome, Outcome::Partial { delivered: 0 });
    assert!(
        matches!(&delivery.failure, Some(DeliveryFailure::Items(items)) if items.len() == 10),
        "{delivery:?}"
    );
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_leaves_the_batch_in_doubt() {
    let change = |settings: &mut Settings| {
        settings.answers = Answers::Items;
        settings.answer_bytes_max = 1 << 10;
    };
    let (backend, sink) = pair_with(Behaviour::default(), change).await;
    let many = format!("[{}0]", "0,".repeat(1 << 10));
    for (deed, expected) in [
        (Deed::Take, "EOF while parsing a value"),
        (Deed::Refuse(Reply::status(200).body("<html>ok</html>")), "expected value"),
        (Deed::Refuse(Reply::status(200).body("{\"ok\":true}")), "it has no list `items`"),
        (Deed::Refuse(Reply::status(200).body("[{\"status\":200}]")), "it lists 1 items"),
        (Deed::Refuse(Reply::status(200).body(many)), "it has more than 1024 bytes"),
        (Deed::TakeAndCut, "cannot be read"),
    ] {
        backend.script([deed]);
        let (outcome, why) = retry(sink.deliver(batch(0..10)).await);
        assert_eq!(outcome, Outcome::Unreachable);
        assert!(why.contains(expected) && why.contains("answer_bytes_max"), "{why}");
    }
}
