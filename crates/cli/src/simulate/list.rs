//! What is there to choose from? Suites with their scenarios, and controllers.

use std::io::Write;

use tidegate_sim::contender;
use tidegate_sim::selection::{Draw, Suite};

pub(super) fn write(out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "Suites and their scenarios (--suite, --scenario)\n")?;
    for (name, what) in [
        ("canonical", "those that everyone quotes: saturated, and arrivals on pgA"),
        ("source", "a source that is slow, or silent for a minute"),
        ("sharers", "many instances on one backend"),
        ("classes", "operations of very different cost on one sink"),
        ("measured", "fitted to what real backends did"),
        ("random", "backends drawn by chance; --random-seed draws others"),
        ("claims", "those in which the claims of earlier systems are measured"),
    ] {
        let entries = Suite::by_name(name).map(|suite| suite.entries(Draw::default()));
        let entries = entries.transpose()?.unwrap_or_default();
        let names: Vec<_> = entries.iter().map(|entry| entry.scenario.name.as_str()).collect();
        writeln!(out, "  {name:10} {what}")?;
        for names in names.chunks(6) {
            writeln!(out, "             {}", names.join(" "))?;
        }
    }
    writeln!(out, "  {:10} all of these but the claims", "all")?;
    writeln!(
        out,
        "\nControllers (--controller; machines: joint, and joint without each of its machines)\n"
    )?;
    for name in contender::names() {
        let default = if *name == contender::default_name() { "  (the default)" } else { "" };
        writeln!(out, "  {name}{default}")?;
    }
    Ok(())
}
