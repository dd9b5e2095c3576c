//! The league table of the canonical saturated scenarios.
//!
//! `cargo run --release -p tidegate-sim --example league -- [SEEDS] [CACHE_DIR] [saturated|arrivals|sharers|classes|measured|random|all]`

use std::io::Write;
use std::time::Instant;

use tidegate_sim::oracle::{Cache, Effort};
use tidegate_sim::scenario::{Scenario, canonical, random};
use tidegate_sim::suite::{Options, suite};
use tidegate_sim::table;

fn scenarios(which: &str) -> Result<Vec<Scenario>, Box<dyn std::error::Error>> {
    let mut all = Vec::new();
    if matches!(which, "saturated" | "all") {
        all.extend(canonical::saturated()?);
    }
    if matches!(which, "arrivals" | "all") {
        all.extend(canonical::arrivals()?);
    }
    if matches!(which, "sharers" | "all") {
        all.extend(canonical::sharers()?);
    }
    if matches!(which, "classes" | "all") {
        all.extend(canonical::classes()?);
    }
    if matches!(which, "measured" | "all") {
        all.extend(canonical::measured()?);
    }
    if matches!(which, "random" | "all") {
        all.extend((0..24).map(random::scenario));
    }
    Ok(all)
}

#[expect(clippy::disallowed_methods, reason = "an example that says how long it took")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seeds = arguments.next().map_or(Ok(20), |seeds| seeds.parse())?;
    let cache = arguments.next().map(Cache::in_directory).unwrap_or_default();
    let scenarios = scenarios(arguments.next().as_deref().unwrap_or("saturated"))?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let options = Options { seeds, threads, effort: Effort::Full, cache };
    let began = Instant::now();
    let rows = suite(&scenarios, &["fixed", "aimd", "load_score"], &options)?;
    let mut out = std::io::stdout().lock();
    table::write(&mut out, &rows)?;
    writeln!(out, "\n{seeds} seeds, {:.1} s in all", began.elapsed().as_secs_f64())?;
    Ok(())
}
