//! `tidegate journal`: what a journal holds while no server runs it, whether it is sound, and how it
//! is mended.
//!
//! Only `repair --write` ever changes it. A journal that a server holds is refused: what it says of
//! itself is at `/api/metrics`, and a copy of its directory can be looked at meanwhile.

mod export;
mod report;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use tidegate_journal::{AtRest, FileStorage, OpenError, Repair};

/// Arguments of `tidegate journal`.
#[derive(Debug, Args)]
pub(crate) struct JournalArgs {
    #[command(subcommand)]
    command: JournalCommand,
}

#[derive(Debug, Subcommand)]
enum JournalCommand {
    /// What it holds: segments, positions, what each lane has delivered.
    Stat(Place),
    /// Read every frame and check it: 0 if the journal is sound, 1 and every damage if not.
    Verify(Place),
    /// Mend what is damaged: a place that cannot be read becomes a gap, which lanes pass.
    ///
    /// Without --write it only says what it would do. No intact frame is touched. Ends with 1 while
    /// something is left to mend.
    Repair(RepairArgs),
    /// Write its events as NDJSON on stdout, as POST /v1/events takes them.
    Export(export::ExportArgs),
}

#[derive(Debug, Args)]
struct Place {
    /// The data directory of a server, or the journal's own; nobody may be using it.
    dir: PathBuf,
    /// How it is told.
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(Debug, Args)]
struct RepairArgs {
    #[command(flatten)]
    place: Place,
    /// Do it.
    #[arg(long)]
    write: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

pub(super) fn run(args: &JournalArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        JournalCommand::Stat(place) => {
            report::tell(&look(&place.dir)?, place.format, report::Detail::All)?;
            Ok(ExitCode::SUCCESS)
        }
        JournalCommand::Verify(place) => {
            let rest = look(&place.dir)?;
            report::tell(&rest, place.format, report::Detail::Damage)?;
            Ok(if rest.condition().is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        JournalCommand::Repair(args) => repair(args),
        JournalCommand::Export(args) => export::run(args),
    }
}

/// The journal's own directory: a server keeps it under its data directory.
fn journal_dir(dir: &Path) -> PathBuf {
    let below = dir.join("journal");
    if below.is_dir() { below } else { dir.to_owned() }
}

fn look(dir: &Path) -> Result<AtRest, OpenError> {
    AtRest::look(FileStorage::look(journal_dir(dir))?)
}

fn repair(args: &RepairArgs) -> anyhow::Result<ExitCode> {
    let place = &args.place;
    let mut rest = look(&place.dir)?;
    let repairs = rest.repairs();
    let write = args.write && !repairs.is_empty();
    if write {
        // Given back before it is taken for writing.
        drop(rest);
        rest = AtRest::look(FileStorage::open(journal_dir(&place.dir))?)?.repair()?;
    }
    let mut out = std::io::stdout().lock();
    if place.format == Format::Json {
        let steps: Vec<_> = repairs.iter().map(report::step).collect();
        let sound = rest.condition().is_sound();
        writeln!(out, "{}", json!({ "written": write, "repairs": steps, "sound": sound }))?;
    } else if repairs.is_empty() {
        writeln!(out, "nothing to mend")?;
    } else {
        for repair in &repairs {
            writeln!(out, "{}: {}", if write { "done" } else { "would" }, words(repair))?;
        }
        if !write {
            writeln!(out, "nothing was written: add --write to do it")?;
        }
    }
    Ok(if rest.repairs().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn words(repair: &Repair) -> String {
    match repair {
        Repair::Meta => "write `meta` anew from what the segments say".to_owned(),
        Repair::SetAside { file } => {
            format!("rename {file}, which is no usable segment, to *.bad")
        }
        Repair::Gap { file, bytes, positions } => format!(
            "make bytes {}..{} of {file} a gap: positions {}..{} are lost, and nothing else",
            bytes.start, bytes.end, positions.start, positions.end
        ),
    }
}
