//! The best plan of each canonical saturated scenario: `oracle [quick|full] [CACHE_DIR]`.

use std::io::Write;

use tidegate_sim::oracle::{Cache, Effort, Oracle};
use tidegate_sim::scenario::canonical;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let effort = match arguments.next().as_deref() {
        Some("full") => Effort::Full,
        _ => Effort::Quick,
    };
    let cache = arguments.next().map(Cache::in_directory).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    for scenario in canonical::saturated()? {
        let oracle = Oracle::find(&scenario, effort, &cache)?;
        let plan = oracle.plan;
        writeln!(
            out,
            "{:8} {:6} x {:5.2}: {:9.0}/s, {:.2} % missed; steady part {:9.0}/s",
            scenario.name,
            plan.batch_size,
            plan.concurrency,
            plan.goodput,
            plan.miss_ratio * 100.0,
            oracle.goodput(scenario.duration_s / 2.0, scenario.duration_s).unwrap_or(0.0),
        )?;
    }
    Ok(())
}
