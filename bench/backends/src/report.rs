//! What goes into the repository? One page of all cases, one file of figures, and a picture a
//! sweep, from the results that the rounds and sweeps left behind.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use serde::de::DeserializeOwned;

use crate::landscape;
use crate::results::{Phase, Results};
use crate::sweep::Landscape;
use crate::{say, table};

/// The controller whose shortfalls are shown.
const SHOWN: &str = "joint";
/// Goodput that is aimed at, as a share of the best static plan's.
const AIM: f64 = 0.97;
/// Misses that are aimed at, at most.
const AIM_MISSES: f64 = 0.02;

/// What to collect.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where results are
    #[arg(long, default_value = "target/backends")]
    out: PathBuf,
    /// Where the page, its figures and its pictures go
    #[arg(long, default_value = "bench/backends")]
    page: PathBuf,
}

/// Writes RESULTS.md, RESULTS.json and a picture for each sweep.
///
/// # Errors
///
/// When there are no results, or a file cannot be read or written.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let mut results: Vec<Results> = read_all(&options.out, "rounds-")?;
    let landscapes: Vec<Landscape> = read_all(&options.out, "sweep-")?;
    ensure!(
        !results.is_empty(),
        "there are no results in {}: run rounds first",
        options.out.display()
    );
    // By today's rules, whatever the rules were when the rounds ran.
    results.iter_mut().for_each(Results::conclude_again);
    results.sort_by_key(|one| (one.case.starts_with("ceiling"), one.disturbed));
    for landscape in &landscapes {
        let picture = options.page.join(picture(landscape));
        write(&picture, &landscape::svg(landscape))?;
    }
    let timelines = timelines(&results);
    for name in &timelines {
        let from = options.out.join("traces").join(name);
        let to = options.page.join(format!("timeline-{name}"));
        std::fs::copy(&from, &to)
            .with_context(|| format!("{} cannot be copied to {}", from.display(), to.display()))?;
    }
    write(&options.page.join("RESULTS.md"), &page(&results, &landscapes, &timelines))?;
    // The runs one by one stay where they were made: medians and spreads say what they say.
    for entry in results.iter_mut().flat_map(|one| &mut one.entries) {
        entry.runs.clear();
    }
    let figures = serde_json::json!({ "cases": results, "sweeps": landscapes });
    write(&options.page.join("RESULTS.json"), &(serde_json::to_string(&figures)? + "\n"))?;
    say!("{} cases and {} sweeps in {}", results.len(), landscapes.len(), options.page.display());
    Ok(())
}

pub(crate) fn read_all<T: DeserializeOwned>(
    directory: &Path,
    prefix: &str,
) -> anyhow::Result<Vec<T>> {
    let mut names = BTreeSet::new();
    let entries = std::fs::read_dir(directory)
        .with_context(|| format!("{} cannot be read: run rounds first", directory.display()))?;
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let is_json = Path::new(&name).extension().is_some_and(|extension| extension == "json");
        if name.starts_with(prefix) && is_json {
            names.insert(name);
        }
    }
    let read = |name: String| {
        let path = directory.join(name);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no result", path.display()))
    };
    names.into_iter().map(read).collect()
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

fn picture(landscape: &Landscape) -> String {
    format!("landscape-{}.svg", landscape.case)
}

/// The picture of the first round of each case in which [`SHOWN`] falls short of the aim.
fn timelines(results: &[Results]) -> Vec<String> {
    let short = |one: &&Results| {
        let whole = one.entries.iter().find(|entry| entry.name == SHOWN)?;
        let whole = whole.summary.get(&Phase::Whole)?;
        let falls = whole.of_best_static.median < AIM || whole.miss_ratio.median > AIM_MISSES;
        falls.then(|| format!("{}-{SHOWN}-1.svg", one.case))
    };
    results.iter().filter_map(|one| short(&one)).collect()
}

fn page(results: &[Results], landscapes: &[Landscape], timelines: &[String]) -> String {
    let machines: BTreeSet<&str> = results.iter().map(|one| one.machine.as_str()).collect();
    let mut out = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = write!(
        out,
        "# Controllers on real backends\n\n\
         Written by `bench/backends/run` (`backends report`); what each word means is in \
         [README.md](README.md). Measured on {}; client and backend share it. Each figure is the \
         median over interleaved rounds, with the range in brackets where there is room. Ratios \
         are taken round by round against the *yardstick*, the static plan with the highest median \
         goodput of that case and phase, of those that miss at most 3 % (while something disturbs, of all).\n\n",
        machines.into_iter().collect::<Vec<_>>().join("; ")
    );
    out += "## At a glance\n\nGoodput ÷ the best static plan (misses %), whole run from cold.\n\n";
    out += &glance(results);
    out += "\n## Landscapes\n\n";
    for landscape in landscapes {
        let _ = writeln!(out, "![{}]({})\n", landscape.case, picture(landscape));
    }
    if !timelines.is_empty() {
        let _ = writeln!(
            out,
            "## Where {SHOWN} falls short\n\nBelow {AIM} of the best static plan, or more than {} % \
             missed: the first round, as it went.\n",
            AIM_MISSES * 100.0
        );
    }
    for name in timelines {
        let _ = writeln!(out, "![{name}](timeline-{name})\n");
    }
    out += "## Case by case\n\n";
    for one in results {
        out += &table::tables(one);
    }
    out
}

/// One row a case, one column a contender that is in more than one case, or no static plan.
fn glance(results: &[Results]) -> String {
    let mut columns: Vec<&str> = Vec::new();
    for entry in results.iter().flat_map(|one| &one.entries) {
        let name = entry.name.as_str();
        let cases = |one: &&Results| one.entries.iter().any(|other| other.name == name);
        let often = results.iter().filter(cases).count() > 1;
        if (often || !entry.is_static) && !columns.contains(&name) {
            columns.push(name);
        }
    }
    let mut out = format!("| case | best static | {} |\n", columns.join(" | "));
    let _ = writeln!(out, "|{}", "---|".repeat(columns.len() + 2));
    for one in results {
        let best = one.best_static.get(&Phase::Whole);
        let best_entry = one.entries.iter().find(|entry| Some(&entry.name) == best);
        let rate = best_entry
            .and_then(|entry| entry.summary.get(&Phase::Whole))
            .map_or(0.0, |whole| whole.goodput.median / 1e3);
        let cells = columns.iter().map(|name| {
            let entry = one.entries.iter().find(|entry| entry.name == *name);
            let whole = entry.and_then(|entry| entry.summary.get(&Phase::Whole));
            whole.map_or_else(
                || "–".to_owned(),
                |whole| {
                    let misses = whole.miss_ratio.median * 100.0;
                    format!("{:.2} ({misses:.1})", whole.of_best_static.median)
                },
            )
        });
        let cells: Vec<String> = cells.collect();
        let best = best.map_or("–", String::as_str);
        let _ = writeln!(out, "| {} | {best}: {rate:.0} k/s | {} |", one.case, cells.join(" | "));
    }
    out
}
