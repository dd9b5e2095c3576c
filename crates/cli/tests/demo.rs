//! The demo through the real binary: it comes to its end, tells the truth about what is in the
//! database, and leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, which is what it is for")]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use common::tidegate;
use serde_json::Value;

/// The demo with these flags and its temporary files under `dir`.
fn demo(dir: &Path, flags: &[&str]) -> Command {
    let mut command = tidegate();
    command.arg("demo").args(flags).env("TMPDIR", dir).stdin(Stdio::null());
    command
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).unwrap().next().is_none()
}

/// Processes whose command line names this directory: servers that the demo started. Known only
/// where there is `/proc`.
fn servers(dir: &Path) -> Vec<String> {
    let name = dir.to_str().unwrap();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().map_while(Result::ok);
    let line = |process: std::fs::DirEntry| std::fs::read_to_string(process.path().join("cmdline"));
    let lines = processes.filter_map(|process| line(process).ok());
    lines.filter(|line| line.contains("serve") && line.contains(name)).collect()
}

#[test]
fn a_quick_demo_compares_all_sizes_loses_nothing_and_cleans_up() {
    let dir = tempfile::tempdir().unwrap();
    let output =
        demo(dir.path(), &["--quick", "--format", "json", "--seed", "7"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();

    let watched = &report["watched"];
    let accepted = watched["accepted"].as_u64().unwrap();
    assert!(accepted > 0, "{report:#}");
    for count in ["acknowledged", "delivered", "rows"] {
        assert_eq!(watched[count], accepted, "{count} in {report:#}");
    }
    assert_eq!(watched["seed"], 7);
    assert!(watched["drained_seconds"].is_number(), "{report:#}");
    let phases = watched["chapters"].as_array().unwrap().iter().map(|chapter| &chapter["phase"]);
    let phases: Vec<_> = phases.map(|phase| phase.as_str().unwrap()).collect();
    assert!(phases.starts_with(&["before", "neighbour", "after"]), "{phases:?}");

    let rows = report["rows"].as_array().unwrap();
    let plans: Vec<_> = rows.iter().map(|row| row["plan"].as_str().unwrap()).collect();
    assert_eq!(plans, ["adaptive", "10", "100", "1000", "5000", "adaptive"]);
    for row in rows {
        let figure = |name: &str| row[name].as_f64().unwrap();
        assert!(figure("delivered") > 0.0 && figure("per_second") > 0.0, "{row:#}");
        assert!(figure("commits") > 0.0 && figure("attempt_ms_p99") > 0.0, "{row:#}");
        assert!(figure("delivered") <= figure("accepted"), "{row:#}");
    }
    let winner = report["verdict"]["winner"].as_str().unwrap();
    assert!(["asked", "fixed", "draw"].contains(&winner));
    assert_eq!(report["kept"], Value::Null);
    assert!(stderr.starts_with("The dashboard is at http://127.0.0.1:"), "{stderr}");
    assert!(stderr.contains("A neighbour has come"), "{stderr}");

    assert!(is_empty(dir.path()), "files are left");
    assert_eq!(servers(dir.path()), Vec::<String>::new());
}

#[test]
fn an_interrupted_demo_cleans_up_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = demo(dir.path(), &["--rate", "1k"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // It has begun: the server is up, and load on its way.
    lines.next().unwrap().unwrap();
    assert_eq!(servers(dir.path()).len(), usize::from(cfg!(target_os = "linux")));
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(is_empty(dir.path()), "files are left");
    assert_eq!(servers(dir.path()), Vec::<String>::new());
}

#[test]
fn what_is_kept_stays_up_until_it_is_told_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["--quick", "--no-compare", "--keep", "--format", "json"];
    let mut child = demo(dir.path(), &flags).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let child = child.as_mut().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let report: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(report["rows"], Value::Array(Vec::new()));
    let url = format!("{}/api/metrics", report["kept"]["url"].as_str().unwrap());
    let metrics = common::agent().get(&url).call().unwrap().body_mut().read_to_string().unwrap();
    let metrics: Value = serde_json::from_str(&metrics).unwrap();
    assert_eq!(metrics["lanes"][0]["delivered"], report["watched"]["rows"]);

    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    stdout.read_to_string(&mut line).unwrap();
    assert_eq!(servers(dir.path()), Vec::<String>::new());
    let kept = Path::new(report["kept"]["dir"].as_str().unwrap());
    let rows: i64 = common::query(kept, "SELECT count(*) FROM events");
    assert_eq!(report["watched"]["rows"], rows);
}

#[test]
fn wrong_flags_are_refused_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    for (flags, message) in [
        (&["--initial-batch", "0"][..], "--initial-batch is 0, but must be"),
        (&["--min-batch", "200", "--max-batch", "100"], "--max-batch is 100, but must be"),
        (&["--rate", "1"], "--rate is 1, but must be from 100 to 10M"),
        (&["--adjust-factor", "0.5"], "--adjust-factor is of the controller load_score"),
        (&["--workers", "0", "--target", "9h"], "--workers is 0"),
    ] {
        let output = demo(dir.path(), flags).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(message), "{stderr}");
        assert!(output.stdout.is_empty() && is_empty(dir.path()));
    }
}

#[test]
fn a_demo_without_a_database_compares_what_it_measured() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["--backend", "simulated", "--backend-pattern", "sine", "--quick"];
    let output = demo(dir.path(), &[&flags[..], &["--format", "json"]].concat()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let runs = report["runs"].as_array().unwrap();
    let plans: Vec<_> = runs.iter().map(|run| run["plan"].as_str().unwrap()).collect();
    assert_eq!(plans, ["joint", "10", "100", "1000", "5000", "joint"]);
    // Whoever sends single batches of ten is bound by the fixed cost, on any machine.
    let goodput = |run: usize| runs[run]["timely_per_second"].as_f64().unwrap();
    assert!(goodput(1) > 0.0 && goodput(3) > 3.0 * goodput(1), "{report:#}");
    assert!(is_empty(dir.path()));

    let output = demo(dir.path(), &["--backend-pattern", "sine"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("add --backend simulated"));
    let output = demo(dir.path(), &["--backend", "simulated", "--keep"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
