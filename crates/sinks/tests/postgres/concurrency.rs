//! Do batches run beside each other, and what waits for what?

use std::time::Duration;

use tidegate::Outcome;
use tidegate_sinks::postgres::{PostgresSink, Settings};
use tidegate_sinks::{Batch, DeliveryFailure, Sink};

use super::contract::{batch, deliver, opened, origin};
use super::{Place, place_of, subject};

#[tokio::test]
async fn batches_do_not_wait_for_each_other() {
    let subject = subject();
    let sink = opened(&subject, 1).await;
    deliver(&*sink, batch(0..10)).await;
    let place = place_of(&subject);
    // One batch is held up in the middle: a row under its second event's name is being inserted.
    let client = place.client().await;
    let row = "INSERT INTO events (journal, position, time, observed) VALUES (1, 11, now(), 0)";
    client.batch_execute(&format!("BEGIN; {row}")).await.unwrap();
    let held = sink.deliver(batch(10..20));
    tokio::pin!(held);
    assert!(tokio::time::timeout(Duration::from_millis(300), held.as_mut()).await.is_err());
    // Meanwhile others go through, of the same lane and of another.
    for range in [20..30, 40..50, 30..40] {
        deliver(&*sink, batch(range)).await;
    }
    deliver(&*sink, Batch { lane: "other".into(), ..batch(60..70) }).await;
    client.batch_execute("ROLLBACK").await.unwrap();
    let held = held.await;
    assert_eq!(held.outcome, Outcome::Ok, "{held:?}");
    assert_eq!(sink.delivered("default", 0).await, Ok(vec![0..50]));
    assert_eq!(place.number("SELECT count(*) FROM events").await, 60);
}

#[tokio::test]
async fn a_repeat_waits_for_the_attempt_in_doubt_and_a_takeover_for_both() {
    let subject = subject();
    let sink = opened(&subject, 1).await;
    deliver(&*sink, batch(0..10)).await;
    let place = place_of(&subject);
    let client = place.client().await;
    let row = "INSERT INTO events (journal, position, time, observed) VALUES (1, 11, now(), 0)";
    client.batch_execute(&format!("BEGIN; {row}")).await.unwrap();
    let in_doubt = sink.deliver(batch(10..20));
    tokio::pin!(in_doubt);
    let short = Duration::from_millis(200);
    assert!(tokio::time::timeout(short, in_doubt.as_mut()).await.is_err());
    let repeat = sink.deliver(batch(15..25));
    tokio::pin!(repeat);
    assert!(tokio::time::timeout(short, repeat.as_mut()).await.is_err());
    let next = (subject.start)();
    let takeover = next.open(origin(2));
    tokio::pin!(takeover);
    assert!(tokio::time::timeout(short, takeover.as_mut()).await.is_err());

    client.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(in_doubt.await.outcome, Outcome::Ok);
    assert_eq!(repeat.await.failure, Some(DeliveryFailure::Recut(15..20)));
    takeover.await.unwrap();
    assert_eq!(next.delivered("default", 0).await, Ok(vec![0..20]));
    let late = sink.deliver(batch(20..30)).await;
    assert!(matches!(late.failure, Some(DeliveryFailure::Fenced { .. })), "{late:?}");
}

#[tokio::test]
async fn a_lock_that_stays_taken_is_overload_and_a_statement_that_takes_too_long_too() {
    let half = Duration::from_millis(500);
    for (lock_timeout, code) in [(half, "(55P03)"), (Duration::from_secs(60), "(57014)")] {
        let place = Place::new();
        // Makes the tables, which may take longer than the other one's patience.
        let first = place.sink();
        first.open(origin(1)).await.unwrap();
        let settings = Settings { lock_timeout, statement_timeout: half * 3, ..place.settings() };
        let sink = PostgresSink::start(settings).unwrap();
        sink.open(origin(1)).await.unwrap();
        let client = place.client().await;
        client.batch_execute("BEGIN; LOCK TABLE events IN EXCLUSIVE MODE").await.unwrap();
        let delivery = sink.deliver(batch(0..10)).await;
        assert_eq!(delivery.outcome, Outcome::Overloaded, "{delivery:?}");
        assert_eq!(delivery.feedback.unwrap().error_rate, Some(1.0));
        let why = delivery.failure.unwrap().to_string();
        assert!(why.contains(code), "{why}");
        client.batch_execute("ROLLBACK").await.unwrap();
        let delivery = sink.deliver(batch(0..10)).await;
        assert_eq!(delivery.outcome, Outcome::Ok, "{delivery:?}");
        assert_eq!(delivery.feedback.unwrap().error_rate, Some(0.5));
    }
}

#[tokio::test]
async fn the_record_is_compacted_and_says_the_same() {
    let subject = subject();
    let sink = opened(&subject, 1).await;
    let place = place_of(&subject);
    // A gap, so that two ranges are left.
    deliver(&*sink, batch(1_000..1_001)).await;
    for first in 0..255 {
        deliver(&*sink, batch(first..first + 1)).await;
    }
    let client = place.client().await;
    let count = "SELECT count(*) FROM tidegate_ranges";
    let compacted = async {
        while client.query_one(count, &[]).await.unwrap().get::<_, i64>(0) > 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), compacted).await.unwrap();
    assert_eq!(sink.delivered("default", 0).await, Ok(vec![0..255, 1_000..1_001]));
    deliver(&*sink, batch(3..200)).await;
    assert_eq!(place.number("SELECT count(*) FROM events").await, 256);
}

#[tokio::test]
async fn the_server_is_asked_for_its_load() {
    let place = Place::new();
    let sink = PostgresSink::start(Settings { feedback: true, ..place.settings() }).unwrap();
    sink.open(origin(1)).await.unwrap();
    let mut first = 0;
    let said = async {
        loop {
            let delivery = sink.deliver(batch(first..first + 1)).await;
            first += 1;
            let feedback = delivery.feedback.unwrap();
            if feedback.lock_waits.is_some() {
                break feedback;
            }
        }
    };
    let feedback = tokio::time::timeout(Duration::from_secs(30), said).await.unwrap();
    assert!(feedback.custom("active_connections").is_some(), "{feedback:?}");
    assert_eq!(feedback.custom("replication_lag"), None);
    assert_eq!(feedback.error_rate, Some(0.0));
    sink.close().await;
}
