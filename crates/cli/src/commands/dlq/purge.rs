//! `tidegate dlq purge`: letters are removed for good, once that is confirmed.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::FilterArgs;
use super::client::Client;

#[derive(Debug, Args)]
pub(super) struct PurgeArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Remove them; without it the command only says how many there are.
    #[arg(long)]
    confirm: bool,
}

pub(super) fn run(client: &Client, args: &PurgeArgs) -> anyhow::Result<ExitCode> {
    let mut query = args.filter.query();
    query.push(("confirm", args.confirm.to_string()));
    let purged = client.delete(&query)?.json()?;
    writeln!(std::io::stdout(), "{} removed", purged["purged"])?;
    Ok(ExitCode::SUCCESS)
}
