//! What does a start say about a file that cannot be used?

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use tidegate_sinks::Sink;
use tidegate_sinks::sqlite::{Settings, SqliteSink};

use super::place;

/// The message of a start that fails, without its beginning, which names the path.
fn refusal(path: &Path) -> String {
    let error = SqliteSink::start(Settings::new(path, "sqlite")).unwrap_err().to_string();
    let begin = format!("cannot use database {}: ", path.display());
    error.strip_prefix(&begin).unwrap_or_else(|| panic!("{error}")).to_owned()
}

#[tokio::test]
async fn missing_directories_are_created() {
    let (path, _directory) = place();
    let path = path.with_file_name("a").join("b").join("events.db");
    SqliteSink::start(Settings::new(&path, "sqlite")).unwrap().close().await;
    assert!(path.exists());
}

#[tokio::test]
async fn a_path_is_only_a_path_whatever_it_looks_like() {
    let (path, directory) = place();
    let path = path.with_file_name("file:it's ? 100% #1.db");
    SqliteSink::start(Settings::new(&path, "sqlite")).unwrap().close().await;
    let names: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(names, [path]);
}

#[test]
fn a_setting_out_of_bounds() {
    let (path, _directory) = place();
    let settings = Settings { cache_bytes: 7, ..Settings::new(&path, "sqlite") };
    let said = SqliteSink::start(settings).unwrap_err().to_string();
    let bound = "cache_bytes is 7, but must be between 1048576 and 4294967296";
    assert_eq!(said, format!("cannot use database {}: {bound}", path.display()));
    assert!(!path.exists());
}

#[test]
fn a_directory_that_cannot_be_created() {
    let (path, _directory) = place();
    fs::write(&path, "").unwrap();
    let said = refusal(&path.join("sub").join("events.db"));
    let expected = format!(
        "its directory {}/sub cannot be created: Not a directory (os error 20). Create it, or give \
         the sink another path",
        path.display()
    );
    assert_eq!(said, expected);
}

#[test]
fn a_directory_in_place_of_the_file() {
    let (path, _directory) = place();
    fs::create_dir(&path).unwrap();
    let expected = format!(
        "unable to open database file: {}. Check that its directory exists and that this user may \
         write there",
        path.display()
    );
    assert_eq!(refusal(&path), expected);
}

#[test]
fn a_file_that_is_no_database_is_left_as_it_is() {
    let (path, _directory) = place();
    let text = "these are somebody's notes\n".repeat(100);
    fs::write(&path, &text).unwrap();
    let expected = "file is not a database. Move the file away, or give the sink another path";
    assert_eq!(refusal(&path), expected);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_newer_layout() {
    let (path, _directory) = place();
    SqliteSink::start(Settings::new(&path, "sqlite")).unwrap().close().await;
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    let expected = "its layout is version 2, and this tidegate knows versions up to 1. Use the \
                    newer tidegate that wrote it, or another path";
    assert_eq!(refusal(&path), expected);
}

#[test]
fn an_events_table_of_somebody_else_is_left_as_it_is() {
    let (path, _directory) = place();
    let db = Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE Events (id INTEGER PRIMARY KEY)").unwrap();
    let before = fs::read(&path).unwrap();
    let expected = "it has a table `Events` that tidegate did not create. Rename it, or give the \
                    sink a path of its own";
    assert_eq!(refusal(&path), expected);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_database_of_another_application_is_left_as_it_is() {
    let (path, _directory) = place();
    let db = Connection::open(&path).unwrap();
    db.execute_batch("PRAGMA user_version = 7; CREATE TABLE theirs (id)").unwrap();
    let before = fs::read(&path).unwrap();
    let expected = "it belongs to another application (application_id 0, user_version 7). Give the \
                    sink a path of its own";
    assert_eq!(refusal(&path), expected);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn tables_of_others_beside_ours_are_welcome() {
    let (path, _directory) = place();
    let db = Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE theirs (id); INSERT INTO theirs VALUES (1)").unwrap();
    SqliteSink::start(Settings::new(&path, "sqlite")).unwrap().close().await;
    SqliteSink::start(Settings::new(&path, "sqlite")).unwrap().close().await;
    assert_eq!(super::number(&path, "SELECT count(*) FROM theirs"), 1);
}

#[tokio::test]
async fn a_table_that_was_altered() {
    let (path, _directory) = place();
    SqliteSink::start(Settings::new(&path, "sqlite")).unwrap().close().await;
    let db = Connection::open(&path).unwrap();
    db.execute_batch("ALTER TABLE events RENAME COLUMN class TO kind").unwrap();
    let expected = "its table `events` was altered (table events has no column named class). \
                    Restore the documented columns, or rename the table: it is created anew";
    assert_eq!(refusal(&path), expected);
}

#[tokio::test]
async fn more_columns_and_indexes_of_the_users_own_are_welcome() {
    let (path, _directory) = place();
    SqliteSink::start(Settings::new(&path, "sqlite")).unwrap().close().await;
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "ALTER TABLE events ADD COLUMN note TEXT; CREATE INDEX by_time ON events (timestamp)",
    )
    .unwrap();
    SqliteSink::start(Settings::new(&path, "sqlite")).unwrap().close().await;
}
