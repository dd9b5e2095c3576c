//! In which order does all of it happen, and what is left behind?

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use tidegate_load::Format;

use super::args::{Backend, DemoArgs};
use super::compare;
use super::error::DemoError;
use super::plan::Plan;
use super::report::{self, Kept, Report};
use super::setup::{self, Contender};
use super::simulated;
use super::stop::Stop;
use super::table::{self, Row};
use super::verdict::verdict;
use super::watched::{self, Stage};

/// How long the server may take to end once everything is delivered.
const END: Duration = Duration::from_secs(40);
/// What a shell says of a command that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Runs the demo. It ends with 0 when it came to its end, whoever won.
pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    match demo(args) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(DemoError::Interrupted) => {
            writeln!(io::stderr(), "tidegate: {}", DemoError::Interrupted)?;
            Ok(ExitCode::from(INTERRUPTED))
        }
        Err(error) => Err(error.into()),
    }
}

fn demo(args: &DemoArgs) -> Result<(), DemoError> {
    if args.backend == Backend::Simulated {
        return simulated::run(args);
    }
    if args.backend_pattern.is_some() {
        let why = "--backend-pattern is of the simulated backend: add --backend simulated";
        return Err(DemoError::Flags(vec![why.to_owned()]));
    }
    let mut refused = setup::refused(args);
    let plan = match Plan::new(args) {
        Ok(plan) if refused.is_empty() => plan,
        Ok(_) => return Err(DemoError::Flags(refused)),
        Err(more) => {
            refused.extend(more);
            return Err(DemoError::Flags(refused));
        }
    };
    let stop = Stop::on_signals()?;
    let target_ms = args.target.as_secs_f64() * 1e3;
    // For programs only the object counts.
    let mut out: Box<dyn Write> = match args.format {
        Format::Text => Box::new(io::stdout()),
        Format::Json => Box::new(io::sink()),
    };
    let (watched, stage) = watched::run(args, &plan, &stop)?;
    report::first(&mut out, &plan, &watched, target_ms)?;
    let mut stage = Some(stage);
    if !args.keep
        && let Some(Stage { server, dir }) = stage.take()
    {
        server.stop(END)?;
        drop(dir);
    }
    let rows = match args.no_compare {
        true => Vec::new(),
        false => second(args, &plan, watched.seed, &stop, &mut out)?,
    };
    let kept = stage.as_ref();
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        rate: plan.rate,
        target_ms,
        watched: &watched,
        rows: &rows,
        verdict: verdict(&rows, plan.rate),
        kept: kept.map(|stage| Kept { url: stage.server.url(""), dir: stage.dir.path() }),
    };
    match args.format {
        Format::Text => report::last(&mut out, &report)?,
        Format::Json => {
            let text = serde_json::to_string(&report).map_err(io::Error::from)?;
            writeln!(io::stdout(), "{text}")?;
        }
    }
    stage.map_or(Ok(()), |stage| keep(stage, &stop))
}

/// The second part.
fn second(
    args: &DemoArgs,
    plan: &Plan,
    seed: u64,
    stop: &Stop,
    out: &mut dyn Write,
) -> Result<Vec<Row>, DemoError> {
    report::second(out, plan, args)?;
    let mut rows = Vec::new();
    for contender in table::order(Contender::asked(args)) {
        let row = compare::run(args, plan, contender, seed, stop)?;
        writeln!(out, "{}", table::line(&row))?;
        out.flush()?;
        rows.push(row);
    }
    Ok(rows)
}

/// Leaves the server up until it is asked to stop, and the directory for good.
fn keep(stage: Stage, stop: &Stop) -> Result<(), DemoError> {
    let Stage { server, dir } = stage;
    stop.wait_for_it();
    server.stop(END)?;
    let dir = dir.keep();
    writeln!(
        io::stderr(),
        "\ntidegate: the server has stopped; its data stay in {}",
        dir.display()
    )?;
    Ok(())
}
