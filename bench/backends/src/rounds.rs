//! Who is better? Interleaved rounds: each runs every contender once, in turn, on a fresh table, so
//! that a machine that is slow for a while is slow for all of them. The order turns by one place a
//! round, so that nobody always follows the same one.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::backend::Site;
use crate::case::{Case, Kind};
use crate::clock::Clock;
use crate::contender::Contender;
use crate::drive::Setup;
use crate::figures::Figures;
use crate::measure::{Measured, measure, warm_up};
use crate::record::{Attempt, Latency};
use crate::recorded;
use crate::results::{Entry, Phase, Results, RunFigures};
use crate::trace::{self, Head};
use crate::{machine, say, sweep, table, timeline};

/// When the client gives an attempt up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
/// What a run may take beside its own length: a journal is filled, a server begins and ends.
const OVERHEAD_S: f64 = 8.0;

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    case: Case,
    /// Who competes, by commas: NAME, NAME:SIZExCONCURRENCY to begin with, fixed:SIZExCONCURRENCY,
    /// bare:SIZExCONCURRENCY (loops without an engine), or best, the best plans that survived the sweep of this case
    #[arg(long = "controller", value_delimiter = ',', required = true)]
    controllers: Vec<String>,
    /// Whose sweeps best is taken from, by commas [default: that of this case]
    #[arg(long, value_delimiter = ',')]
    sweep_of: Vec<String>,
    /// Interleaved rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Seconds of a run
    #[arg(long, default_value_t = 10.0)]
    round_seconds: f64,
    /// Where results, traces and timelines go
    #[arg(long, default_value = "target/backends")]
    out: PathBuf,
    /// Prints the decisions of this contender's first run
    #[arg(long)]
    timeline: Option<String>,
    /// Goes on where the same command was before
    #[arg(long)]
    resume: bool,
    /// Begins no run that would not end within these seconds; resume later
    #[arg(long)]
    for_seconds: Option<f64>,
}

/// What to measure the ceiling of.
#[derive(Debug, Args)]
pub(crate) struct Ceiling {
    #[command(flatten)]
    case: Case,
    /// Interleaved rounds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Seconds of a run
    #[arg(long, default_value_t = 5.0)]
    round_seconds: f64,
    /// Where results and traces go
    #[arg(long, default_value = "target/backends")]
    out: PathBuf,
}

/// What a careful engineer would tune by hand, and the same plan through the engine beside it.
impl From<Ceiling> for Options {
    fn from(ceiling: Ceiling) -> Self {
        let Ceiling { mut case, rounds, round_seconds, out } = ceiling;
        let controllers: &[&str] = match case.backend {
            Kind::Sqlite => &["bare:5000x1", "fixed:5000x1"],
            Kind::Postgres | Kind::Http => &["bare:5000x1", "bare:5000x2", "fixed:5000x2"],
        };
        let name = format!("ceiling-{}", case.name());
        case.case = Some(name);
        Self {
            case,
            controllers: controllers.iter().map(|one| (*one).to_owned()).collect(),
            sweep_of: Vec::new(),
            rounds,
            round_seconds,
            out,
            timeline: None,
            resume: false,
            for_seconds: None,
        }
    }
}

/// Runs that are made, and by which command.
#[derive(Serialize, Deserialize)]
struct Kept {
    what: String,
    entries: Vec<Entry>,
}

struct Rounds<'a> {
    options: &'a Options,
    setup: Setup,
    contenders: Vec<Contender>,
    entries: Vec<Entry>,
    clock: Clock,
}

/// Runs the rounds, writes the results, and prints the tables.
///
/// # Errors
///
/// When an argument is refused, the backend does not start, or a file cannot be written.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let Options { case, round_seconds, out, .. } = options;
    ensure!(
        (0.5..=3_600.0).contains(round_seconds),
        "--round-seconds is {round_seconds}, but must be between .5 and 3600"
    );
    let setup = setup(case, *round_seconds, 1)?;
    let contenders = contenders(options, &setup)?;
    let traces = out.join("traces");
    std::fs::create_dir_all(&traces)
        .with_context(|| format!("{} cannot be made", traces.display()))?;
    let entry = |contender: &Contender| Entry {
        name: contender.name.clone(),
        is_static: contender.is_static,
        runs: Vec::new(),
        summary: std::collections::BTreeMap::new(),
    };
    let mut rounds = Rounds {
        options,
        setup,
        entries: contenders.iter().map(entry).collect(),
        contenders,
        clock: Clock::start(),
    };
    if options.resume {
        rounds.take_up()?;
    }
    let site = case.site().await?;
    say!("{}: {}", case.name(), site.describe());
    warm_up(site.as_ref(), &rounds.setup, case.warm_up_seconds).await?;
    for round in 1..=options.rounds {
        if !rounds.round(site.as_ref(), round).await? {
            break;
        }
    }
    let done: usize = rounds.entries.iter().map(|entry| entry.runs.len()).sum();
    let all = rounds.entries.len() * options.rounds as usize;
    if done < all {
        say!("{done} of {all} runs are done: go on with --resume");
    }
    let results = rounds.results(site.as_ref())?;
    drop(site);
    let path = out.join(format!("rounds-{}.json", results.case));
    std::fs::write(&path, serde_json::to_string_pretty(&results)? + "\n")
        .with_context(|| format!("{} cannot be written", path.display()))?;
    say!("results in {}, traces and timelines in {}", path.display(), traces.display());
    crate::print(&table::tables(&results))
}

