//! `tidegate dlq`: the items that were given up, of a running server, over its API.

mod client;
mod export;
mod list;
mod mend;
mod purge;
mod retry;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use client::Client;

/// Arguments of `tidegate dlq`.
#[derive(Debug, Args)]
pub(crate) struct DlqArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    command: DlqCommand,
}

/// Which server to ask.
#[derive(Debug, Args)]
struct ServerArgs {
    /// Where the server listens.
    #[arg(long, global = true, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    server: String,
    /// The server's token, if it asks for one.
    #[arg(long, global = true, env = "TIDEGATE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The authorities to trust in an https:// URL, as a PEM file; those of the system without it.
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum DlqCommand {
    /// What was given up, by what was said of it, and the first letters.
    List(list::ListArgs),
    /// One letter with its event, as JSON.
    Show(show::ShowArgs),
    /// All letters as NDJSON on stdout.
    Export(export::ExportArgs),
    /// Replace a letter's event by the one in a file; `retry` then sends it.
    Mend(mend::MendArgs),
    /// Send letters to their sink again, oldest first, each under its own name.
    ///
    /// Ends with 0 if all were delivered, else with 1 and says what is left.
    Retry(retry::RetryArgs),
    /// Remove letters for good.
    Purge(purge::PurgeArgs),
}

/// Which letters are meant; without any of these, all.
#[derive(Debug, Clone, Default, Args)]
struct FilterArgs {
    /// Of this sink.
    #[arg(long)]
    sink: Option<String>,
    /// Of this lane.
    #[arg(long)]
    lane: Option<String>,
    /// Events of this class.
    #[arg(long)]
    class: Option<String>,
    /// Given up for this.
    #[arg(long)]
    kind: Option<Kind>,
    /// With this text in the reason.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Of this group, as `list` shows it.
    #[arg(long, value_name = "TEXT")]
    group: Option<String>,
    /// At this position of the journal.
    #[arg(long)]
    position: Option<u64>,
}

/// Why an item was given up.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Kind {
    /// The backend refused it, sent alone.
    Refused,
    /// It is too large, sent alone.
    TooLarge,
    /// It was tried as often as allowed.
    Attempts,
    /// It was tried for as long as allowed.
    Age,
}

impl FilterArgs {
    /// As names and values of a query.
    fn query(&self) -> Vec<(&'static str, String)> {
        let Self { sink, lane, class, kind, reason, group, position } = self;
        let kind = kind.and_then(|kind| kind.to_possible_value());
        let kind = kind.map(|value| value.get_name().to_owned());
        let texts = [
            ("sink", sink),
            ("lane", lane),
            ("class", class),
            ("kind", &kind),
            ("reason", reason),
            ("group", group),
        ];
        let given = texts.into_iter().filter_map(|(name, text)| Some((name, text.clone()?)));
        given.chain(position.map(|at| ("position", at.to_string()))).collect()
    }
}

pub(super) fn run(args: &DlqArgs) -> anyhow::Result<ExitCode> {
    let ServerArgs { server, token, ca } = &args.server;
    let client = Client::new(server, token.as_deref(), ca.as_deref())?;
    match &args.command {
        DlqCommand::List(args) => list::run(&client, args),
        DlqCommand::Show(args) => show::run(&client, args),
        DlqCommand::Export(args) => export::run(&client, args),
        DlqCommand::Mend(args) => mend::run(&client, args),
        DlqCommand::Retry(args) => retry::run(&client, args),
        DlqCommand::Purge(args) => purge::run(&client, args),
    }
}
