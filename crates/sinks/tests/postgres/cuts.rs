//! Is everything stored once when connections break at the worst moments?

use tidegate::Outcome;
use tidegate_sinks::postgres::PostgresSink;
use tidegate_sinks::{DeliveryFailure, Sink};
use tidegate_testbed::proxy::{Cut, Proxy};

use super::contract::{Subject, assert_stored, batch, deliver, origin};
use super::{Place, SERVER, subject_with};

/// A subject behind a proxy.
fn behind() -> (Proxy, Subject, Place) {
    let proxy = Proxy::start(SERVER.address()).unwrap();
    let place = Place::new();
    let settings = place.settings_at(proxy.address());
    (proxy, subject_with(place.clone(), settings), place)
}

async fn after(cut: Cut, is_committed: bool) {
    let (proxy, subject, place) = behind();
    let sink = (subject.start)();
    sink.open(origin(1)).await.unwrap();
    deliver(&*sink, batch(0..10)).await;
    proxy.arm(cut);
    let delivery = sink.deliver(batch(10..3_000)).await;
    assert_eq!(proxy.cuts(), 1);
    assert_eq!(delivery.outcome, Outcome::Unreachable, "{delivery:?}");
    match delivery.failure {
        Some(DeliveryFailure::Retry(why)) => {
            assert!(why.contains("postgres@127.0.0.1"), "{why}");
            assert!(!why.contains(tidegate_testbed::postgres::PASSWORD), "{why}");
        }
        other => panic!("{other:?}"),
    }
    // The lane asks what came of it. What the server still works at is not told yet, and the
    // repeat waits for it.
    let known = sink.delivered("default", 0).await.unwrap();
    assert!(known == [0..10] || (is_committed && known == [0..3_000]), "{known:?}");
    deliver(&*sink, batch(10..3_000)).await;
    let other = sink.deliver(batch(2_000..4_000)).await;
    assert_eq!(other.failure, Some(DeliveryFailure::Recut(2_000..3_000)));
    assert_stored(&subject, 0..3_000).await;
    assert_eq!(place.number("SELECT count(*) FROM tidegate_ranges").await, 2);
}

#[tokio::test]
async fn cut_in_the_middle_of_a_copy() {
    after(Cut::InCopy(200_000), false).await;
}

#[tokio::test]
async fn cut_before_the_commit() {
    after(Cut::BeforeCommit, false).await;
}

#[tokio::test]
async fn cut_between_the_commit_and_its_answer() {
    after(Cut::AfterCommit, true).await;
}

#[tokio::test]
async fn cut_while_it_connects() {
    let (proxy, subject, _) = behind();
    let sink = (subject.start)();
    sink.open(origin(1)).await.unwrap();
    for bytes in [0, 1, 30, 100, 200, 400] {
        proxy.cut_all();
        proxy.arm(Cut::AfterServerBytes(bytes));
        let delivery = sink.deliver(batch(0..10)).await;
        // A connection that was closed is noticed before or after something is sent on it.
        if delivery.outcome == Outcome::Ok {
            proxy.disarm();
        } else {
            assert_eq!(delivery.outcome, Outcome::Unreachable, "{delivery:?}");
        }
    }
    proxy.disarm();
    deliver(&*sink, batch(0..10)).await;
    assert_stored(&subject, 0..10).await;
}

#[tokio::test]
async fn nothing_listens_and_then_something_does() {
    let (proxy, subject, _) = behind();
    let sink = (subject.start)();
    sink.open(origin(1)).await.unwrap();
    deliver(&*sink, batch(0..10)).await;
    proxy.refuse(true);
    proxy.cut_all();
    // The first may find out that its connection has gone, the next that none can be had.
    for _ in 0..2 {
        let delivery = sink.deliver(batch(10..20)).await;
        assert_eq!(delivery.outcome, Outcome::Unreachable, "{delivery:?}");
    }
    let error = sink.delivered("default", 0).await.unwrap_err().to_string();
    assert!(error.contains("connects again by itself"), "{error}");
    proxy.refuse(false);
    deliver(&*sink, batch(10..20)).await;
    assert_stored(&subject, 0..20).await;
}

#[tokio::test]
async fn a_backend_that_is_ended_costs_an_attempt() {
    let place = Place::new();
    let sink = place.sink();
    sink.open(origin(1)).await.unwrap();
    deliver(&sink, batch(0..10)).await;
    let client = place.client().await;
    // Somebody holds the table, so that the sink's backend waits and can be ended in the middle.
    client.batch_execute("BEGIN; LOCK TABLE events IN EXCLUSIVE MODE").await.unwrap();
    let waiting = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'events'::regclass";
    let (delivery, ()) = tokio::join!(sink.deliver(batch(10..20)), async {
        let pid: i32 = loop {
            match client.query_opt(waiting, &[]).await.unwrap() {
                Some(row) => break row.get(0),
                None => tokio::task::yield_now().await,
            }
        };
        client.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
    });
    assert_eq!(delivery.outcome, Outcome::Unreachable, "{delivery:?}");
    client.batch_execute("ROLLBACK").await.unwrap();
    deliver(&sink, batch(10..20)).await;
    assert_eq!(place.number("SELECT count(*) FROM events").await, 20);
}

#[tokio::test]
async fn whoever_stops_waiting_does_not_stop_the_attempt() {
    let place = Place::new();
    let sink = PostgresSink::start(place.settings()).unwrap();
    sink.open(origin(1)).await.unwrap();
    {
        let attempt = sink.deliver(batch(0..1_000));
        tokio::pin!(attempt);
        // Begun, then dropped.
        let begun = tokio::time::timeout(std::time::Duration::ZERO, attempt.as_mut());
        assert!(begun.await.is_err());
    }
    sink.close().await;
    assert_eq!(place.number("SELECT count(*) FROM events").await, 1_000);
}
