//! Which static plan is the best? A short run of each size and concurrency, then a longer one of
//! those that came out on top.
//!
//! A short sweep finds plans that collapse ten seconds later (a checkpoint comes, the write-ahead
//! log is full, caches are cold again), so the best few run again for longer. A plan *survives* if
//! at most 3 % of its items miss the target there; the survivors are ordered by goodput. If none
//! survives, the order is by goodput alone, and the result says so.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::backend::Site;
use crate::case::Case;
use crate::contender::{Contender, Static};
use crate::figures::{Figures, figures};
use crate::measure::{Wanted, measure, warm_up};
use crate::results::MISSES_MAX;
use crate::rounds::{line, setup};
use crate::{landscape, machine, say};

/// Survivors that the rounds are given as `best`.
const HANDED_ON: usize = 2;

/// What to sweep.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    case: Case,
    /// Batch sizes, by commas
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "100,250,500,1000,2000,3500,5000,8000,12000"
    )]
    sizes: Vec<u32>,
    /// Concurrencies, by commas
    #[arg(long, value_delimiter = ',', default_value = "1,2,3,4,8")]
    concurrencies: Vec<u32>,
    /// Seconds of a short run
    #[arg(long, default_value_t = 0.8)]
    cell_seconds: f64,
    /// How many of the best run again
    #[arg(long, default_value_t = 7)]
    again: usize,
    /// Seconds of a longer run
    #[arg(long, default_value_t = 10.0)]
    again_seconds: f64,
    /// Where the result goes
    #[arg(long, default_value = "target/backends")]
    out: PathBuf,
}

/// One plan, measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cell {
    /// Items of a batch.
    pub size: u32,
    /// Batches in flight.
    pub concurrency: u32,
    /// What it came to.
    pub figures: Figures,
}

impl Cell {
    pub(crate) const fn plan(&self) -> Static {
        Static { size: self.size, concurrency: self.concurrency }
    }

    pub(crate) fn survives(&self) -> bool {
        self.figures.miss_ratio <= MISSES_MAX && self.figures.goodput > 0.0
    }
}

/// The landscape of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Landscape {
    /// The case's name.
    pub case: String,
    /// The backend, with its version.
    pub backend: String,
    /// The latency that was allowed.
    pub target_ms: f64,
    /// The machine.
    pub machine: String,
    /// The arguments of the program.
    pub command: String,
    /// Seconds of a short run.
    pub cell_s: f64,
    /// Every plan, briefly.
    pub cells: Vec<Cell>,
    /// Seconds of a longer run.
    pub again_s: f64,
    /// The best of them, for longer; best first, those that survive before those that do not.
    pub again: Vec<Cell>,
}

/// Sweeps, and writes the result.
///
/// # Errors
///
/// When an argument is refused, the backend does not start, or a file cannot be written.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let case = &options.case;
    let plans = plans(options)?;
    for seconds in [options.cell_seconds, options.again_seconds] {
        let sound = (0.2..=600.0).contains(&seconds);
        ensure!(sound, "a run of {seconds} s: it must take between .2 and 600 s");
    }
    std::fs::create_dir_all(&options.out)
        .with_context(|| format!("{} cannot be made", options.out.display()))?;
    let site = case.site().await?;
    say!("{}: {}", case.name(), site.describe());
    let setup = setup(case, 1.0, 1)?;
    warm_up(site.as_ref(), &setup, case.warm_up_seconds).await?;
    let cells = play(site.as_ref(), case, &plans, options.cell_seconds).await?;
    let best = best(&cells, options.again, setup.target.latency.as_secs_f64());
    let mut again = play(site.as_ref(), case, &best, options.again_seconds).await?;
    rank(&mut again);
    let landscape = Landscape {
        case: case.name(),
        backend: site.describe(),
        target_ms: case.target()?.latency.as_secs_f64() * 1e3,
        machine: machine::describe(),
        command: machine::arguments(),
        cell_s: options.cell_seconds,
        cells,
        again_s: options.again_seconds,
        again,
    };
    drop(site);
    let path = file(&options.out, &landscape.case);
    std::fs::write(&path, serde_json::to_string_pretty(&landscape)? + "\n")
        .with_context(|| format!("{} cannot be written", path.display()))?;
    let picture = path.with_extension("svg");
    std::fs::write(&picture, landscape::svg(&landscape))
        .with_context(|| format!("{} cannot be written", picture.display()))?;
    say!("landscape in {} and {}", path.display(), picture.display());
    let lines = landscape.again.iter().map(|cell| {
        let fate = if cell.survives() { "survives" } else { "does not survive" };
        format!("{}: {} ({fate})\n", cell.plan(), line(Some(&cell.figures)))
    });
    crate::print(&lines.collect::<String>())
}

