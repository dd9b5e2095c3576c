//! The load generator alone, as `tidegate load` runs it: for measuring it without the binary.
//!
//! ```sh
//! cargo run --release -p tidegate-load --example load -- --events 10M --url http://127.0.0.1:8090/
//! ```

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use tidegate_load::{Bar, LoadArgs};

#[derive(clap::Parser)]
struct Command {
    #[command(flatten)]
    load: LoadArgs,
}

fn main() -> io::Result<ExitCode> {
    let args = Command::parse().load;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    let mut bar = Bar::new(&args);
    let summary = match runtime.block_on(tidegate_load::run(&args, &mut bar, interrupted)) {
        Ok(summary) => summary,
        Err(error) => {
            writeln!(io::stderr(), "error: {error}")?;
            return Ok(ExitCode::from(if error.is_usage() { 2 } else { 1 }));
        }
    };
    summary.write(args.format, &mut io::stdout())?;
    Ok(if summary.complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
