//! `tidegate dlq show`: one letter. With `--event` only its event, to be mended.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::client::Client;

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The letter's id, as `list` shows it.
    id: i64,
    /// Print only the event, on one line, as `mend` takes it.
    #[arg(long)]
    event: bool,
}

pub(super) fn run(client: &Client, args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    if !args.event {
        writeln!(out, "{}", client.get(&format!("/{}", args.id), &[])?.body)?;
        return Ok(ExitCode::SUCCESS);
    }
    let query = [("id", args.id.to_string()), ("events", "true".to_owned())];
    let event = client.get("/export", &query)?.body;
    let event = Some(event).filter(|event| !event.is_empty());
    let event = event.with_context(|| format!("there is no dead letter {}", args.id))?;
    out.write_all(event.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
