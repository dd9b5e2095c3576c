//! Writes the tables of the README and the report: `cargo run --release -p tidegate-sim --example league`.
//!
//! Everyone competes in every suite under 20 seeds; then `joint` without each of its machines, the
//! claims, and random backends of another draw, whose oracles are searched if nobody did before (a
//! quarter of an hour). An argument is another number of seeds. The page is `target/league.html`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use tidegate_sim::oracle::{Cache, Effort};
use tidegate_sim::selection::{Draw, Suite};
use tidegate_sim::suite::{Options, Progress, Study, study};
use tidegate_sim::{ablation, claims, contender, judge, league, report};

/// Random backends that nobody looked at while tuning.
const UNSEEN: Draw = Draw { seed: 20_261_124, count: 24 };

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let seeds = std::env::args().nth(1).map_or(Ok(20), |typed| typed.parse::<u64>())?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cache = Cache::shipped().and_directory(home.join("../../target/sim-oracles"));
    let options = Options { seeds, threads, effort: Effort::Full, cache };
    let began = Instant::now();
    let run =
        |suite: Suite, draw: Draw, names: &[&str]| -> Result<Study, Box<dyn std::error::Error>> {
            tell(&format!("{suite:?} with {} controllers", names.len()), began);
            Ok(study(&suite.entries(draw)?, names, &options, &|progress: Progress| {
                if progress.done.is_multiple_of(500) || progress.done == progress.total {
                    tell(&format!("{progress:?}"), began);
                }
            })?)
        };
    let mut text = Vec::new();
    let unseen = run(Suite::Random, UNSEEN, contender::names())?;
    writeln!(
        text,
        "#### Backends that nobody looked at (`--suite random --random-seed {}`)\n",
        UNSEEN.seed
    )?;
    league::write(&mut text, &unseen, contender::names())?;
    let all = run(Suite::All, Draw::default(), contender::names())?;
    writeln!(text, "\n#### All suites\n")?;
    league::write(&mut text, &all, contender::names())?;
    writeln!(text, "\n#### What is asked of `joint`\n")?;
    judge::write(&mut text, &all, &["joint"])?;
    writeln!(text, "\nThe same on backends that nobody looked at:\n")?;
    judge::write(&mut text, &unseen, &["joint"])?;
    put(home, "league", &String::from_utf8(text)?)?;
    std::fs::write(
        home.join("../../target/league.html"),
        report::page(&all, contender::names(), &options)?,
    )?;

    let of_claims = run(Suite::Claims, Draw::default(), &["joint", "aimd"])?;
    let mut text = Vec::new();
    claims::write(&mut text, &of_claims)?;
    put(home, "claims", &String::from_utf8(text)?)?;

    let names = ablation::names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let without = run(Suite::All, Draw::default(), &names)?;
    let mut text = Vec::new();
    ablation::write(&mut text, &without)?;
    put(home, "machines", &String::from_utf8(text)?)?;
    tell("done", began);
    Ok(())
}

fn tell(what: &str, began: Instant) {
    let _ = writeln!(std::io::stderr(), "{:6.0} s  {what}", began.elapsed().as_secs_f64());
}

/// Puts `text` between the comments of that name in the README.
fn put(home: &Path, name: &str, text: &str) -> Result<(), Box<dyn std::error::Error>> {
    let path = home.join("README.md");
    let page = std::fs::read_to_string(&path)?;
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let around = page.split_once(&begin).zip(page.split_once(&end));
    let ((before, _), (_, after)) = around.ok_or_else(|| format!("README.md has no {begin}"))?;
    let mut page = String::from(before);
    write!(page, "{begin}\n{}\n{end}{after}", text.trim_end())?;
    Ok(std::fs::write(path, page)?)
}
