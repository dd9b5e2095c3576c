//! Does the program run from end to end, and leave nothing behind? A few seconds of each backend.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like the tests themselves")]

use std::path::Path;
use std::process::{Command, Output};

fn backends(arguments: &[&str], out: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_backends"))
        .args(arguments)
        .arg("--out")
        .arg(out)
        .output()
        .unwrap()
}

fn rounds(backend: &str, more: &[&str]) -> serde_json::Value {
    let out = tempfile::tempdir().unwrap();
    let mut arguments = vec!["rounds", "--backend", backend, "--controller", "aimd,fixed:500x2"];
    arguments.extend([
        "--rounds",
        "1",
        "--round-seconds",
        "1",
        "--timeline",
        "aimd",
        "--warm-up-seconds",
        "0.2",
    ]);
    arguments.extend(more);
    let output = backends(&arguments, out.path());
    let (said, progress) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{progress}");
    assert!(progress.contains("round 1/1, aimd:"), "{progress}");
    assert!(said.contains("| 500x2 |") && said.contains("a full batch of"), "{said}");
    let case = progress.lines().next().unwrap().split(':').next().unwrap().to_owned();
    let traces = out.path().join("traces");
    for file in ["aimd-1.csv", "aimd-1-decisions.csv", "500x2-1.csv"] {
        let text = std::fs::read_to_string(traces.join(format!("{case}-{file}"))).unwrap();
        assert!(text.starts_with("# version=1\n") && text.lines().count() > 10, "{text}");
    }
    let page = out.path().join("page");
    std::fs::create_dir(&page).unwrap();
    let report = backends(&["report", "--page", page.to_str().unwrap()], out.path());
    assert!(report.status.success(), "{report:?}");
    let text = std::fs::read_to_string(page.join("RESULTS.md")).unwrap();
    assert!(text.contains(&format!("### {case}")), "{text}");
    let json = std::fs::read_to_string(out.path().join(format!("rounds-{case}.json"))).unwrap();
    serde_json::from_str(&json).unwrap()
}

/// Every contender delivered something, and nothing failed.
fn check(results: &serde_json::Value) {
    let entries = results["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    for entry in entries {
        let whole = &entry["summary"]["whole"];
        assert!(whole["goodput"]["median"].as_f64().unwrap() > 0.0, "{entry}");
        assert_eq!(whole["errors"], 0, "{entry}");
    }
    assert_eq!(results["best_static"]["whole"], "500x2");
}

#[test]
fn sqlite_runs() {
    check(&rounds("sqlite", &[]));
}

#[test]
fn postgres_runs_through_a_network() {
    check(&rounds("postgres", &["--round-trip-ms", "2"]));
}

#[test]
fn the_stand_in_runs_and_is_slowed_down_in_the_middle() {
    let fast = ["--http-base-ms", "2", "--http-item-us", "1", "--disturb"];
    let results = rounds("http", &fast);
    check(&results);
    let phases = &results["entries"][1]["summary"];
    let goodput = |phase: &str| phases[phase]["goodput"]["median"].as_f64().unwrap();
    assert!(goodput("disturbed") < goodput("calm") / 2.0, "{phases}");
}

#[test]
fn items_that_arrive_have_a_delivery_latency() {
    let arriving =
        ["--arrivals", "constant:20000", "--target-of", "delivery", "--target-ms", "500"];
    let out = tempfile::tempdir().unwrap();
    let mut arguments = vec!["rounds", "--backend", "sqlite", "--controller", "fixed:500x1"];
    arguments.extend(["--rounds", "1", "--round-seconds", "1"]);
    arguments.extend(arriving);
    let output = backends(&arguments, out.path());
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("delivery p50 / p99 ms"), "{said}");
}

/// The server's program: built beside this one, since a test of one package builds no other's.
fn product() -> std::path::PathBuf {
    let built = Command::new(env!("CARGO")).args(["build", "-p", "tidegate-cli"]).status().unwrap();
    assert!(built.success());
    Path::new(env!("CARGO_BIN_EXE_backends")).with_file_name("tidegate")
}

