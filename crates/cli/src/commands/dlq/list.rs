//! `tidegate dlq list`: what was given up, the largest groups first, and the first letters.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::FilterArgs;
use super::client::Client;

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// How many letters to list.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// List letters after this id.
    #[arg(long, default_value_t = 0, value_name = "ID")]
    after: i64,
    /// Print the server's answer as it is.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(client: &Client, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let mut query = args.filter.query();
    query.push(("limit", args.limit.to_string()));
    query.push(("after", args.after.to_string()));
    let answer = client.get("", &query)?;
    let mut out = std::io::stdout();
    if args.json {
        writeln!(out, "{}", answer.body)?;
        return Ok(ExitCode::SUCCESS);
    }
    let told = answer.json()?;
    writeln!(
        out,
        "{} dead letters, {} bytes (at most {} and {})",
        told["total"], told["bytes"], told["items_max"], told["bytes_max"]
    )?;
    for group in list(&told["groups"]) {
        let [sink, kind, said] = ["sink", "kind", "group"].map(|name| text(&group[name]));
        let (count, example) = (&group["count"], &group["example"]);
        writeln!(out, "{count:>8}  {sink}  {kind}  {said}  (for example {example})")?;
    }
    for letter in list(&told["letters"]) {
        let [sink, lane, kind] = ["sink", "lane", "kind"].map(|name| text(&letter[name]));
        let (id, position, attempts) = (&letter["id"], &letter["position"], &letter["attempts"]);
        writeln!(
            out,
            "id {id}  position {position}  {sink}/{lane}  {kind} after {attempts}  {}",
            text(&letter["reason"])
        )?;
    }
    if let Some(next) = told["next"].as_i64() {
        writeln!(out, "there are more: --after {next}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}
