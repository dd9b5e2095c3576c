//! `tidegate dlq retry`: letters go to their sink again.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::FilterArgs;
use super::client::Client;

#[derive(Debug, Args)]
pub(super) struct RetryArgs {
    /// One letter; without it all that the filter lets through.
    #[arg(conflicts_with_all = ["sink", "lane", "class", "kind", "reason", "group", "position"])]
    id: Option<i64>,
    #[command(flatten)]
    filter: FilterArgs,
}

pub(super) fn run(client: &Client, args: &RetryArgs) -> anyhow::Result<ExitCode> {
    let (mut delivered, mut refused, mut after) = (0, 0, 0);
    let mut skipped: BTreeMap<String, u64> = BTreeMap::new();
    let mut stopped = None;
    loop {
        let report = match args.id {
            Some(id) => client.post(&format!("/{id}/retry"), &[])?,
            None => {
                let mut query = args.filter.query();
                query.push(("after", after.to_string()));
                client.post("/retry", &query)?
            }
        };
        let report = report.json()?;
        delivered += report["delivered"].as_u64().unwrap_or(0);
        refused += report["refused"].as_u64().unwrap_or(0);
        for (why, count) in report["skipped"].as_object().into_iter().flatten() {
            *skipped.entry(why.clone()).or_default() += count.as_u64().unwrap_or(0);
        }
        stopped = report["stopped"].as_str().map(str::to_owned).or(stopped);
        match report["last"].as_i64() {
            Some(last) if args.id.is_none() && stopped.is_none() => after = last,
            _ => break,
        }
    }
    let mut out = std::io::stdout();
    writeln!(out, "{delivered} delivered, {refused} refused again")?;
    for (why, count) in &skipped {
        writeln!(out, "{count} not sent: {why}")?;
    }
    if let Some(why) = &stopped {
        writeln!(out, "stopped: {why}")?;
    }
    let all = refused == 0 && skipped.is_empty() && stopped.is_none();
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
