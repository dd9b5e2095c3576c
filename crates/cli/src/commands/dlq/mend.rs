//! `tidegate dlq mend`: another event in the place of one that was refused.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::client::Client;

#[derive(Debug, Args)]
pub(super) struct MendArgs {
    /// The letter's id, as `list` shows it.
    id: i64,
    /// A file with one JSON object, the event; `-` is stdin.
    file: PathBuf,
}

pub(super) fn run(client: &Client, args: &MendArgs) -> anyhow::Result<ExitCode> {
    let mut event = Vec::new();
    if args.file.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut event).context("cannot read stdin")?;
    } else {
        let named = || format!("cannot read {}", args.file.display());
        event = std::fs::read(&args.file).with_context(named)?;
    }
    let id = args.id;
    client.put(&format!("/{id}"), &event)?;
    writeln!(std::io::stdout(), "{id} is mended: `tidegate dlq retry {id}` sends it")?;
    Ok(ExitCode::SUCCESS)
}
