//! Which controller would fare best? The simulator, asked from the command line.
//!
//! | question | module |
//! |---|---|
//! | What was typed? | `args` |
//! | What is to be run? | `question` |
//! | How far is it? | `bar` |
//! | What is told at the end? | `answer`, `list` |
//! | What went wrong? | `error` |

mod answer;
mod args;
mod bar;
mod error;
mod list;
mod question;

pub(crate) use args::SimulateArgs;
pub(crate) use error::SimulateError;

use std::io::Write;

use bar::Bar;
use question::Question;

/// Runs what was asked and writes what came of it to `out`.
pub(crate) fn run(
    args: &SimulateArgs,
    environment: &dyn Fn(&str) -> Option<String>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if args.schema {
        let schema = serde_json::to_string_pretty(&tidegate_sim::Scenario::schema())?;
        return Ok(writeln!(out, "{schema}")?);
    }
    if args.list {
        return list::write(out);
    }
    let question = Question::new(args, environment)?;
    let bar = Bar::new(args.quiet);
    let told = |progress| bar.tell(progress);
    let study = tidegate_sim::study(&question.entries, &question.names(), &question.options, &told);
    bar.finish();
    let study = study.map_err(SimulateError::Suite)?;
    answer::write(args, &question, &study, out)
}
