//! What does each subcommand do? One file each.

pub(crate) mod dlq;
pub(crate) mod journal;
mod load;
mod schema;
mod serve;
mod simulate;
mod validate;

use std::process::ExitCode;

use crate::args::{Cli, Command};
use crate::{demo, top};

/// Does what was asked.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Validate(args) => validate::run(&args),
        Command::Schema => schema::run(),
        Command::Dlq(args) => dlq::run(&args),
        Command::Top(args) => top::run(&args),
        Command::Journal(args) => journal::run(&args),
        Command::Load(args) => load::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Simulate(args) => simulate::run(&args),
    }
}

/// A variable of the environment.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The runtime of commands that do things at once.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Completes when the process is asked to stop, by SIGTERM or SIGINT.
///
/// A second request ends the process at once: whoever asks twice does not want to wait.
async fn stop_requested() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(1);
    });
    Ok(())
}
