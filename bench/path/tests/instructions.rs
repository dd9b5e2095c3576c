//! Invariant: an event costs the instructions that `bench/path/baseline.txt` states, within 3 %.
//!
//! Valgrind counts those of the whole program for few and for many requests; the difference is what
//! the requests cost, and no noise of the machine moves it. Who makes the way dearer, or cheaper,
//! writes the file anew and says why in the commit:
//!
//! ```sh
//! TIDEGATE_WRITE=1 cargo test --release -p tidegate-path-bench --test instructions
//! ```
//!
//! Another compiler may count otherwise: the file names the one it was written with.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a gate that cannot be measured must not pass"
)]

use std::process::Command;

use tidegate_path_bench::{Case, EVENTS};

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.txt");
const FEW: u64 = 50;
const MANY: u64 = 250;
/// Most that a figure may be away from the one that is written down.
const TOLERANCE: f64 = 0.03;

/// Instructions that callgrind counts for a run of the program.
fn instructions(case: &str, requests: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env!("CARGO_BIN_EXE_path-cost"))
        .args([case, &requests.to_string()])
        .output()
        .unwrap_or_else(|error| {
            panic!("valgrind does not start ({error}): run `make needs-tests`")
        });
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let count = told.lines().find_map(|line| line.split_once("Collected : ")?.1.parse().ok());
    count.unwrap_or_else(|| panic!("callgrind told no count:\n{told}"))
}

fn per_event(case: &str) -> u64 {
    let events = (MANY - FEW) * EVENTS;
    instructions(case, MANY).saturating_sub(instructions(case, FEW)) / events
}

fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().unwrap();
    let version = String::from_utf8_lossy(&output.stdout);
    version.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[test]
#[cfg_attr(debug_assertions, ignore = "counts of a debug build say nothing: make gates")]
fn an_event_costs_what_is_written_down() {
    let mut written = format!("compiler: {}\n", compiler());
    for (name, _) in Case::ALL {
        written.push_str(&format!("{name}: {}\n", per_event(name)));
    }
    println!("{written}");
    if std::env::var_os("TIDEGATE_WRITE").is_some() {
        std::fs::write(BASELINE, &written).unwrap();
    }
    let stated = std::fs::read_to_string(BASELINE)
        .unwrap_or_else(|error| panic!("{BASELINE}: {error}. Write it: see above"));
    let figure = |text: &str, name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("{BASELINE} says nothing of {name}")).parse().unwrap()
    };
    for (name, _) in Case::ALL {
        let (now, then) = (figure(&written, name), figure(&stated, name));
        let change = now / then - 1.0;
        assert!(
            change.abs() <= TOLERANCE,
            "{name}: {now} instructions an event, {then} are written down ({:+.1} %).\n{stated}",
            change * 100.0
        );
    }
}
