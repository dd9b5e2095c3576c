//! Do rows leave as configured, and does the record stay?

use std::time::Duration;

use tidegate_sinks::Sink;
use tidegate_sinks::sqlite::{Retention, Settings};

use super::contract::{assert_stored, batch, deliver, opened};
use super::{number, place, subject_with};

/// Looks again after every further delivery: sweeps run between batches, in the sink's thread.
async fn deliver_until(
    sink: &dyn Sink,
    path: &std::path::Path,
    mut end: u64,
    done: impl Fn(i64) -> bool,
) -> u64 {
    for _ in 0..200 {
        deliver(sink, batch(end..end + 500)).await;
        end += 500;
        if done(number(path, "SELECT count(*) FROM events")) {
            return end;
        }
    }
    panic!("the rows are still there");
}

#[tokio::test]
async fn by_count_the_newest_stay_and_the_record_too() {
    let (path, directory) = place();
    let retention = Some(Retention { max_age: None, max_rows: Some(3_000) });
    let settings = Settings { retention, ..Settings::new(&path, "sqlite") };
    let subject = subject_with(settings, Box::new(directory));
    let sink = opened(&subject, 1).await;
    deliver(&*sink, batch(0..20_000)).await;
    let end = deliver_until(&*sink, &path, 20_000, |rows| rows <= 7_500).await;
    assert_eq!(sink.delivered("default", 0).await, Ok(vec![0..end]));
    // What was deleted does not come back.
    deliver(&*sink, batch(0..500)).await;
    sink.close().await;
    let first = u64::try_from(number(&path, "SELECT min(position) FROM events")).unwrap();
    assert!(first >= 10_000);
    assert_stored(&subject, first..end).await;
}

#[tokio::test]
async fn by_age_what_was_observed_long_ago_goes() {
    let (path, directory) = place();
    // The usual events were observed in November 2025: younger than a century, older than a second.
    for (age, stays) in
        [(Duration::from_secs(100 * 365 * 86_400), true), (Duration::from_secs(1), false)]
    {
        let retention = Some(Retention { max_age: Some(age), max_rows: None });
        let settings = Settings { retention, ..Settings::new(&path, "sqlite") };
        let subject = subject_with(settings, Box::new(()));
        let sink = opened(&subject, if stays { 1 } else { 2 }).await;
        if stays {
            deliver(&*sink, batch(0..9_000)).await;
            sink.close().await;
            assert_stored(&subject, 0..9_000).await;
        } else {
            deliver_until(&*sink, &path, 9_000, |rows| rows <= 5_000).await;
            sink.close().await;
        }
    }
    drop(directory);
}
