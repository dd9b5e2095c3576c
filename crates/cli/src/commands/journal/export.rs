//! `tidegate journal export`: the events as they came, frame by frame, never all in memory.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use tidegate_event::Rows;
use tidegate_journal::{Frame, OpenError};

use super::look;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The data directory of a server, or the journal's own; nobody may be using it.
    dir: PathBuf,
    /// The first position.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// The position after the last.
    #[arg(long)]
    until: Option<u64>,
    /// Only what this lane has not delivered, like `main/default`.
    #[arg(long, value_name = "SINK/LANE")]
    undelivered_by: Option<String>,
    /// Puts each event's name into it, as `tidegate_id`.
    #[arg(long)]
    ids: bool,
}

/// What ends an export.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Journal(#[from] OpenError),
    #[error("cannot write: {0}")]
    Output(#[from] std::io::Error),
    #[error("the frame at position {0} holds rows that cannot be read")]
    Rows(u64),
}

pub(super) fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let rest = look(&args.dir)?;
    let range = args.from..args.until.unwrap_or(u64::MAX);
    let wanted = match &args.undelivered_by {
        None => vec![range.clone()],
        Some(lane) => rest.undelivered(lane, range.clone()),
    };
    let id = rest.condition().identity.id;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut write = |frame: &Frame| -> Result<(), Ended> {
        for group in &frame.groups {
            let rows = Rows::new(group.rows.clone(), group.items);
            let mut position = group.first;
            for event in rows.iter() {
                if wanted.iter().any(|range| range.contains(&position)) {
                    let mut line = tidegate_server::event_line(&event);
                    if args.ids {
                        line = named(&line, &format!("{id}:{position}"));
                    }
                    writeln!(out, "{line}")?;
                }
                position += 1;
            }
            if position != group.first + u64::from(group.items) {
                return Err(Ended::Rows(group.first));
            }
        }
        Ok(())
    };
    rest.frames(&range, &mut write)?;
    out.flush()?;
    let damage = rest.condition();
    if !damage.is_sound() {
        let mut stderr = std::io::stderr();
        writeln!(
            stderr,
            "the journal is damaged, and what is damaged is not exported: see verify"
        )?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// The event's object with one more member in front.
fn named(line: &str, id: &str) -> String {
    let rest = line.trim_start_matches('{');
    let comma = if rest == "}" { "" } else { "," };
    format!("{{\"tidegate_id\":{}{comma}{rest}", Value::from(id))
}