/// The setup of a run of that case.
pub(crate) fn setup(case: &Case, seconds: f64, seed: u64) -> anyhow::Result<Setup> {
    Ok(Setup {
        bounds: case.bounds()?,
        source: case.arrivals.source,
        target: case.target()?,
        length: Duration::from_secs_f64(seconds),
        patience: PATIENCE,
        seed,
        through: case.product(seconds)?,
    })
}

fn contenders(options: &Options, setup: &Setup) -> anyhow::Result<Vec<Contender>> {
    let mut contenders: Vec<Contender> = Vec::new();
    for spec in &options.controllers {
        let named = if spec == "best" {
            let own = [options.case.name()];
            let of = if options.sweep_of.is_empty() { &own[..] } else { &options.sweep_of };
            let mut plans = Vec::new();
            for case in of {
                plans.extend(sweep::survivors(&options.out, case)?);
            }
            plans.into_iter().map(Contender::fixed).collect()
        } else {
            vec![Contender::parse(spec, setup.target.latency)?]
        };
        for contender in named {
            // Refused before anything is started.
            contender.build(&setup.bounds)?;
            if contenders.iter().all(|one| one.name != contender.name) {
                contenders.push(contender);
            }
        }
    }
    Ok(contenders)
}

impl Rounds<'_> {
    /// Makes the runs of that round that are not made yet; says whether there is time for more.
    async fn round(&mut self, site: &dyn Site, round: u32) -> anyhow::Result<bool> {
        let count = self.contenders.len();
        let shift = (round as usize - 1) % count;
        for (place, at) in (1..).zip((0..count).map(|at| (at + shift) % count)) {
            let Some(contender) = self.contenders.get(at).cloned() else { continue };
            let made = |entry: &Entry| entry.runs.iter().any(|run| run.round == round);
            if self.entries.get(at).is_some_and(made) {
                continue;
            }
            if self.is_late() {
                return Ok(false);
            }
            self.setup.seed = u64::from(round);
            let wanted = self.options.case.disturbed(self.setup.length);
            let measured = measure(site, &contender, &self.setup, wanted).await?;
            let seconds = self.options.round_seconds;
            let figures = RunFigures::of(&measured, round, place, seconds);
            let line = line(figures.phases.get(&Phase::Whole));
            say!("round {round}/{}, {}: {line}", self.options.rounds, contender.name);
            self.write(&contender, &measured, round)?;
            if round == 1 && self.options.timeline.as_ref() == Some(&contender.name) {
                crate::print(&decisions(&measured))?;
            }
            if let Some(entry) = self.entries.get_mut(at) {
                entry.runs.push(figures);
            }
            self.keep()?;
        }
        Ok(true)
    }

    /// Whether another run would end too late.
    fn is_late(&self) -> bool {
        let needed = self.options.round_seconds + OVERHEAD_S;
        let until = self.options.for_seconds.unwrap_or(f64::INFINITY);
        self.clock.now().as_secs_f64() + needed > until
    }

    /// Where the runs of this case are kept while there are more to come.
    fn kept(&self) -> PathBuf {
        self.options.out.join(format!("runs-{}.json", self.options.case.name()))
    }

    /// The arguments, without those that say how far to go.
    fn what() -> String {
        let mut arguments = std::env::args().skip(1);
        let mut what = Vec::new();
        while let Some(one) = arguments.next() {
            match one.as_str() {
                "--resume" => {}
                "--for-seconds" | "--rounds" => drop(arguments.next()),
                _ => what.push(one),
            }
        }
        what.join(" ")
    }

    fn keep(&self) -> anyhow::Result<()> {
        let kept = Kept { what: Self::what(), entries: self.entries.clone() };
        let path = self.kept();
        std::fs::write(&path, serde_json::to_string(&kept)?)
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    /// Takes up the runs that the same command made before.
    fn take_up(&mut self) -> anyhow::Result<()> {
        let path = self.kept();
        let Ok(text) = std::fs::read_to_string(&path) else { return Ok(()) };
        let kept: Kept = serde_json::from_str(&text)
            .with_context(|| format!("{} is not what it was", path.display()))?;
        ensure!(
            kept.what == Self::what(),
            "--resume: {} is of another command: {}",
            path.display(),
            kept.what
        );
        self.entries = kept.entries;
        Ok(())
    }

    fn trace(&self, contender: &str, round: u32, kind: &str) -> PathBuf {
        let (case, name) = (self.options.case.name(), contender.replace(':', "-"));
        self.options.out.join("traces").join(format!("{case}-{name}-{round}{kind}"))
    }

    fn write(&self, contender: &Contender, measured: &Measured, round: u32) -> anyhow::Result<()> {
        let case = self.options.case.name();
        let file = |kind: &str| self.trace(&contender.name, round, kind);
        let target = self.setup.target;
        let of = if target.of == Latency::Attempt { "attempt" } else { "delivery" };
        let mut head: Head = vec![
            ("case", case.clone()),
            ("backend", self.options.case.backend.name().to_owned()),
            ("controller", contender.name.clone()),
            ("round", round.to_string()),
            ("target_s", target.latency.as_secs_f64().to_string()),
            ("target_of", of.to_owned()),
            ("item_bytes", crate::rows::ITEM_BYTES.to_string()),
            ("round_s", self.options.round_seconds.to_string()),
        ];
        if let Some((from, to)) = measured.disturbed {
            head.push(("disturbed_from_s", from.to_string()));
            head.push(("disturbed_to_s", to.to_string()));
        }
        trace::write_attempts(&file(".csv"), &head, &measured.run, measured.disturbed)?;
        if contender.is_static {
            return Ok(());
        }
        trace::write_decisions(&file("-decisions.csv"), &head, &measured.run)?;
        let title = format!("{case}: {}, round {round}", contender.name);
        let seconds = self.options.round_seconds;
        let picture = timeline::svg(&title, &measured.run, seconds, target, measured.disturbed);
        let path = file(".svg");
        std::fs::write(&path, picture)
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    /// The attempts of every run, as they were written.
    fn traces(&self) -> anyhow::Result<Vec<Vec<Vec<Attempt>>>> {
        let read = |entry: &Entry| {
            let runs = entry.runs.iter().map(|run| {
                recorded::read(&self.trace(&entry.name, run.round, ".csv"), 0, self.setup.target)
            });
            runs.collect()
        };
        self.entries.iter().map(read).collect()
    }

    fn results(mut self, site: &dyn Site) -> anyhow::Result<Results> {
        // Nothing is known yet of those whose turn has not come.
        self.entries.retain(|entry| !entry.runs.is_empty());
        let traces = self.traces()?;
        let case = &self.options.case;
        let mut results = Results {
            case: case.name(),
            backend: site.describe(),
            arrivals: case.arrivals.text.clone(),
            target_ms: self.setup.target.latency.as_secs_f64() * 1e3,
            target_of: self.setup.target.of,
            disturbed: case.disturb.is_some() || case.arrivals.turns.is_some(),
            round_s: self.options.round_seconds,
            machine: machine::describe(),
            command: machine::arguments(),
            best_static: std::collections::BTreeMap::new(),
            entries: self.entries,
        };
        results.conclude(&traces);
        Ok(results)
    }
}

/// A run in a line.
pub(crate) fn line(figures: Option<&Figures>) -> String {
    let Some(figures) = figures else { return String::new() };
    format!(
        "{:.0} k/s, {:.1} % missed, {} errors, p50 {:.1} ms, p99 {:.1} ms, {:.0} × {:.1}",
        figures.goodput / 1e3,
        figures.miss_ratio * 100.0,
        figures.errors,
        figures.p50_s * 1e3,
        figures.p99_s * 1e3,
        figures.mean_size,
        figures.mean_in_flight
    )
}

/// The decisions of a run, one a line.
fn decisions(measured: &Measured) -> String {
    let first = &measured.run.first;
    let mut lines = format!("   0.000 s  {} × {}\n", first.batch_size, first.concurrency);
    for decision in &measured.run.decisions {
        lines += &format!(
            "{:8.3} s  {} × {:.2}  {}\n",
            decision.at.as_secs_f64(),
            decision.to.batch_size,
            decision.to.concurrency,
            decision.reason
        );
    }
    lines
}
