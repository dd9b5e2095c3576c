//! Does a controller hold on real backends? Any controller of the library, in real time, against
//! SQLite, PostgreSQL and an HTTP stand-in, beside static plans, in interleaved rounds.
//!
//! ```text
//! source ──▶ Engine + Controller ──▶ attempts ──▶ backend
//!  counts      the library's own       tokio       a real one
//!                     ▲                               │
//!                     └───── samples ◀── answers ◀────┘──▶ record ──▶ figures ──▶ tables, traces
//! ```
//!
//! | question | module |
//! |---|---|
//! | what is measured? | [`case`], [`source`], [`contender`] |
//! | how does the engine run in real time? | [`drive`], [`clock`]; beside it, without an engine: [`bare`] |
//! | how does the whole server run? | [`product`] |
//! | what is written to? | [`backend`], [`standin`], [`rows`] |
//! | who disturbs it? | [`neighbour`], in a [`child`] process |
//! | how good was it? | [`record`], [`recorded`], [`figures`], [`results`], [`cpu`] |
//! | is the simulator right about it? | [`agreement`] |
//! | how is it told? | [`table`], [`landscape`], [`timeline`], [`report`], [`trace`], [`machine`] |
//! | what is done, in which order? | [`sweep`], [`rounds`], [`measure`] |

mod agreement;
mod backend;
mod bare;
mod case;
mod child;
mod clock;
mod contender;
mod cpu;
mod drive;
mod figures;
mod landscape;
mod machine;
mod measure;
mod neighbour;
mod product;
mod record;
mod recorded;
mod report;
mod results;
mod rounds;
mod rows;
mod source;
mod standin;
mod sweep;
mod table;
mod timeline;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Writes a line of progress to standard error.
macro_rules! say {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        // Nobody may be there to read it; that stops no measurement.
        let _ = writeln!(std::io::stderr().lock(), $($part)*);
    }};
}
pub(crate) use say;

/// Runs controllers and static plans against real backends, in real time
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Runs contenders in interleaved rounds
    Rounds(rounds::Options),
    /// Measures bare loops of 5,000 rows a batch, and the same plan through the engine
    Ceiling(rounds::Ceiling),
    /// Looks for the best static plan, over size and concurrency
    Sweep(sweep::Options),
    /// Collects results into a page, its figures and its pictures
    Report(report::Options),
    /// Compares what was measured of static plans with the simulator
    Agreement(agreement::Options),
    /// The HTTP stand-in, for a parent process
    #[command(hide = true)]
    StandIn(standin::Service),
    /// A neighbour, for a parent process
    #[command(hide = true)]
    Neighbour {
        #[command(subcommand)]
        of: Neighbour,
    },
}

#[derive(Debug, Subcommand)]
enum Neighbour {
    /// Is busy, and writes to this server
    Postgres {
        /// Its URL
        url: String,
    },
    /// Writes to this database file
    Sqlite {
        /// The file
        path: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(what: What) -> anyhow::Result<()> {
    match what {
        What::Rounds(options) => runtime()?.block_on(rounds::run(&options)),
        What::Ceiling(ceiling) => runtime()?.block_on(rounds::run(&ceiling.into())),
        What::Sweep(options) => runtime()?.block_on(sweep::run(&options)),
        What::Report(options) => report::run(&options),
        What::Agreement(options) => agreement::run(&options),
        What::StandIn(service) => standin::run(service),
        What::Neighbour { of: Neighbour::Postgres { url } } => neighbour::postgres(&url),
        What::Neighbour { of: Neighbour::Sqlite { path } } => neighbour::sqlite(&path),
    }
}

/// Two threads, as the library's user has at least: attempts are encoded beside the engine.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// Writes to standard output.
fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
