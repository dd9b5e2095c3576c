//! What can be asked of the command?

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tidegate_load::LoadArgs;

use crate::commands::dlq::DlqArgs;
use crate::commands::journal::JournalArgs;
use crate::demo::DemoArgs;
use crate::simulate::SimulateArgs;
use crate::top::TopArgs;

/// Takes events, makes them durable, and delivers them in batches whose size follows what the
/// database can take.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server: events in over HTTP, a durable journal, adaptive batches out.
    ///
    /// Without any configuration it listens on 127.0.0.1:8080 and keeps everything under
    /// ./tidegate-data. Send it an event with
    ///
    ///   curl localhost:8080/v1/events -H 'content-type: application/json' -d '{"msg":"hello"}'
    ///
    /// and find it in ./tidegate-data/events.db, table `events`.
    #[command(verbatim_doc_comment)]
    Serve(ServeArgs),
    /// Check a configuration file: 0 if it is fine, 78 and every problem if not.
    Validate(ValidateArgs),
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
    /// Look at, mend, retry and remove the items that a running server has given up.
    Dlq(Box<DlqArgs>),
    /// Watch a running server in the terminal: every lane, its plan, and why the plan moved.
    Top(TopArgs),
    /// Look at the journal of a stopped server, check it, mend it, and read its events.
    Journal(Box<JournalArgs>),
    /// Generate load over HTTP and measure what comes back.
    Load(Box<LoadArgs>),
    /// See it work: the main job in about a minute, in a temporary directory.
    ///
    /// First a server, load and a neighbour that wants the same database for a while, live; then
    /// the same load on fixed batch sizes. It says who delivered more, whoever that is.
    Demo(Box<DemoArgs>),
    /// Let controllers compete on simulated backends, in virtual time.
    ///
    /// Each is held against a clairvoyant and against the best plan that never changes, over many
    /// seeds. A scenario is a YAML file; suites of them ship. For example
    ///
    ///   tidegate simulate --controller all --seeds 20 --report out.html
    ///   tidegate simulate mine.yaml --controller aimd --timeline
    #[command(verbatim_doc_comment)]
    Simulate(Box<SimulateArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Configuration file (YAML or JSON).
    #[arg(short, long, env = "TIDEGATE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Address to listen on; a token is required for any but a loopback address.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where the journal and the database live.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// How log lines look; the configuration's `log.format` if it is not given.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// The file to check.
    pub(crate) file: PathBuf,
    /// Print the configuration that would be in force.
    #[arg(long)]
    pub(crate) effective: bool,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
