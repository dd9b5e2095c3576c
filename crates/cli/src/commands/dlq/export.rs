//! `tidegate dlq export`: letters as NDJSON, page by page.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::FilterArgs;
use super::client::Client;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Only the events, as POST /v1/events takes them.
    #[arg(long)]
    events: bool,
}

pub(super) fn run(client: &Client, args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    let mut after = Some(0);
    while let Some(from) = after {
        let mut query = args.filter.query();
        query.push(("events", args.events.to_string()));
        query.push(("limit", "1000".to_owned()));
        query.push(("after", from.to_string()));
        let page = client.get("/export", &query)?;
        out.write_all(page.body.as_bytes())?;
        after = page.next;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
