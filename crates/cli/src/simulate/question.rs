//! What is to be run? The flags, read and checked before anything runs.

use std::path::{Path, PathBuf};

use tidegate_sim::oracle::{Cache, Effort};
use tidegate_sim::selection::{Draw, Entry, Suite};
use tidegate_sim::suite::Options;
use tidegate_sim::{Scenario, ablation, contender};

use super::args::SimulateArgs;
use super::error::SimulateError;

/// Everything that is to be run.
pub(crate) struct Question {
    /// The scenarios, each with its group.
    pub(crate) entries: Vec<Entry>,
    /// The controllers.
    pub(crate) controllers: Vec<String>,
    /// Seeds, threads and where oracles are kept.
    pub(crate) options: Options,
}

impl Question {
    /// The names of the controllers.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.controllers.iter().map(String::as_str).collect()
    }

    /// What the flags ask for.
    pub(crate) fn new(
        args: &SimulateArgs,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, SimulateError> {
        let seeds = number("--seeds", &args.seeds, 1, 10_000)?;
        let draw = Draw {
            seed: number("--random-seed", &args.random_seed, 0, 1_000_000_000)?,
            count: number("--random-count", &args.random_count, 1, 1000)?,
        };
        let (names, after) = split(&args.controller);
        let controllers = controllers(&names)?;
        let files: Vec<&Path> = args
            .files
            .iter()
            .map(PathBuf::as_path)
            .chain(after.into_iter().map(Path::new))
            .collect();
        let entries = entries(args, &files, draw)?;
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = match &args.threads {
            Some(typed) => usize::try_from(number("--threads", typed, 1, 1024)?).unwrap_or(1),
            None => cores(),
        };
        let cache = match (args.search, args.cache.clone().or_else(|| user_cache(environment))) {
            (true, _) => Cache::default(),
            (false, Some(directory)) => Cache::shipped().and_directory(directory),
            (false, None) => Cache::shipped(),
        };
        let options = Options { seeds, threads, effort: Effort::Full, cache };
        Ok(Self { entries, controllers, options })
    }
}

fn number(flag: &'static str, typed: &str, least: u64, most: u64) -> Result<u64, SimulateError> {
    let read = typed.trim().parse().ok().filter(|number| (least..=most).contains(number));
    read.ok_or_else(|| SimulateError::Number { flag, value: typed.to_owned(), least, most })
}

/// `--controller aimd mine.yaml` means a file, though the flag takes several names.
fn split(typed: &[String]) -> (Vec<&str>, Vec<&str>) {
    let is_file = |typed: &&str| {
        let extension = Path::new(typed).extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("yaml" | "yml" | "json"))
    };
    let (files, names) = typed.iter().map(String::as_str).partition(is_file);
    (names, files)
}

fn controllers(typed: &[&str]) -> Result<Vec<String>, SimulateError> {
    let known = contender::names();
    if typed.is_empty() {
        return Ok(vec![contender::default_name().to_owned()]);
    }
    let mut found: Vec<String> = Vec::new();
    for name in typed {
        let meant = match *name {
            "all" => known.iter().map(|&name| name.to_owned()).collect(),
            "machines" => ablation::names(),
            name if contender::is_known(name) => vec![name.to_owned()],
            name => {
                let all: Vec<&str> = known.iter().copied().chain(["all", "machines"]).collect();
                return Err(unknown("--controller", name, &all));
            }
        };
        for name in meant {
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    Ok(found)
}

fn entries(args: &SimulateArgs, files: &[&Path], draw: Draw) -> Result<Vec<Entry>, SimulateError> {
    let suite = match &args.suite {
        // What is replayed needs one backend, or one source.
        None if files.is_empty() && args.replay.is_some() && args.scenario.is_empty() => {
            return replayed(vec![pg_a()?], args);
        }
        None if files.is_empty() => Some(Suite::Canonical),
        None => None,
        Some(name) => {
            let suite = Suite::by_name(name);
            Some(suite.ok_or_else(|| unknown("--suite", name, &Suite::NAMES))?)
        }
    };
    let mut entries = match suite {
        Some(suite) => suite.entries(draw).map_err(SimulateError::Shipped)?,
        None => Vec::new(),
    };
    if !args.scenario.is_empty() {
        entries = only(entries, &args.scenario)?;
    }
    for path in files {
        entries.push(Entry::own(read(path)?));
    }
    let name = |entry: &Entry| entry.scenario.name.clone();
    for (index, entry) in entries.iter().enumerate() {
        if entries.iter().skip(index + 1).any(|other| name(other) == name(entry)) {
            return Err(SimulateError::Twice { name: name(entry) });
        }
    }
    replayed(entries, args)
}

/// The scenario that stands for any database.
fn pg_a() -> Result<Entry, SimulateError> {
    let entries = Suite::Canonical.entries(Draw::default()).map_err(SimulateError::Shipped)?;
    let found = entries.into_iter().find(|entry| entry.scenario.name == "pgA");
    found.ok_or_else(|| unknown("--scenario", "pgA", &[]))
}

/// The scenarios with what was recorded, if something is to be replayed.
fn replayed(entries: Vec<Entry>, args: &SimulateArgs) -> Result<Vec<Entry>, SimulateError> {
    let Some(path) = &args.replay else { return Ok(entries) };
    let text = std::fs::read_to_string(path)
        .map_err(|source| SimulateError::Recording { path: path.clone(), source })?;
    let arrivals = text.starts_with(tidegate::recording::FORMAT);
    let replay = |entry: Entry| {
        let scenario = if arrivals {
            entry.scenario.replaying(&text, false)
        } else {
            entry.scenario.behaving(&text)
        };
        scenario.map(Entry::own).map_err(|why| SimulateError::Replay { path: path.clone(), why })
    };
    entries.into_iter().map(replay).collect()
}

fn only(entries: Vec<Entry>, names: &[String]) -> Result<Vec<Entry>, SimulateError> {
    let known: Vec<&str> = entries.iter().map(|entry| entry.scenario.name.as_str()).collect();
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(unknown("--scenario", name, &known));
    }
    Ok(entries.into_iter().filter(|entry| names.contains(&entry.scenario.name)).collect())
}

fn read(path: &Path) -> Result<Scenario, SimulateError> {
    let text = std::fs::read_to_string(path).map_err(|source| SimulateError::Unreadable {
        path: path.to_owned(),
        source,
        known: Suite::NAMES.join(", "),
    })?;
    Scenario::from_yaml(&text).map_err(|why| SimulateError::Scenario { path: path.to_owned(), why })
}

/// Beyond this likeness (0 to 1) a name was probably meant.
const ALIKE: f64 = 0.7;

fn unknown(flag: &'static str, value: &str, known: &[&str]) -> SimulateError {
    let alike = known.iter().map(|name| (strsim::jaro_winkler(value, name), name));
    let nearest =
        alike.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(likeness, _)| *likeness > ALIKE);
    let meant = nearest.map_or_else(String::new, |(_, name)| format!(" (did you mean {name}?)"));
    SimulateError::Name { flag, value: value.to_owned(), known: known.join(", "), meant }
}

/// Where the user's programs keep what can be had again.
fn user_cache(environment: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name| environment(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("tidegate").join("oracles"))
}
