//! Writes the oracles that ship: `cargo run --release -p tidegate-sim --example oracles`.
//!
//! Answers that are still those of their questions are kept; the others are searched, on all cores.
//! `-- fresh` does without those that shipped before.

use std::io::Write;
use std::path::Path;

use tidegate_sim::oracle::{Cache, Effort, questions};
use tidegate_sim::selection::{Draw, Suite};
use tidegate_sim::suite::{Options, study};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let fresh = std::env::args().nth(1).is_some_and(|argument| argument == "fresh");
    // What was searched is kept meanwhile: a run that is broken off goes on where it was.
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/sim-oracles");
    let cache = if fresh { Cache::default() } else { Cache::shipped() }.and_directory(kept);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let options = Options { seeds: 1, threads, effort: Effort::Full, cache: cache.clone() };
    let mut entries = Suite::All.entries(Draw::default())?;
    entries.extend(Suite::Claims.entries(Draw::default())?);
    study(&entries, &[], &options, &|progress| {
        let _ = writeln!(std::io::stderr(), "{progress:?}");
    })?;
    let known = questions(entries.iter().map(|entry| &entry.scenario), Effort::Full).len();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracles.json");
    let answers = cache.answers();
    std::fs::write(&path, serde_json::to_string_pretty(&answers)? + "\n")?;
    writeln!(std::io::stdout(), "{} of {known} oracles in {}", answers.len(), path.display())?;
    Ok(())
}
