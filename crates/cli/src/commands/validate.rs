//! `tidegate validate`: every problem of a configuration at once, before it is put into use.

use std::io::Write;
use std::process::ExitCode;

use tidegate_server::config::{Config, Overrides, Source};

use super::environment;
use crate::args::ValidateArgs;

pub(super) fn run(args: &ValidateArgs) -> anyhow::Result<ExitCode> {
    let source = Source::File(&args.file);
    let loaded = Config::load(source, &Overrides::default(), &environment)?;
    let mut stdout = std::io::stdout();
    if args.effective {
        writeln!(stdout, "{}", serde_json::to_string_pretty(&loaded.effective())?)?;
    } else {
        writeln!(stdout, "{}: fine", args.file.display())?;
    }
    Ok(ExitCode::SUCCESS)
}
