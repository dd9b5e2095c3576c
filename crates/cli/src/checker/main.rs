//! `tidegate-checker`: is what clients were told true of what the sinks hold?
//!
//! It knows nothing else: not the server, not its journal, not what was broken when. It reads
//! the ids of acknowledged events (`--told`, lines of `first end`), the events in three sinks
//! (`--sqlite` a database, `--postgres` and `--http` dumps with JSON on each line), and the
//! dead letters. It prints one JSON object. Events whose `kind` is `poison` are such as PostgreSQL
//! and the API refuse: they must be dead letters there, and nowhere else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Parser;
use serde_json::{Value, json};

#[derive(Debug, Parser)]
struct Args {
    #[arg(long)]
    told: PathBuf,
    #[arg(long)]
    sqlite: PathBuf,
    #[arg(long)]
    postgres: PathBuf,
    #[arg(long)]
    http: PathBuf,
    #[arg(long)]
    dead_letters: PathBuf,
}

/// How often each event is somewhere, and whether it is poison.
type Held = HashMap<u64, (u64, bool)>;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let acknowledged = told(&args.told)?;
    let letters = dead_letters(&args.dead_letters)?;
    let sinks = [
        ("lite", sqlite(&args.sqlite)?),
        ("pg", dump(&args.postgres, |line| Some((1, line)))?),
        (
            "api",
            dump(&args.http, |line| {
                line.split_once(' ').and_then(|(n, text)| Some((n.parse().ok()?, text)))
            })?,
        ),
    ];
    let mut sum: BTreeMap<&str, u64> = BTreeMap::new();
    let mut of_sinks = serde_json::Map::new();
    for (name, held) in &sinks {
        let given_up = letters.get(*name).cloned().unwrap_or_default();
        let counts = compare(&acknowledged, held, &given_up, *name != "lite");
        for (what, count) in &counts {
            *sum.entry(what).or_default() += count;
        }
        of_sinks.insert((*name).to_owned(), json!(counts));
    }
    let mut verdict = json!({ "acknowledged": acknowledged.len(), "sinks": of_sinks });
    for (what, count) in sum {
        verdict[what] = json!(count);
    }
    writeln!(std::io::stdout(), "{verdict}")?;
    Ok(())
}

/// What is true of one sink.
fn compare(
    acknowledged: &BTreeSet<u64>,
    held: &Held,
    given_up: &HashMap<u64, bool>,
    refuses_poison: bool,
) -> BTreeMap<&'static str, u64> {
    let count =
        |which: &dyn Fn(&u64) -> bool| acknowledged.iter().filter(|id| which(id)).count() as u64;
    let lost = count(&|id| !held.contains_key(id) && !given_up.contains_key(id));
    let twice = held.values().map(|(times, _)| times - 1).sum();
    let unknown = held.keys().filter(|id| !acknowledged.contains(id)).count() as u64;
    let poison_taken = held.values().filter(|(_, poison)| *poison && refuses_poison).count() as u64;
    let innocent = |poison: &bool| !(*poison && refuses_poison);
    let for_no_reason = given_up.values().filter(|poison| innocent(poison)).count() as u64;
    let both = given_up.keys().filter(|id| held.contains_key(id)).count() as u64;
    BTreeMap::from([
        ("lost", lost),
        ("twice", twice),
        ("unknown", unknown),
        ("delivered", held.len() as u64),
        ("dead_letters", given_up.len() as u64),
        ("poison_taken", poison_taken),
        ("given_up_for_no_reason", for_no_reason),
        ("given_up_and_taken", both),
    ])
}

fn lines(path: &Path) -> anyhow::Result<impl Iterator<Item = std::io::Result<String>>> {
    let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    Ok(BufReader::new(file).lines())
}

fn told(path: &Path) -> anyhow::Result<BTreeSet<u64>> {
    let mut ids = BTreeSet::new();
    for line in lines(path)? {
        let line = line?;
        let (first, end) = line.split_once(' ').context("a line of --told is not two numbers")?;
        ids.extend(first.parse::<u64>()?..end.parse()?);
    }
    Ok(ids)
}

fn note(held: &mut Held, times: u64, attributes: &Value) -> anyhow::Result<()> {
    let id = attributes["id"].as_u64().with_context(|| format!("no id: {attributes}"))?;
    held.entry(id).or_insert((0, attributes["kind"] == "poison")).0 += times;
    Ok(())
}

fn dump(path: &Path, parts: impl Fn(&str) -> Option<(u64, &str)>) -> anyhow::Result<Held> {
    let mut held = Held::new();
    for line in lines(path)? {
        let line = line?;
        let (times, text) = parts(&line).with_context(|| format!("not understood: {line}"))?;
        let value: Value = serde_json::from_str(text)?;
        let attributes = value.get("attributes").unwrap_or(&value);
        note(&mut held, times, attributes)?;
    }
    Ok(held)
}

fn sqlite(path: &Path) -> anyhow::Result<Held> {
    let database = open(path)?;
    let mut held = Held::new();
    let mut rows = database.prepare("SELECT attributes FROM events")?;
    let rows = rows.query_map([], |row| row.get::<_, String>(0))?;
    for text in rows {
        note(&mut held, 1, &serde_json::from_str(&text?)?)?;
    }
    Ok(held)
}

/// The ids that each sink gave up, and which are poison.
fn dead_letters(path: &Path) -> anyhow::Result<HashMap<String, HashMap<u64, bool>>> {
    let database = open(path)?;
    let mut given_up: HashMap<String, HashMap<u64, bool>> = HashMap::new();
    let mut rows = database.prepare("SELECT sink, event FROM dead_letters")?;
    let rows =
        rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    for row in rows {
        let (sink, event) = row?;
        let event: Value = serde_json::from_str(&event)?;
        let id = event["attributes"]["id"].as_u64().context("a dead letter without id")?;
        given_up.entry(sink).or_default().insert(id, event["attributes"]["kind"] == "poison");
    }
    Ok(given_up)
}

fn open(path: &Path) -> anyhow::Result<rusqlite::Connection> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
    rusqlite::Connection::open_with_flags(path, flags).with_context(|| path.display().to_string())
}
