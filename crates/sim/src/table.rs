//! How does a person read it? One line a scenario and controller, written to wherever it belongs.

use std::io::{self, Write};

use crate::suite::Row;

/// Writes the rows as a Markdown table that also reads well as plain text.
///
/// # Errors
///
/// Whatever the writer reports.
pub fn write(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    writeln!(
        out,
        "| {:15} | {:10} | {:>9} | {:>14} | {:>9} | {:>6} | {:>6} | {:>6} | {:>8} | {:>8} | {:>6} | {:>6} | {:>5} |",
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
    )?;
    let rule = |width: usize| "-".repeat(width);
    let widths = [15, 10, 9, 14, 9, 6, 6, 6, 8, 8, 6, 6, 5];
    let rules: Vec<String> = widths.into_iter().map(rule).collect();
    writeln!(out, "| {} |", rules.join(" | "))?;
    rows.iter().try_for_each(|row| line(out, row))
}

fn line(out: &mut impl Write, row: &Row) -> io::Result<()> {
    let plan = format!("{} × {:.2}", row.oracle_plan.batch_size, row.oracle_plan.concurrency);
    let optional = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
    };
    writeln!(
        out,
        "| {:15} | {:10} | {:9.0} | {:>14} | {:9.0} | {:6.3} | {:6.3} | {:6.3} | {:8.3} | {:>8} | {:6.2} | {:>6} | {:5.1} |",
        row.scenario,
        row.controller,
        row.goodput,
        plan,
        row.oracle_goodput,
        row.steady_ratio,
        row.whole_ratio,
        row.worst_seed_ratio,
        row.vs_best_static,
        optional(row.settle_seconds_median, 2),
        row.miss_ratio * 100.0,
        optional(row.p99_seconds.map(|seconds| seconds * 1e3), 1),
        row.refusals_per_minute,
    )
}
