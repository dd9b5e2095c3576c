//! How do results read? As one table a case and phase, for a terminal and for a page alike.

use std::fmt::Write as _;

use crate::figures::Spread;
use crate::results::{Entry, Phase, Results, Summary};

/// The tables of a case, in Markdown.
pub(crate) fn tables(results: &Results) -> String {
    let mut out = String::new();
    let of = match results.target_of {
        crate::record::Latency::Attempt => "attempt",
        crate::record::Latency::Delivery => "delivery",
    };
    let rounds = results.entries.iter().map(|entry| entry.runs.len()).max().unwrap_or(0);
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        out,
        "### {}\n\n{}; arrivals {}; target {} ms on {of} latency; {rounds} interleaved rounds of \
         {} s.\n\n`backends {}`\n",
        results.case,
        results.backend,
        results.arrivals,
        results.target_ms,
        results.round_s,
        results.command
    );
    for (phase, best) in &results.best_static {
        let by_turns = results.arrivals.starts_with("turns:");
        let name = match phase {
            Phase::Whole if results.disturbed => {
                "whole run, yardstick = best single plan in hindsight"
            }
            Phase::Whole => "whole run, from cold",
            Phase::Steady => "second half",
            Phase::Calm if by_turns => "slow source",
            Phase::Disturbed if by_turns => "source in bursts",
            Phase::After if by_turns => "saturated source",
            Phase::Calm => "calm",
            Phase::Disturbed => "disturbed",
            Phase::After => "after",
        };
        let _ = writeln!(out, "**{name}** (yardstick {best})\n");
        table(&mut out, results, *phase);
    }
    if let Some(trouble) = troubles(results) {
        let _ = writeln!(out, "{trouble}\n");
    }
    out
}

fn table(out: &mut String, results: &Results, phase: Phase) {
    let whole = phase == Phase::Whole;
    let delivery = whole && results.entries.iter().any(|one| delivery(one).is_some());
    let mut head = vec![
        "plan or controller",
        "goodput k/s",
        "÷ best static",
        "misses %",
        "errors",
        "429",
        "attempt p50 / p99 ms",
        "mean size × in flight",
        "settled s",
    ];
    if whole {
        head.push("CPU s per million, client / backend");
    }
    if delivery {
        head.push("delivery p50 / p99 ms");
    }
    let _ = writeln!(out, "| {} |", head.join(" | "));
    let _ = writeln!(out, "|{}", "---|".repeat(head.len()));
    for entry in &results.entries {
        let Some(summary) = entry.summary.get(&phase) else { continue };
        let mut cells = vec![
            entry.name.clone(),
            spread(summary.goodput, 1e-3, 0),
            spread(summary.of_best_static, 1.0, 2),
            spread(summary.miss_ratio, 100.0, 1),
            summary.errors.to_string(),
            summary.throttled.to_string(),
            format!("{:.1} / {:.1}", summary.p50_s.median * 1e3, summary.p99_s.median * 1e3),
            format!("{:.0} × {:.1}", summary.mean_size, summary.mean_in_flight),
            settled(entry, summary),
        ];
        if whole {
            cells.push(cpu(entry, results.round_s));
        }
        if delivery {
            cells.push(self::delivery(entry).unwrap_or_default());
        }
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out.push('\n');
}

fn spread(spread: Spread, scale: f64, digits: usize) -> String {
    let [median, min, max] = [spread.median, spread.min, spread.max].map(|value| value * scale);
    format!("{median:.digits$} ({min:.digits$}–{max:.digits$})")
}

fn settled(entry: &Entry, summary: &Summary) -> String {
    match summary.settling_s {
        None => "–".to_owned(),
        Some(seconds) if summary.settled as usize == entry.runs.len() => format!("{seconds:.2}"),
        Some(seconds) => format!("{seconds:.2} in {} of {}", summary.settled, entry.runs.len()),
    }
}

fn cpu(entry: &Entry, seconds: f64) -> String {
    let both: Vec<(f64, f64)> = entry.runs.iter().map(|run| run.cpu_per_million(seconds)).collect();
    let client = Spread::of(both.iter().map(|(client, _)| *client)).median;
    let backend = Spread::of(both.iter().map(|(_, backend)| *backend)).median;
    format!("{client:.2} / {backend:.2}")
}

fn delivery(entry: &Entry) -> Option<String> {
    let median = |of: fn(&crate::results::RunFigures) -> Option<f64>| {
        let values: Vec<f64> = entry.runs.iter().filter_map(of).collect();
        (!values.is_empty()).then(|| Spread::of(values).median * 1e3)
    };
    let (p50, p99) = (median(|run| run.delivery_p50_s)?, median(|run| run.delivery_p99_s)?);
    Some(format!("{p50:.1} / {p99:.1}"))
}

/// What went wrong first, once a contender.
fn troubles(results: &Results) -> Option<String> {
    let lines: Vec<String> = results
        .entries
        .iter()
        .filter_map(|entry| {
            let trouble = entry.runs.iter().find_map(|run| run.trouble.as_ref())?;
            Some(format!("{}: first error: {trouble}", entry.name))
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}
