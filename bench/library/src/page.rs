//! The page `bench/LIBRARY.md`: medians over processes, as ratios, beside the aims.

use std::fmt::Write as _;
use std::process::Command;

use crate::Case;

const PRODUCERS: [u64; 4] = [1, 4, 64, 1_000];

/// A way, what it is compared with, and the ratios that are aimed at.
const TABLES: [(Case, Case, [f64; 4]); 3] = [
    (Case::Add, Case::RecvMany, [0.50, 0.40, 0.45, 0.50]),
    (Case::Local, Case::RecvMany, [0.10, 0.10, 0.10, 0.30]),
    (Case::Submit, Case::Oneshot, [0.85, 0.65, 0.45, 0.50]),
];

type Error = Box<dyn std::error::Error>;

/// What another process of this program prints.
fn ask(arguments: &[&str]) -> Result<String, Error> {
    let output = Command::new(std::env::current_exe()?).args(arguments).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Nanoseconds an item, of all cases in turns: a slow minute of the machine is everybody's.
fn measure(producers: u64, processes: usize, items: u64) -> Result<Vec<(Case, f64)>, Error> {
    let p = producers.to_string();
    let mut costs: Vec<(Case, Vec<f64>)> = Case::ALL.map(|case| (case, Vec::new())).into();
    for _ in 0..processes {
        for (case, costs) in &mut costs {
            let items = if case.is_awaited() { items / 8 } else { items };
            costs.push(ask(&[case.name(), &p, &items.to_string()])?.parse()?);
        }
        // The same binary, in the same minute: nobody mixed up, with callers that leave and
        // handlers that panic.
        ask(&["hard", &p, "20000"])?;
    }
    Ok(costs.into_iter().map(|(case, costs)| (case, median(costs))).collect())
}

/// The tables, in Markdown.
///
/// # Errors
///
/// If a process cannot be started, or finds that something is wrong.
pub fn tables(processes: usize, items: u64) -> Result<String, Error> {
    let mut rows = Vec::new();
    for producers in PRODUCERS {
        rows.push((producers, measure(producers, processes, items)?));
    }
    let of = |costs: &[(Case, f64)], case| {
        costs.iter().find(|(other, _)| *other == case).map_or(f64::NAN, |(_, cost)| *cost)
    };
    let mut page = String::new();
    let names: Vec<_> = Case::ALL.iter().map(|case| case.name()).collect();
    writeln!(page, "| ns an item | {} |", names.join(" | "))?;
    writeln!(page, "|---|{}", "---|".repeat(names.len()))?;
    for (producers, costs) in &rows {
        let each: Vec<_> =
            Case::ALL.iter().map(|case| format!("{:.1}", of(costs, *case))).collect();
        writeln!(page, "| P = {producers} | {} |", each.join(" | "))?;
    }
    writeln!(page, "\n| ratio (aim) | P = 1 | 4 | 64 | 1,000 |\n|---|---|---|---|---|")?;
    for (case, reference, aims) in TABLES {
        write!(page, "| {} ÷ {} |", case.name(), reference.name())?;
        for ((_, costs), aim) in rows.iter().zip(aims) {
            let ratio = of(costs, case) / of(costs, reference);
            let met = if ratio <= aim { "**" } else { "" };
            write!(page, " {met}{ratio:.2}{met} ({aim:.2}) |")?;
        }
        writeln!(page)?;
    }
    write!(page, "| submit ÷ batch_aint_one |")?;
    for (_, costs) in &rows {
        write!(page, " {:.2} |", of(costs, Case::Submit) / of(costs, Case::BatchAintOne))?;
    }
    writeln!(page)?;
    writeln!(page, "\n{}", ask(&["overhead"])?)?;
    Ok(page)
}
