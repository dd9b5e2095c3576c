//! What is told at the end? A table and verdicts, or JSON; if asked, decisions and a report.

use std::io::Write;

use serde_json::{Value, json};
use tidegate_sim::contender::WITHOUT;
use tidegate_sim::suite::{self, Study, Yardstick};
use tidegate_sim::{
    Contender, Group, Run, ablation, claims, decisions, judge, league, report, table,
};

use super::args::{Format, SimulateArgs, Which};
use super::error::SimulateError;
use super::question::Question;

pub(super) fn write(
    args: &SimulateArgs,
    question: &Question,
    study: &Study,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if let Some(path) = &args.report {
        let page = report::page(study, &question.names(), &question.options)?;
        std::fs::write(path, page)
            .map_err(|source| SimulateError::Report { path: path.clone(), source })?;
    }
    match args.format {
        Format::Json => json(args, question, study, out),
        Format::Table => text(args, question, study, out),
        Format::League => league(question, study, out),
    }
}

fn json(
    args: &SimulateArgs,
    question: &Question,
    study: &Study,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let mut rows = serde_json::to_value(&study.rows)?;
    if let Some(which) = args.timeline {
        let runs = again(which, question, study)?;
        for (row, (.., run)) in rows.as_array_mut().into_iter().flatten().zip(runs) {
            if let Value::Object(row) = row {
                row.insert("timeline".into(), json!(decisions::steps(&run.history)));
            }
        }
    }
    Ok(writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?)
}

fn league(question: &Question, study: &Study, out: &mut impl Write) -> anyhow::Result<()> {
    league::write(out, study, &question.names())?;
    if study.rows.iter().any(|row| row.group == Group::Claims) {
        writeln!(out)?;
        claims::write(out, study)?;
    }
    if question.controllers.iter().any(|name| name.starts_with(WITHOUT)) {
        writeln!(out)?;
        ablation::write(out, study)?;
    }
    Ok(())
}

fn text(
    args: &SimulateArgs,
    question: &Question,
    study: &Study,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let mut first = true;
    for group in Group::ALL {
        let rows: Vec<_> = study.rows.iter().filter(|row| row.group == group).cloned().collect();
        if rows.is_empty() {
            continue;
        }
        let seeds = question.options.seeds;
        let plural = if seeds == 1 { "" } else { "s" };
        writeln!(
            out,
            "{}{}, {seeds} seed{plural}\n",
            if first { "" } else { "\n" },
            group.title()
        )?;
        table::write(out, &rows)?;
        if group == Group::Claims {
            writeln!(out)?;
            claims::write(out, study)?;
        }
        first = false;
    }
    judge::write(out, study, &question.names())?;
    if let Some(which) = args.timeline {
        for (yardstick, contender, run) in again(which, question, study)? {
            writeln!(out)?;
            let title =
                format!("{}, {}, seed {}", yardstick.entry.scenario.name, contender.name, run.seed);
            decisions::write(out, &title, &run)?;
        }
    }
    Ok(())
}

/// One run of each row, again.
fn again<'a>(
    which: Which,
    question: &Question,
    study: &'a Study,
) -> anyhow::Result<Vec<(&'a Yardstick, Contender, Run)>> {
    let (mut runs, mut rows) = (Vec::new(), study.rows.iter());
    for yardstick in &study.yardsticks {
        for contender in suite::field(&yardstick.entry, &question.names()) {
            let seed = match (which, rows.next()) {
                (Which::Worst, Some(row)) => row.worst_seed,
                _ => yardstick.typical_seed,
            };
            let run = suite::play(&yardstick.entry.scenario, &contender, seed)?;
            runs.push((yardstick, contender, run));
        }
    }
    Ok(runs)
}
