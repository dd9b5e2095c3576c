//! What is told at the end? For people in lines of 80 columns, for programs as one object.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::args::DemoArgs;
use super::plan::Plan;
use super::setup::Contender;
use super::table::{self, Row};
use super::verdict::Verdict;
use super::watched::{EXAMPLE, Watched};
use super::words;

/// Everything that was measured: the object of `--format json`.
#[derive(Debug, Serialize)]
pub(super) struct Report<'r> {
    /// Version of the command.
    pub(super) version: &'static str,
    /// Events a second in the mean.
    pub(super) rate: f64,
    /// What batches should stay under.
    pub(super) target_ms: f64,
    /// The first part.
    pub(super) watched: &'r Watched,
    /// The second part, in the order in which it ran.
    pub(super) rows: &'r [Row],
    /// What that says.
    pub(super) verdict: Option<Verdict>,
    /// Where the server is and its directory, with `--keep`.
    pub(super) kept: Option<Kept<'r>>,
}

/// What stays with `--keep`.
#[derive(Debug, Serialize)]
pub(super) struct Kept<'r> {
    /// The server.
    pub(super) url: String,
    /// The directory with journal and database.
    pub(super) dir: &'r Path,
}

/// Tells of the first part.
pub(super) fn first(
    out: &mut dyn Write,
    plan: &Plan,
    watched: &Watched,
    target_ms: f64,
) -> io::Result<()> {
    let Watched { acknowledged, accepted, rows, neighbour, .. } = watched;
    writeln!(
        out,
        "Part 1: {} events over HTTP in {:.1} s, and a neighbour from {} to {}\n",
        words::count(*acknowledged),
        watched.seconds,
        words::about(plan.neighbour.start),
        words::about(plan.neighbour.end),
    )?;
    writeln!(
        out,
        "             seconds  in, k/s  out, k/s  batch size, from … to   over {}",
        words::ms(target_ms)
    )?;
    for chapter in &watched.chapters {
        let (least, most) =
            (words::count(chapter.batch_size_min), words::count(chapter.batch_size_max));
        writeln!(
            out,
            "{:<12} {:>7.1} {:>8} {:>9}  {:>23} {:>12}",
            chapter.phase,
            chapter.seconds,
            words::thousands(chapter.accepted_per_second),
            words::thousands(chapter.delivered_per_second),
            format!("{least} … {most}"),
            words::count(chapter.misses),
        )?;
    }
    let held = match rows == accepted && accepted == acknowledged {
        true => "every acknowledged event is a row, and there is no other.",
        false => "these differ.",
    };
    let drained = match watched.drained_seconds {
        Some(seconds) => format!("the last was delivered {seconds:.1} s after the load ended"),
        None => "not all were delivered when the time for that was over".to_owned(),
    };
    let text = format!(
        "Acknowledged {}, accepted {}, rows in the database {}: {held} {} changes of plan; \
         {drained}. The neighbour committed {} times and waited at most {} for the lock.",
        words::count(*acknowledged),
        words::count(*accepted),
        words::count(*rows),
        words::count(watched.decisions),
        words::count(neighbour.commits),
        words::ms(neighbour.wait_ms_max),
    );
    writeln!(out, "\n{}\n", words::wrapped(&text, 80))
}

/// Tells what the second part is, before it begins.
pub(super) fn second(out: &mut dyn Write, plan: &Plan, args: &DemoArgs) -> io::Result<()> {
    let text = format!(
        "Part 2: the same load on each plan, {} each, in the order of the lines, with a new server \
         and an empty database; the neighbour (nbr.) is there in the second half. Delivery is from \
         acceptance to the database, of the events that were delivered by the end. The \
         size of {} begins at {} each time.",
        words::about(plan.run),
        table::label(Contender::asked(args)),
        words::count(u64::from(args.initial_batch)),
    );
    let target_ms = args.target.as_secs_f64() * 1e3;
    writeln!(out, "{}\n\n{}", words::wrapped(&text, 80), table::head(target_ms))
}

/// Where to look next.
pub(super) fn last(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    if let Some(verdict) = &report.verdict {
        writeln!(out, "\n{}", words::wrapped(&verdict.text, 80))?;
    }
    match &report.kept {
        None => {
            writeln!(out, "\nFrom the database of part 1:\n\n  {EXAMPLE};")?;
            for line in &report.watched.example {
                writeln!(out, "  {line}")?;
            }
            let text = "Servers and files are gone. --keep leaves them, --help shows what can be \
                        changed, and README.md says how to run it for real.";
            writeln!(out, "\n{}", words::wrapped(text, 80))
        }
        Some(Kept { url, dir }) => writeln!(
            out,
            "\nThe server of part 1 stays up until Ctrl-C, at {url}\n\n  \
             curl {url}/api/metrics\n  \
             curl {url}/v1/events -H 'content-type: application/json' -d '{{\"msg\":\"hello\"}}'\n  \
             sqlite3 {}/events.db \\\n    \"{EXAMPLE}\"\n\n\
             README.md says how to run it for real.",
            dir.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::neighbour::Done;
    use super::super::plan::tests::args;
    use super::super::story::tests::sample;
    use super::super::table::tests::{ASKED, row};
    use super::super::verdict::verdict;
    use super::*;
    use crate::demo::plan::Phase;

    fn watched(rows: u64) -> Watched {
        let story = sample();
        let chapters = [Phase::Before, Phase::Neighbour].map(|phase| story.chapter(phase).unwrap());
        Watched {
            seed: 1,
            seconds: 25.0,
            acknowledged: 2_500_000,
            accepted: 2_500_000,
            delivered: rows,
            rows,
            drained_seconds: Some(0.2),
            decisions: 1_234,
            chapters: chapters.to_vec(),
            neighbour: Done { commits: 150, wait_ms_max: 31.0 },
            example: vec!["INFO|1|2026-11-21T01:02:03.000Z".to_owned()],
        }
    }

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_first_part_says_whether_anything_was_lost() {
        let plan = Plan::new(&args("")).unwrap();
        let told = |rows| text(|out| first(out, &plan, &watched(rows), 50.0));
        let fine = told(2_500_000);
        assert!(fine.contains("every acknowledged event is a row"), "{fine}");
        assert!(fine.contains("a neighbour from 10 s to 17 s"), "{fine}");
        assert!(fine.contains("110 … 500"), "{fine}");
        assert!(fine.lines().all(|line| line.chars().count() <= 80), "{fine}");
        assert!(told(2_499_999).contains("these differ"));
    }

    #[test]
    fn the_second_part_says_how_it_is_made() {
        let args = args("--initial-batch 300");
        let told = text(|out| second(out, &Plan::new(&args).unwrap(), &args));
        assert!(told.contains("5 s each") && told.contains("adaptive begins at 300"), "{told}");
        assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
    }

    #[test]
    fn the_end_says_where_to_look() {
        let watched = watched(1);
        let rows = [row(ASKED, 9.0), row(Contender::Fixed(10), 5.0)];
        let mut report = Report {
            version: "0",
            rate: 1.0,
            target_ms: 50.0,
            watched: &watched,
            rows: &rows,
            verdict: verdict(&rows, 10.0),
            kept: None,
        };
        let gone = text(|out| last(out, &report));
        assert!(gone.contains("INFO|1|2026") && gone.contains("--keep"), "{gone}");
        let url = "http://127.0.0.1:9".to_owned();
        report.kept = Some(Kept { url, dir: Path::new("/tmp/x") });
        let kept = text(|out| last(out, &report));
        assert!(kept.contains("sqlite3 /tmp/x/events.db") && kept.contains("Ctrl-C"), "{kept}");
    }
}
