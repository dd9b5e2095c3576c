//! Open, deliver, close: what every sink does, whatever its guarantee.

use tidegate::Outcome;
use tidegate_sinks::{DeliveryFailure, Sink};

use super::{Subject, assert_stored, batch, deliver, opened, origin};

pub(crate) async fn a_sink_takes_what_it_is_given(subject: &Subject) {
    let sink = opened(subject, 1).await;
    deliver(&*sink, batch(0..1)).await;
    deliver(&*sink, batch(1..38)).await;
    assert_stored(subject, 0..38).await;
    sink.close().await;
    assert_stored(subject, 0..38).await;
}

pub(crate) async fn close_waits_for_what_is_in_flight(subject: &Subject) {
    let sink = opened(subject, 1).await;
    let (delivery, ()) = tokio::join!(sink.deliver(batch(0..3_000)), sink.close());
    assert_eq!(delivery.outcome, Outcome::Ok);
    assert_stored(subject, 0..3_000).await;
}

pub(crate) async fn after_the_close_it_says_so(subject: &Subject) {
    let sink = opened(subject, 1).await;
    sink.close().await;
    sink.close().await;
    let delivery = sink.deliver(batch(0..1)).await;
    assert!(delivery.outcome.is_retryable());
    assert_retry(delivery.failure, "closed");
    assert_retry(sink.delivered("default", 0).await.err(), "closed");
    assert!(sink.open(origin(1)).await.unwrap_err().to_string().contains("closed"));
    assert_stored(subject, 0..0).await;
}

pub(crate) async fn before_the_open_nothing_is_taken(subject: &Subject) {
    let sink: Box<dyn Sink> = (subject.start)();
    let delivery = sink.deliver(batch(0..1)).await;
    assert!(delivery.outcome.is_retryable());
    assert_retry(delivery.failure, "no journal has been opened");
    assert_retry(sink.delivered("default", 0).await.err(), "no journal has been opened");
    assert_stored(subject, 0..0).await;
}

fn assert_retry(failure: Option<DeliveryFailure>, word: &str) {
    match failure {
        Some(DeliveryFailure::Retry(why)) => assert!(why.contains(word), "{why}"),
        other => panic!("{other:?}"),
    }
}