#[test]
fn the_whole_server_runs_from_a_backlog_and_is_taken_up_again() {
    let (out, program) = (tempfile::tempdir().unwrap(), product());
    let run = |rounds: &str, more: &[&str]| {
        let mut arguments = vec!["rounds", "--through", "product", "--backend", "sqlite"];
        arguments.extend(["--program", program.to_str().unwrap(), "--backlog", "100000"]);
        arguments.extend(["--controller", "joint,fixed:100x1", "--round-seconds", "1"]);
        arguments.extend(["--warm-up-seconds", "0", "--rounds", rounds]);
        arguments.extend(more);
        let output = backends(&arguments, out.path());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        let json = std::fs::read_to_string(out.path().join("rounds-product-sqlite.json")).unwrap();
        (serde_json::from_str::<serde_json::Value>(&json).unwrap(), said)
    };
    let (first, _) = run("1", &[]);
    let of = |results: &serde_json::Value, entry: usize, round: usize| {
        results["entries"][entry]["runs"][round].clone()
    };
    for entry in 0..2 {
        let product = &of(&first, entry, 0)["product"];
        let count = |name: &str| product[name].as_u64().unwrap();
        // What the server says is what the database has, but for what was in flight at the end.
        assert!(count("delivered") > 0, "{first}");
        assert!(count("taken") >= count("delivered"), "{first}");
        assert!(count("taken") <= count("delivered") + 20_000, "{first}");
    }
    let (again, said) = run("2", &["--resume"]);
    assert!(!said.contains("round 1/2") && said.contains("round 2/2"), "{said}");
    assert_eq!(of(&again, 0, 0), of(&first, 0, 0), "the first round is as it was");
    assert!(of(&again, 1, 1)["phases"]["whole"]["goodput"].as_f64().unwrap() > 0.0, "{again}");
}

#[test]
fn what_arrives_comes_through_the_door_of_the_server() {
    let (out, program) = (tempfile::tempdir().unwrap(), product());
    let mut arguments = vec!["rounds", "--through", "product", "--backend", "http"];
    arguments.extend(["--program", program.to_str().unwrap(), "--http-base-ms", "2"]);
    arguments.extend(["--arrivals", "turns:1000,5000,20000", "--controller", "joint"]);
    arguments.extend(["--round-seconds", "3", "--rounds", "1", "--warm-up-seconds", "0"]);
    let output = backends(&arguments, out.path());
    let (said, progress) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{progress}");
    assert!(said.contains("source in bursts"), "{said}");
    let json = std::fs::read_to_string(out.path().join("rounds-product-http.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&json).unwrap();
    let run = &results["entries"][0]["runs"][0];
    assert!(run["product"]["acknowledged"].as_u64().unwrap() > 1_000, "{run}");
    assert!(run["delivery_p50_s"].as_f64().unwrap() > 0.0, "{run}");
}

#[test]
fn what_is_refused_is_refused_before_anything_starts() {
    let out = tempfile::tempdir().unwrap();
    for (arguments, why) in [
        (&["--controller", "vegans"][..], "\"vegans\" is no controller"),
        (&["--controller", "fixed:0x1"], "no whole number above 0"),
        (&["--controller", "fixed:30000x1"], "batch_size.initial is 30000"),
        (&["--controller", "best"], "run the sweep of sqlite first"),
        (&["--controller", "aimd", "--round-seconds", "0"], "between .5 and 3600"),
        (&["--controller", "aimd", "--rounds", "0"], "--rounds"),
        (&["--controller", "aimd", "--arrivals", "tide"], "is no source"),
        (&["--controller", "aimd", "--target-of", "delivery"], "needs items that arrive"),
        (&["--controller", "aimd", "--target-ms", "0"], "must be 1 to 3600000"),
    ] {
        let mut all = vec!["rounds", "--backend", "sqlite"];
        all.extend(arguments);
        let output = backends(&all, out.path());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(why), "{arguments:?}: {said}");
    }
}
