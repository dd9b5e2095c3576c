//! What does the sink do when the file fails it: full, deleted, replaced, damaged?

use std::fs;

use rusqlite::Connection;
use tidegate::Outcome;
use tidegate_sinks::sqlite::{Settings, SqliteSink};
use tidegate_sinks::{DeliveryFailure, Sink};

use super::contract::{assert_stored, batch, deliver, opened, origin};
use super::{number, path_of, place, subject, subject_with};

fn why(failure: Option<DeliveryFailure>) -> String {
    match failure {
        Some(DeliveryFailure::Retry(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_is_survived() {
    let (path, directory) = place();
    let bounded = Settings { size_max: Some(1 << 20), ..Settings::new(&path, "sqlite") };
    let sink = SqliteSink::start(bounded).unwrap();
    sink.open(origin(1)).await.unwrap();
    let mut end = 0;
    let refused = loop {
        let delivery = sink.deliver(batch(end..end + 500)).await;
        if delivery.outcome != Outcome::Ok {
            break delivery;
        }
        end += 500;
    };
    assert!(end > 0);
    assert_eq!(refused.outcome, Outcome::Unreachable);
    let expected = format!(
        "database {}: database or disk is full. Free space on the disk, raise size_max, or set a \
         retention",
        path.display()
    );
    assert_eq!(why(refused.failure), expected);
    // The connection is as good as before: the record answers, and says what the rows say.
    assert_eq!(sink.delivered("default", 0).await.unwrap().last().unwrap().end, end);
    sink.close().await;

    let subject = subject_with(Settings::new(&path, "sqlite"), Box::new(directory));
    assert_stored(&subject, 0..end).await;
    let sink = opened(&subject, 2).await;
    deliver(&*sink, batch(end..end + 500)).await;
    assert_stored(&subject, 0..end + 500).await;
}

#[tokio::test]
async fn a_deleted_file_is_noticed_before_rows_go_into_nowhere() {
    let subject = subject();
    let path = path_of(&subject);
    let sink = opened(&subject, 1).await;
    deliver(&*sink, batch(0..10)).await;
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{}{suffix}", path.display())).unwrap();
    }
    let delivery = sink.deliver(batch(10..20)).await;
    assert_eq!(delivery.outcome, Outcome::Unreachable);
    let expected = format!(
        "database {}: the file was moved or deleted while in use (No such file or directory (os \
         error 2)); it is opened again",
        path.display()
    );
    assert_eq!(why(delivery.failure), expected);
    // The new file knows nothing, and says so.
    assert_eq!(sink.delivered("default", 0).await, Ok(vec![]));
    deliver(&*sink, batch(10..20)).await;
    assert_stored(&subject, 10..20).await;
}

#[tokio::test]
async fn a_file_that_another_opening_has_meanwhile_is_not_taken_back() {
    let subject = subject();
    let path = path_of(&subject);
    let other = super::subject();
    opened(&other, 9).await.close().await;
    let sink = opened(&subject, 1).await;
    deliver(&*sink, batch(0..10)).await;
    fs::rename(path_of(&other), &path).unwrap();
    let delivery = sink.deliver(batch(10..20)).await;
    let expected = format!(
        "database {}: the file was replaced while in use; it is opened again",
        path.display()
    );
    assert_eq!(why(delivery.failure), expected);
    for suffix in ["-wal", "-shm"] {
        // What the replaced file left behind must not be taken for the new one's.
        let _ = fs::remove_file(format!("{}{suffix}", path.display()));
    }
    let delivery = sink.deliver(batch(10..20)).await;
    assert!(matches!(delivery.failure, Some(DeliveryFailure::Fenced { theirs: 9, ours: 1, .. })));
    assert_eq!(number(&path, "SELECT count(*) FROM events"), 0);
}

#[tokio::test]
async fn a_dropped_table_is_created_anew_and_the_record_stays() {
    let subject = subject();
    let path = path_of(&subject);
    let sink = opened(&subject, 1).await;
    deliver(&*sink, batch(0..10)).await;
    Connection::open(&path).unwrap().execute_batch("DROP TABLE events").unwrap();
    let delivery = sink.deliver(batch(10..20)).await;
    assert_eq!(delivery.outcome, Outcome::Unreachable);
    let said = why(delivery.failure);
    assert!(said.contains("no such table: events"), "{said}");
    deliver(&*sink, batch(10..20)).await;
    assert_stored(&subject, 10..20).await;
    assert_eq!(sink.delivered("default", 0).await, Ok(vec![0..20]));
}

#[tokio::test]
async fn a_fence_that_was_deleted_is_put_up_again() {
    let subject = subject();
    let sink = opened(&subject, 1).await;
    let db = Connection::open(path_of(&subject)).unwrap();
    db.execute_batch("DELETE FROM tidegate_journals").unwrap();
    assert_eq!(sink.deliver(batch(0..10)).await.outcome, Outcome::Unreachable);
    deliver(&*sink, batch(0..10)).await;
    assert_stored(&subject, 0..10).await;
}

#[tokio::test]
async fn a_write_ahead_log_is_moved_into_the_file_at_the_close() {
    let subject = subject();
    let path = path_of(&subject);
    let sink = opened(&subject, 1).await;
    deliver(&*sink, batch(0..10)).await;
    let log = path.with_extension("db-wal");
    assert!(log.exists());
    sink.close().await;
    assert!(!log.exists());
}
