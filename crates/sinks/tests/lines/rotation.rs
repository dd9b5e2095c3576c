//! Which files are there after many batches?

use std::fs;
use std::time::Duration;

use tidegate_sinks::file::Rotation;

use super::contract::{batch, deliver, opened, usual};
use super::file::{path_of, subject_with};
use crate::contract::json::all_stored;

/// The names in the directory, and the lines of each file.
fn files(path: &std::path::Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(path.parent().unwrap()).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn files_are_numbered_bounded_and_together_hold_everything() {
    let rotation = Rotation { bytes_max: Some(10_000), ..Rotation::default() };
    let subject = subject_with(|settings| settings.rotation = rotation);
    let path = path_of(&subject);
    let sink = opened(&subject, 1).await;
    for first in (0..400).step_by(10) {
        deliver(&*sink, batch(first..first + 10)).await;
    }
    let files = files(&path);
    assert!(files.len() > 5, "{}", files.len());
    for (place, (name, text)) in files.iter().enumerate() {
        let expected = match place {
            0 => "events.ndjson".to_owned(),
            place => format!("events.ndjson.{place:06}"),
        };
        assert_eq!(*name, expected);
        assert!(text.len() <= 10_000 && text.ends_with('\n'), "{name}: {}", text.len());
    }
    let lines = files.iter().flat_map(|(_, text)| text.lines());
    assert_eq!(all_stored(lines), usual(0..400));
}

#[tokio::test]
async fn the_oldest_are_deleted_and_no_number_comes_again() {
    let rotation = Rotation { bytes_max: Some(1 << 10), keep: Some(2), age_max: None };
    let subject = subject_with(|settings| settings.rotation = rotation);
    let path = path_of(&subject);
    // What only looks like ours is not touched.
    for other in ["events.ndjson.7", "events.ndjson.0000x1", "other.000001"] {
        fs::write(path.with_file_name(other), "theirs").unwrap();
    }
    let sink = opened(&subject, 1).await;
    for first in 0..5 {
        deliver(&*sink, batch(first * 10..first * 10 + 10)).await;
    }
    sink.close().await;
    let names =
        |files: Vec<(String, String)>| files.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let kept = ["events.ndjson", "events.ndjson.000003", "events.ndjson.000004"];
    let theirs = ["events.ndjson.0000x1", "events.ndjson.7", "other.000001"];
    let mut expected = [kept, theirs].concat();
    expected.sort_unstable();
    assert_eq!(names(files(&path)), expected);
    // The file that a restart finds is as full as it was.
    let sink = opened(&subject, 2).await;
    deliver(&*sink, batch(50..60)).await;
    assert!(path.with_file_name("events.ndjson.000005").exists());
    assert!(!path.with_file_name("events.ndjson.000003").exists());
}

#[tokio::test]
async fn a_batch_that_is_larger_than_a_file_gets_one_of_its_own() {
    let rotation = Rotation {
        bytes_max: Some(1 << 10),
        age_max: Some(Duration::from_secs(3_600)),
        keep: None,
    };
    let subject = subject_with(|settings| settings.rotation = rotation);
    let sink = opened(&subject, 1).await;
    deliver(&*sink, batch(0..100)).await;
    deliver(&*sink, batch(100..101)).await;
    let files = files(&path_of(&subject));
    let lines: Vec<_> = files.iter().map(|(_, text)| text.lines().count()).collect();
    assert_eq!(lines, [1, 100]);
}
