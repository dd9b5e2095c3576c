//! What does the sink say when another connection holds the write lock?

use std::time::Duration;

use rusqlite::Connection;
use tidegate::Outcome;
use tidegate_sinks::sqlite::{Settings, SqliteSink};
use tidegate_sinks::{DeliveryFailure, Sink};

use super::contract::{assert_stored, batch, deliver, opened, origin};
use super::{path_of, place, subject, subject_with};

#[tokio::test]
async fn a_lock_that_stays_taken_is_overload_and_its_waits_are_counted() {
    let (path, directory) = place();
    let settings =
        Settings { busy_timeout: Duration::from_millis(20), ..Settings::new(&path, "sqlite") };
    let subject = subject_with(settings, Box::new(directory));
    let sink = opened(&subject, 1).await;
    let neighbour = Connection::open(&path).unwrap();
    neighbour.execute_batch("BEGIN IMMEDIATE").unwrap();

    let delivery = sink.deliver(batch(0..10)).await;
    assert_eq!(delivery.outcome, Outcome::Overloaded);
    let expected = format!(
        "database {}: database is locked. Another connection held the lock for longer than \
         busy_timeout, 20ms: find the program that writes to this file, or raise busy_timeout",
        path.display()
    );
    assert_eq!(delivery.failure, Some(DeliveryFailure::Retry(expected)));
    let feedback = delivery.feedback.unwrap();
    // 1 + 2 + 4 + 8 + 5 ms, and the call that gives up.
    assert_eq!(feedback.lock_waits, Some(6.0));
    assert_eq!(feedback.error_rate, Some(1.0));
    assert_eq!((feedback.cpu, feedback.queue_depth), (None, None));

    neighbour.execute_batch("ROLLBACK").unwrap();
    let delivery = sink.deliver(batch(0..10)).await;
    assert_eq!(delivery.outcome, Outcome::Ok);
    let feedback = delivery.feedback.unwrap();
    assert_eq!((feedback.lock_waits, feedback.error_rate), (Some(0.0), Some(0.5)));
    assert_stored(&subject, 0..10).await;
}

#[tokio::test]
async fn readers_do_not_disturb() {
    let subject = subject();
    let sink = opened(&subject, 1).await;
    deliver(&*sink, batch(0..10)).await;
    let reader = Connection::open(path_of(&subject)).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM events").unwrap();
    let delivery = sink.deliver(batch(10..20)).await;
    assert_eq!(delivery.outcome, Outcome::Ok);
    assert_eq!(delivery.feedback.unwrap().lock_waits, Some(0.0));
}

#[tokio::test]
async fn a_lock_at_the_start_is_said_so() {
    let (path, _directory) = place();
    let neighbour = Connection::open(&path).unwrap();
    neighbour.execute_batch("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE").unwrap();
    let settings = Settings { busy_timeout: Duration::ZERO, ..Settings::new(&path, "sqlite") };
    let error = SqliteSink::start(settings.clone()).unwrap_err();
    let expected = format!(
        "cannot use database {}: database is locked. Another connection held the lock for longer \
         than busy_timeout, 0ns: find the program that writes to this file, or raise busy_timeout",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
    // A file that has its tables already is opened in spite of it: nothing has to be written.
    neighbour.execute_batch("ROLLBACK").unwrap();
    SqliteSink::start(settings.clone()).unwrap().close().await;
    neighbour.execute_batch("BEGIN IMMEDIATE").unwrap();
    let sink = SqliteSink::start(settings).unwrap();
    assert!(sink.open(origin(1)).await.unwrap_err().to_string().contains("database is locked"));
}
