//! Writes the tables of the README and the report: `cargo run --release -p tidegate-sim --example league`.
//!
//! `joint`, `aimd` and `fixed` compete in every suite under 20 seeds, everyone else under 4, so that it
//! takes some minutes; then come the claims, `joint` without each of its machines under 5, and random
//! backends of another draw, whose oracles are searched if nobody did before. `-- everyone` gives all
//! of them 20 seeds; the name of a part (`league`, `claims`, `machines`, `unseen`) makes that one alone.
//! The page is `target/league.html`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use tidegate_sim::oracle::{Cache, Effort};
use tidegate_sim::selection::{Draw, Suite};
use tidegate_sim::suite::{Options, Progress, Study, study};
use tidegate_sim::{ablation, claims, contender, judge, league, report};

/// Random backends that nobody looked at while tuning.
const UNSEEN: Draw = Draw { seed: 20_261_124, count: 8 };
/// Those whose figures are read to the last digit.
const LEADERS: [&str; 3] = ["joint", "aimd", "fixed"];
const SEEDS: u64 = 20;
const SEEDS_OF_OTHERS: u64 = 4;
const SEEDS_OF_MACHINES: u64 = 5;

type Fault = Box<dyn std::error::Error>;

fn main() -> Result<(), Fault> {
    let typed: Vec<String> = std::env::args().skip(1).collect();
    let everyone = typed.iter().any(|argument| argument == "everyone");
    let parts: Vec<&String> = typed.iter().filter(|argument| *argument != "everyone").collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|typed| *typed == part);
    let others = if everyone { SEEDS } else { SEEDS_OF_OTHERS };
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cache = Cache::shipped().and_directory(home.join("../../target/sim-oracles"));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let options = Options { seeds: SEEDS, threads, effort: Effort::Full, cache };
    #[expect(clippy::disallowed_methods, reason = "an example tells how long it takes")]
    let began = Instant::now();
    let season = Season { options, began };

    if wanted("league") {
        season.league(home, others)?;
    }
    if wanted("claims") {
        season.claims(home)?;
    }
    if wanted("machines") {
        season.machines(home)?;
    }
    if wanted("unseen") {
        season.unseen(home, others)?;
    }
    season.tell("done");
    Ok(())
}
/// How everyone is run, and since when.
struct Season {
    options: Options,
    began: Instant,
}

impl Season {
    fn league(&self, home: &Path, others: u64) -> Result<(), Fault> {
        let all = self.of_all(Suite::All, Draw::default(), others)?;
        let mut text = Vec::new();
        league::write(&mut text, &all, contender::names())?;
        writeln!(text, "\n### What is asked of `joint`")?;
        judge::write(&mut text, &all, &["joint"])?;
        put(home, "league", &String::from_utf8(text)?)?;
        let page = report::page(&all, contender::names(), &self.options)?;
        Ok(std::fs::write(home.join("../../target/league.html"), page)?)
    }

    fn claims(&self, home: &Path) -> Result<(), Fault> {
        let of_claims = self.play(Suite::Claims, Draw::default(), &LEADERS[..2], SEEDS)?;
        let mut text = Vec::new();
        claims::write(&mut text, &of_claims)?;
        put(home, "claims", &String::from_utf8(text)?)
    }

    fn machines(&self, home: &Path) -> Result<(), Fault> {
        let names = ablation::names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let without = self.play(Suite::All, Draw::default(), &names, SEEDS_OF_MACHINES)?;
        let mut text = Vec::new();
        ablation::write(&mut text, &without)?;
        put(home, "machines", &String::from_utf8(text)?)
    }

    fn unseen(&self, home: &Path, others: u64) -> Result<(), Fault> {
        let study = self.of_all(Suite::Random, UNSEEN, others)?;
        let (Draw { seed, count }, mut text) = (UNSEEN, Vec::new());
        writeln!(text, "`--suite random --random-seed {seed} --random-count {count}`\n")?;
        league::write(&mut text, &study, contender::names())?;
        judge::write(&mut text, &study, &["joint"])?;
        put(home, "unseen", &String::from_utf8(text)?)
    }

    /// The leaders under many seeds, the others under fewer.
    fn of_all(&self, suite: Suite, draw: Draw, others: u64) -> Result<Study, Fault> {
        let mut study = self.play(suite, draw, &LEADERS, SEEDS)?;
        let rest: Vec<&str> =
            contender::names().iter().copied().filter(|name| !LEADERS.contains(name)).collect();
        study.rows.extend(self.play(suite, draw, &rest, others)?.rows);
        Ok(study)
    }

    fn play(&self, suite: Suite, draw: Draw, names: &[&str], seeds: u64) -> Result<Study, Fault> {
        self.tell(&format!("{suite:?}: {} under {seeds} seeds", names.join(" ")));
        let options = Options { seeds, ..self.options.clone() };
        Ok(study(&suite.entries(draw)?, names, &options, &|progress: Progress| {
            if progress.done.is_multiple_of(500) || progress.done == progress.total {
                self.tell(&format!("{progress:?}"));
            }
        })?)
    }

    fn tell(&self, what: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        let _ = writeln!(std::io::stderr(), "{seconds:6.0} s  {what}");
    }
}

/// Puts `text` between the comments of that name in the README.
fn put(home: &Path, name: &str, text: &str) -> Result<(), Fault> {
    let path = home.join("README.md");
    let page = std::fs::read_to_string(&path)?;
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let around = page.split_once(&begin).zip(page.split_once(&end));
    let ((before, _), (_, after)) = around.ok_or_else(|| format!("README.md has no {begin}"))?;
    let mut page = String::from(before);
    write!(page, "{begin}\n{}\n\n{end}{after}", text.trim_end())?;
    Ok(std::fs::write(path, page)?)
}
