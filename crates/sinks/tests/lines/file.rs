//! What does the file sink do with its file: begin it, find it torn, moved, locked, full?

use std::fs;
use std::path::{Path, PathBuf};

use tidegate_sinks::Sink;
use tidegate_sinks::file::{FileSink, Settings};

use super::contract::at_least_once::assert_arrived;
use super::contract::json::all_stored;
use super::contract::{self, Subject, assert_stored, batch, deliver, opened, origin};
use super::why;

contract::suite!(at_least_once: subject);

/// A subject on a file of its own.
pub(crate) fn subject() -> Subject {
    subject_with(|_| {})
}

/// A subject with settings that are changed like this.
pub(crate) fn subject_with(change: impl FnOnce(&mut Settings)) -> Subject {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.ndjson");
    let mut settings = Settings::new(&path);
    change(&mut settings);
    Subject {
        start: Box::new(move || Box::new(FileSink::start(settings.clone()).unwrap())),
        stored: Box::new(move || {
            let text = fs::read_to_string(&path).unwrap_or_default();
            Box::pin(async move { all_stored(text.split_terminator('\n')) })
        }),
        keep: Box::new(directory),
    }
}

pub(crate) fn path_of(subject: &Subject) -> PathBuf {
    subject.keep.downcast_ref::<tempfile::TempDir>().unwrap().path().join("events.ndjson")
}

/// The message of a start that fails, without its beginning, which names the path.
fn refusal(path: &Path) -> String {
    let error = FileSink::start(Settings::new(path)).unwrap_err().to_string();
    let begin = format!("cannot use file {}: ", path.display());
    error.strip_prefix(&begin).unwrap_or_else(|| panic!("{error}")).to_owned()
}

#[tokio::test]
async fn a_torn_last_line_is_cut_and_nothing_else() {
    let subject = subject();
    let path = path_of(&subject);
    let sink = opened(&subject, 1).await;
    deliver(&*sink, batch(0..10)).await;
    sink.close().await;
    let whole = fs::read(&path).unwrap();
    // Wherever a crash ends the write of one more line.
    let next = br#"{"_id":"0000:10","body":"the next"}"#;
    for length in [1, 2, next.len()] {
        fs::write(&path, [whole.as_slice(), &next[..length]].concat()).unwrap();
        (subject.start)().close().await;
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
    let sink = opened(&subject, 2).await;
    deliver(&*sink, batch(10..20)).await;
    assert_stored(&subject, 0..20).await;
}

#[test]
fn a_last_line_of_somebody_else_is_left_as_it_is() {
    let subject = subject();
    let path = path_of(&subject);
    let text = "somebody's notes\nwithout an end";
    fs::write(&path, text).unwrap();
    assert_eq!(
        refusal(&path),
        "its last line has no end and is no event: it is left as it is. End the line, or give the \
         sink another path"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_file_that_was_moved_or_deleted_is_begun_anew() {
    let subject = subject();
    let path = path_of(&subject);
    let sink = opened(&subject, 1).await;
    deliver(&*sink, batch(0..10)).await;
    fs::rename(&path, path.with_extension("old")).unwrap();
    deliver(&*sink, batch(10..20)).await;
    assert_stored(&subject, 10..20).await;
    fs::remove_file(&path).unwrap();
    deliver(&*sink, batch(20..30)).await;
    assert_stored(&subject, 20..30).await;
    assert_eq!(fs::read_to_string(path.with_extension("old")).unwrap().lines().count(), 10);
}

#[tokio::test]
async fn two_sinks_do_not_share_a_file() {
    let subject = subject();
    let path = path_of(&subject);
    let sink = opened(&subject, 1).await;
    assert_eq!(
        refusal(&path),
        "another process has it open for writing. Stop that one, or give the sink another path"
    );
    deliver(&*sink, batch(0..10)).await;
    sink.close().await;
    FileSink::start(Settings::new(&path)).unwrap().close().await;
}

#[tokio::test]
async fn a_full_disk_is_told_and_survived() {
    let subject = subject();
    let path = path_of(&subject);
    let sink = opened(&subject, 1).await;
    deliver(&*sink, batch(0..10)).await;
    // The name leads to a device without room, as it would when the disk behind it has filled up.
    fs::rename(&path, path.with_extension("kept")).unwrap();
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let expected = format!(
        "file {}: cannot write: No space left on device (os error 28). Free space on the disk, or \
         let `rotation` keep fewer files",
        path.display()
    );
    assert_eq!(why(sink.deliver(batch(10..20)).await), expected);
    fs::rename(path.with_extension("kept"), &path).unwrap();
    deliver(&*sink, batch(10..20)).await;
    assert_stored(&subject, 0..20).await;
}

#[tokio::test]
async fn missing_directories_are_created_and_what_is_no_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a").join("b").join("events.ndjson");
    FileSink::start(Settings::new(&path)).unwrap().close().await;
    assert!(path.exists());
    assert_eq!(
        refusal(directory.path()),
        "cannot open it: Is a directory (os error 21). Give the sink the path of a file"
    );
    assert!(refusal(&path.join("c")).starts_with("cannot create its directory: "));
}

#[tokio::test]
async fn the_id_may_have_another_name() {
    let subject = subject_with(|settings| {
        settings.id_field = "event.id".to_owned();
        settings.fsync = false;
    });
    let sink = opened(&subject, 1).await;
    deliver(&*sink, batch(0..1)).await;
    let text = fs::read_to_string(path_of(&subject)).unwrap();
    let id = format!("{}:0", origin(1).journal);
    assert!(text.starts_with(&format!("{{\"event.id\":\"{id}\",")), "{text}");
}

#[tokio::test]
async fn a_batch_that_was_in_the_file_before_a_restart_may_be_there_twice() {
    let subject = subject();
    let sink = opened(&subject, 1).await;
    deliver(&*sink, batch(0..10)).await;
    sink.close().await;
    let sink = opened(&subject, 2).await;
    deliver(&*sink, batch(5..15)).await;
    assert_arrived(&subject, 0..15).await;
    assert_eq!((subject.stored)().await.len(), 20);
}
