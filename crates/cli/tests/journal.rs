//! `tidegate journal` on journals of stopped, killed and damaged servers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Output;

use common::{Server, query, tidegate};
use serde_json::Value;

fn journal(args: &[&str], dir: &Path) -> Output {
    tidegate().arg("journal").args(args).arg(dir).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn json(args: &[&str], dir: &Path) -> Value {
    let output = journal(&[args, &["--format", "json"]].concat(), dir);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output)))
}

/// Every file of the journal with its content and when it was written.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
    let mut files: Vec<_> = std::fs::read_dir(dir.join("journal"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
            (path.clone(), std::fs::read(&path).unwrap(), modified)
        })
        .collect();
    files.sort();
    files
}

fn segment(dir: &Path) -> PathBuf {
    let found = files(dir).into_iter().map(|(path, ..)| path);
    found.filter(|path| path.extension().is_some_and(|end| end == "seg")).min().unwrap()
}

/// A killed server's directory: ten requests of ten events, `event 0` to `event 99`.
fn killed() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    for from in (0..100).step_by(10) {
        let body: String =
            (from..from + 10).map(|n| format!("{{\"msg\":\"event {n}.\",\"n\":{n}}}\n")).collect();
        assert_eq!(server.post("application/x-ndjson", body).status, 200);
    }
    server.wait_for_metrics(|metrics| metrics["lanes"][0]["backlog"] == 0);
    server.kill();
    dir
}

/// Changes a byte of the event with this number.
fn damage(dir: &Path, event: u32) {
    let path = segment(dir);
    let mut content = std::fs::read(&path).unwrap();
    let needle = format!("event {event}.");
    let at = content.windows(needle.len()).position(|window| window == needle.as_bytes()).unwrap();
    content[at] ^= 1;
    std::fs::write(&path, content).unwrap();
}

#[test]
fn looking_at_a_journal_changes_nothing_and_a_server_that_holds_it_is_respected() {
    let dir = killed();
    let before = files(dir.path());
    let stat = json(&["stat"], dir.path());
    assert_eq!((stat["events"].as_u64(), stat["sound"].as_bool()), (Some(100), Some(true)));
    assert_eq!((&stat["epoch"], &stat["closed_in_order"]), (&Value::from(1), &Value::from(false)));
    assert!(journal(&["verify"], dir.path()).status.success());
    let repair = journal(&["repair", "--write"], dir.path());
    assert!(text(&repair).contains("nothing to mend"), "{}", text(&repair));
    let export = journal(&["export", "--ids", "--from", "95"], dir.path());
    let lines = String::from_utf8(export.stdout).unwrap();
    assert_eq!(lines.lines().count(), 5);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["body"], &first["attributes"]["n"]), (&"event 95.".into(), &95.into()));
    assert!(first["tidegate_id"].as_str().unwrap().ends_with(":95"), "{first}");
    assert_eq!(files(dir.path()), before, "it was changed by looking at it");

    let server = Server::start(dir.path());
    for command in ["stat", "verify", "repair", "export"] {
        let refused = journal(&[command], dir.path());
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused).contains("in use by another process"), "{}", text(&refused));
    }
    assert!(server.stop().0.success());
    let stat = json(&["stat"], dir.path());
    assert_eq!((&stat["epoch"], &stat["closed_in_order"]), (&Value::from(2), &Value::from(true)));
    assert_eq!(stat["lanes"][0]["undelivered"], 0);
    // A copy without a lock file, which cannot be written to.
    let copy = tempfile::tempdir().unwrap();
    for (path, content, _) in files(dir.path()).iter().filter(|(path, ..)| !path.ends_with("lock"))
    {
        std::fs::write(copy.path().join(path.file_name().unwrap()), content).unwrap();
    }
    assert_eq!(json(&["stat"], copy.path()), stat);
    assert!(!copy.path().join("lock").exists());
    let none = tempfile::tempdir().unwrap();
    let refused = journal(&["stat"], none.path());
    assert!(text(&refused).contains("holds no journal"), "{}", text(&refused));
}

#[test]
fn a_damaged_frame_costs_that_frame_and_a_repair_says_so_once() {
    let dir = killed();
    damage(dir.path(), 42);
    let verify = journal(&["verify"], dir.path());
    assert_eq!(verify.status.code(), Some(1));
    assert!(text(&verify).contains("DAMAGE: positions 40..50"), "{}", text(&verify));
    let exported = journal(&["export"], dir.path());
    assert_eq!(exported.status.code(), Some(1));
    assert_eq!(String::from_utf8(exported.stdout).unwrap().lines().count(), 90);
    let before = files(dir.path());
    let plan = journal(&["repair"], dir.path());
    assert_eq!(plan.status.code(), Some(1));
    assert!(text(&plan).contains("positions 40..50 are lost, and nothing else"), "{}", text(&plan));
    assert!(text(&plan).contains("nothing was written"), "{}", text(&plan));
    assert_eq!(files(dir.path()), before);
    let done = json(&["repair", "--write"], dir.path());
    assert_eq!((&done["written"], &done["sound"]), (&true.into(), &true.into()), "{done}");
    assert!(journal(&["verify"], dir.path()).status.success());
    assert_eq!(json(&["stat"], dir.path())["events"], 90);

    // Into another database, from the beginning: all but those ten arrive, and new ones.
    std::fs::remove_file(dir.path().join("events.db")).unwrap();
    // Written a second after the first delivery, so perhaps not at all.
    let _ = std::fs::remove_file(dir.path().join("journal/cursors"));
    let server = Server::start(dir.path());
    assert_eq!(server.post("application/json", r#"{"msg":"new"}"#).status, 200);
    server.wait_for_metrics(|metrics| metrics["lanes"][0]["backlog"] == 0);
    assert!(server.stop().0.success());
    let lost = "SELECT count(*) FROM events WHERE position BETWEEN 40 AND 49";
    assert_eq!(query::<i64>(dir.path(), lost), 0);
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), 91);
}

#[test]
fn a_lost_meta_is_made_again_from_the_segments() {
    let dir = killed();
    let id = json(&["stat"], dir.path())["id"].clone();
    std::fs::write(dir.path().join("journal/meta"), b"nonsense").unwrap();
    let verify = journal(&["verify"], dir.path());
    assert_eq!(verify.status.code(), Some(1));
    assert!(text(&verify).contains("DAMAGE: `meta` is damaged"), "{}", text(&verify));
    let done = json(&["repair", "--write"], dir.path());
    assert_eq!(done["repairs"], serde_json::json!([{ "what": "meta" }]), "{done}");
    let stat = json(&["stat"], dir.path());
    assert_eq!((&stat["id"], &stat["events"], &stat["sound"]), (&id, &100.into(), &true.into()));
    let server = Server::start(dir.path());
    assert_eq!(server.post("application/json", r#"{"msg":"new"}"#).status, 200);
    server.wait_for_metrics(|metrics| metrics["lanes"][0]["backlog"] == 0);
    assert!(server.stop().0.success());
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), 101);
    assert_eq!(query::<i64>(dir.path(), "SELECT max(position) FROM events"), 100);
}
