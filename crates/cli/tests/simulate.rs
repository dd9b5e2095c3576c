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

#[test]
fn what_was_recorded_is_replayed_as_a_source_or_as_a_backend() {
    let dir = tempfile::tempdir().unwrap();
    let lines: String = (0..3_000).map(|at| format!("{at},20\n")).collect();
    let arrivals = format!("# tidegate arrivals 1\nat_ms,items\n{lines}");
    std::fs::write(dir.path().join("arrivals.csv"), arrivals).unwrap();
    std::fs::write(dir.path().join("mine.yaml"), SCENARIO).unwrap();
    let json = |flags: &[&str]| -> Value {
        let all = [flags, &["--controller", "fixed", "--seeds", "1", "--format", "json"]].concat();
        let output = simulate(dir.path(), &all);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let rows = json(&["mine.yaml", "--replay", "arrivals.csv"]);
    assert!(rows[0]["timely_share"].as_f64().unwrap() > 0.9, "{rows:#}");

    let head = "# version=1\n# case=recorded\n# target_s=0.05\n";
    let columns =
        "sent_s,latency_s,items,planned,in_flight,full,outcome,retry_after_s,epoch,phase\n";
    let mut trace = format!("{head}{columns}");
    for index in 0..200_u32 {
        let (at, items) = (f64::from(index) * 0.02, 100 + 100 * (index % 9));
        let latency = 0.002 + 10e-6 * f64::from(items);
        trace += &format!("{at:.3},{latency:.6},{items},{items},1,1,ok,,0,calm\n");
    }
    std::fs::write(dir.path().join("run.csv"), trace).unwrap();
    let rows = json(&["--replay", "run.csv"]);
    assert_eq!(rows[0]["scenario"], "recorded");
    assert!(rows[0]["goodput"].as_f64().unwrap() > 10_000.0, "{rows:#}");

    assert!(refused(dir.path(), &["--replay", "none.csv"]).contains("cannot read the recording"));
    let said = refused(dir.path(), &["--replay", "mine.yaml"]);
    assert!(said.contains("no column sent_s") && said.contains("# tidegate arrivals 1"), "{said}");
}
