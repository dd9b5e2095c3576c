//! Invariant: an item costs no more instructions than stated, which no noise of the machine moves.
//!
//! Valgrind counts those of the whole program for a small and for a large number of items; the
//! difference is what the items cost. Counts of a debug build say nothing, so it runs with
//! `cargo test --release` (`make gates`).
#![expect(clippy::print_stdout, reason = "the figures are worth a line")]
#![expect(clippy::panic, reason = "a gate that cannot be measured must not pass")]

use std::process::Command;

/// Instructions that callgrind counts for a run of the program.
fn instructions(case: &str, producers: u64, items: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env!("CARGO_BIN_EXE_library-cost"))
        .args([case, &producers.to_string(), &items.to_string()])
        .output()
        .unwrap_or_else(|error| {
            panic!("valgrind does not start ({error}): run `make needs-tests`")
        });
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let count = told.lines().find_map(|line| line.split_once("Collected : ")?.1.parse().ok());
    count.unwrap_or_else(|| panic!("callgrind told no count:\n{told}"))
}

/// Instructions an item: the middle one of three measurements, since two workers still interleave
/// in more than one way.
fn per_item(case: &str, producers: u64, items: u64) -> u64 {
    let mut each: Vec<u64> = (0..3)
        .map(|_| {
            let few = instructions(case, producers, items / 10);
            let many = instructions(case, producers, items);
            many.saturating_sub(few) / (items - items / 10)
        })
        .collect();
    each.sort_unstable();
    println!("{case}, P = {producers}: {each:?} instructions an item");
    each[1]
}

#[test]
#[cfg_attr(debug_assertions, ignore = "counts of a debug build say nothing: make gates")]
fn add_costs_at_most_150_instructions() {
    let each = per_item("add", 4, 100_000);
    assert!(each <= 150, "{each} instructions an item");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "counts of a debug build say nothing: make gates")]
fn submit_costs_at_most_900_instructions() {
    let each = per_item("submit", 64, 50_000);
    // The aim is 800, of which the runtime's own switch of tasks is about half.
    assert!(each <= 900, "{each} instructions an item");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "counts of a debug build say nothing: make gates")]
fn a_lone_submit_costs_at_most_2600_instructions() {
    let each = per_item("submit", 1, 50_000);
    // Through the driver's task, with two switches of tasks, it was 3,660.
    assert!(each <= 2_600, "{each} instructions an item");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "counts of a debug build say nothing: make gates")]
fn a_local_handle_costs_at_most_60_instructions() {
    let each = per_item("local", 4, 100_000);
    // A dozen of them are the loop that calls it.
    assert!(each <= 60, "{each} instructions an item");
}