fn plans(options: &Options) -> anyhow::Result<Vec<Static>> {
    let (sizes, concurrencies) = (&options.sizes, &options.concurrencies);
    ensure!(
        !sizes.is_empty() && !concurrencies.is_empty(),
        "a sweep needs sizes and concurrencies"
    );
    let bounds = options.case.bounds()?;
    let all = concurrencies.iter().flat_map(|concurrency| {
        sizes.iter().map(|size| Static { size: *size, concurrency: *concurrency })
    });
    let all: Vec<Static> = all.collect();
    // Refused before anything is started.
    all.iter().try_for_each(|plan| Contender::fixed(*plan).build(&bounds).map(drop))?;
    Ok(all)
}

async fn play(
    site: &dyn Site,
    case: &Case,
    plans: &[Static],
    seconds: f64,
) -> anyhow::Result<Vec<Cell>> {
    let setup = setup(case, seconds, 1)?;
    // A sweep for the disturbed phase is disturbed from beginning to end.
    let disturbed = case.disturb.map(|kind| Wanted { kind, span: (0.0, seconds) });
    let mut cells = Vec::with_capacity(plans.len());
    for (number, plan) in (1..).zip(plans) {
        let measured = measure(site, &Contender::fixed(*plan), &setup, disturbed).await?;
        let figures = figures(&measured.run.attempts, (0.0, seconds));
        say!("{number}/{}, {plan} for {seconds} s: {}", plans.len(), line(Some(&figures)));
        cells.push(Cell { size: plan.size, concurrency: plan.concurrency, figures });
    }
    Ok(cells)
}

/// The plans that run again: of each concurrency the one with the highest goodput, which lies at
/// the edge of the target; then, concurrency by concurrency, the best with room to spare, since a
/// backend that stalls now and then punishes the edge; then whatever is next.
fn best(cells: &[Cell], count: usize, target_s: f64) -> Vec<Static> {
    let mut order: Vec<&Cell> = cells.iter().collect();
    order.sort_by(|a, b| b.figures.goodput.total_cmp(&a.figures.goodput));
    let first_of_each = |fits: &dyn Fn(&Cell) -> bool| {
        let mut seen = BTreeSet::new();
        let mut found = order.clone();
        found.retain(|cell| fits(cell) && seen.insert(cell.concurrency));
        found
    };
    let edge = first_of_each(&|_| true);
    let easy = first_of_each(&|cell| cell.figures.p99_s <= target_s / 2.0);
    let mut plans: Vec<Static> = Vec::new();
    for cell in edge.iter().chain(&easy).chain(&order) {
        if plans.len() < count && !plans.contains(&cell.plan()) {
            plans.push(cell.plan());
        }
    }
    plans
}

/// Those that survive first, each by goodput.
fn rank(cells: &mut [Cell]) {
    cells.sort_by(|a, b| {
        let fate = b.survives().cmp(&a.survives());
        fate.then(b.figures.goodput.total_cmp(&a.figures.goodput))
    });
}

/// Where the landscape of a case is kept.
fn file(out: &Path, case: &str) -> PathBuf {
    out.join(format!("sweep-{case}.json"))
}

/// The best plans of the sweep of that case.
///
/// # Errors
///
/// When there was none, or its file cannot be read.
pub(crate) fn survivors(out: &Path, case: &str) -> anyhow::Result<Vec<Static>> {
    let path = file(out, case);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("best needs {}: run the sweep of {case} first", path.display()))?;
    let landscape: Landscape = serde_json::from_str(&text)
        .with_context(|| format!("{} is no landscape", path.display()))?;
    let surviving: Vec<Static> =
        landscape.again.iter().filter(|cell| cell.survives()).map(Cell::plan).collect();
    let all: Vec<Static> = landscape.again.iter().map(Cell::plan).collect();
    let mut plans = if surviving.is_empty() { all } else { surviving };
    plans.truncate(HANDED_ON);
    Ok(plans)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(size: u32, goodput: f64, miss_ratio: f64) -> Cell {
        let figures = Figures { goodput, miss_ratio, ..Figures::default() };
        Cell { size, concurrency: 1, figures }
    }

    #[test]
    fn survivors_come_before_those_that_are_faster_and_late() {
        let mut cells =
            vec![cell(1, 50.0, 0.0), cell(2, 90.0, 0.031), cell(3, 70.0, 0.03), cell(4, 60.0, 1.0)];
        rank(&mut cells);
        let order: Vec<u32> = cells.iter().map(|cell| cell.size).collect();
        assert_eq!(order, [3, 1, 2, 4]);
    }

    #[test]
    fn the_edge_and_the_best_with_room_of_each_concurrency_run_again() {
        let cell = |size, concurrency, goodput, p99_s| Cell {
            size,
            concurrency,
            figures: Figures { goodput, p99_s, ..Figures::default() },
        };
        let cells = [
            cell(1, 1, 90.0, 0.049),
            cell(2, 1, 60.0, 0.02),
            cell(3, 1, 50.0, 0.01),
            cell(4, 2, 80.0, 0.03),
            cell(5, 2, 40.0, 0.02),
        ];
        let sizes: Vec<u32> = best(&cells, 4, 0.05).iter().map(|plan| plan.size).collect();
        assert_eq!(sizes, [1, 4, 2, 5]);
        assert_eq!(best(&cells, 9, 0.05).len(), 5);
    }
}
