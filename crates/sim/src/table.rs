//! How does a person read it? Markdown tables that also read well as plain text, one for each
//! group of scenarios, written to wherever they belong.

use std::io::{self, Write};

use crate::row::Row;

const HEADS: [&str; 13] = [
    "scenario",
    "controller",
    "goodput/s",
    "oracle's plan",
    "its",
    "steady",
    "whole",
    "worst",
    "÷ static",
    "settle s",
    "miss %",
    "p99 ms",
    "429/m",
];

/// Columns that hold words, not numbers.
const WORDS: [&str; 12] = [
    "scenario",
    "controller",
    "claim",
    "measured",
    "static plan",
    "holds",
    "judged",
    "group",
    "asked",
    "decided by",
    "without",
    "earns most in",
];

/// Writes the rows, a line a scenario and controller.
///
/// # Errors
///
/// Whatever the writer reports.
pub fn write(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    markdown(out, &HEADS, &rows.iter().map(cells).collect::<Vec<_>>())?;
    let mut told: Vec<&str> = Vec::new();
    for row in rows {
        for remark in row.remarks.iter().filter(|_| !told.contains(&row.scenario.as_str())) {
            writeln!(out, "\n{}: {remark}", row.scenario)?;
        }
        told.push(&row.scenario);
    }
    Ok(())
}

/// Writes a Markdown table whose columns are as wide as they have to be; numbers to the right.
///
/// # Errors
///
/// Whatever the writer reports.
pub fn markdown(out: &mut impl Write, heads: &[&str], lines: &[Vec<String>]) -> io::Result<()> {
    let width = |(column, head): (usize, &&str)| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).fold(head.chars().count(), usize::max)
    };
    let columns: Vec<(usize, bool)> = heads
        .iter()
        .enumerate()
        .map(width)
        .zip(heads.iter().map(|head| WORDS.contains(head)))
        .collect();
    let heads: Vec<String> = heads.iter().map(|&head| head.to_owned()).collect();
    let rules: Vec<String> = columns.iter().map(|column| rule(*column)).collect();
    for line in [&heads, &rules].into_iter().chain(lines) {
        for (cell, (width, words)) in line.iter().zip(&columns) {
            if *words {
                write!(out, "| {cell:width$} ")?;
            } else {
                write!(out, "| {cell:>width$} ")?;
            }
        }
        writeln!(out, "|")?;
    }
    Ok(())
}

fn rule((width, words): (usize, bool)) -> String {
    if words { "-".repeat(width) } else { format!("{}:", "-".repeat(width.saturating_sub(1))) }
}

fn cells(row: &Row) -> Vec<String> {
    vec![
        row.scenario.clone(),
        row.controller.clone(),
        format!("{:.0}", row.goodput),
        row.oracle_plan.to_string(),
        format!("{:.0}", row.oracle_goodput),
        optional(row.steady_ratio, 3),
        optional(row.whole_ratio, 3),
        optional(row.worst_seed_ratio, 3),
        optional(row.vs_best_static, 3),
        optional(row.settle_seconds_median, 2),
        format!("{:.2}", row.miss_ratio * 100.0),
        optional(row.p99_seconds.map(|seconds| seconds * 1e3), 1),
        format!("{:.1}", row.refusals_per_minute),
    ]
}

/// A number with that many digits, or a dash where it does not apply.
#[must_use]
pub fn optional(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}
