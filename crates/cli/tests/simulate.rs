//! The simulator through the real binary: what it answers, and what it refuses with which words.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, which is what it is for")]

mod common;

use std::path::Path;
use std::process::Output;

use common::tidegate;
use serde_json::Value;

const SCENARIO: &str = "
name: mine
duration_s: 5
target: { latency_ms: 50 }
backend: { fixed_ms: 5, per_item_us: 2, cores: 1 }
bounds: { concurrency_max: 2, batch_size_max: 2000 }
";

fn simulate(dir: &Path, flags: &[&str]) -> Output {
    let mut command = tidegate();
    command.arg("simulate").args(flags).current_dir(dir).env("XDG_CACHE_HOME", dir.join("cache"));
    command.output().unwrap()
}

fn refused(dir: &Path, flags: &[&str]) -> String {
    let output = simulate(dir, flags);
    assert_eq!(output.status.code(), Some(78), "{flags:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_file_simply_runs_and_gives_the_same_bytes_on_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mine.yaml"), SCENARIO).unwrap();
    let ask = |threads| {
        let flags =
            ["mine.yaml", "--controller", "aimd", "fixed", "--seeds", "2", "--format", "json"];
        let more = ["--report", "out.html", "--quiet", "--threads", threads];
        let output = simulate(dir.path(), &[&flags[..], &more[..]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (output.stdout, std::fs::read(dir.path().join("out.html")).unwrap())
    };
    let (one, two) = (ask("1"), ask("2"));
    assert_eq!(one, two);
    let rows: Value = serde_json::from_slice(&one.0).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 2);
    for field in [
        "scenario",
        "controller",
        "seeds",
        "goodput",
        "oracle_goodput",
        "oracle_plan",
        "best_static_goodput",
        "best_static_plan",
        "steady_ratio",
        "whole_ratio",
        "worst_seed_ratio",
        "vs_best_static",
        "settle_seconds_median",
        "settle_seconds_worst",
        "settle_batches_median",
        "miss_ratio",
        "p99_seconds",
        "refusals_per_minute",
        "jain",
    ] {
        assert!(rows[0].get(field).is_some(), "{field}");
    }
    assert!(dir.path().join("cache/tidegate/oracles").read_dir().unwrap().next().is_some());
}

#[test]
fn decisions_are_told_with_their_reasons() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mine.yaml"), SCENARIO).unwrap();
    let output =
        simulate(dir.path(), &["mine.yaml", "--controller", "aimd", "--seeds", "1", "--timeline"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("mine, aimd, seed 0: ") && text.contains("raised by 10"), "{text}");
}

#[test]
fn what_is_wrong_is_refused_by_name_value_and_bound() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |flags: &[&str]| refused(dir.path(), flags);
    assert!(
        refused(&["--seeds", "0"]).contains("--seeds is 0, but must be a whole number between 1")
    );
    assert!(refused(&["--seeds", "-3"]).contains("--seeds is -3"));
    assert!(refused(&["--controller", "aimmd"]).contains("did you mean aimd?"));
    assert!(refused(&["--suite", "cannonical"]).contains("did you mean canonical?"));
    assert!(refused(&["--scenario", "pgZ"]).contains("--scenario is pgZ"));
    assert!(refused(&["missing.yaml"]).contains("cannot read the scenario missing.yaml"));
    std::fs::write(dir.path().join("bad.yaml"), SCENARIO.replace("cores: 1", "kores: 1")).unwrap();
    let said = refused(&["bad.yaml"]);
    assert!(
        said.contains("bad.yaml") && said.contains("kores") && said.contains("line 5"),
        "{said}"
    );
    std::fs::write(dir.path().join("out.yaml"), SCENARIO.replace("cores: 1", "cores: 0")).unwrap();
    assert!(
        refused(&["out.yaml"]).contains("backend.cores is 0, but must be between 0.1 and 1024")
    );
    std::fs::write(dir.path().join("mine.yaml"), SCENARIO).unwrap();
    assert!(refused(&["mine.yaml", "mine.yaml"]).contains("two scenarios have the name mine"));
}
