//! `tidegate simulate`: controllers against simulated backends, in virtual time.

use std::process::ExitCode;

use super::environment;
use crate::simulate::{self, SimulateArgs};

pub(super) fn run(args: &SimulateArgs) -> anyhow::Result<ExitCode> {
    simulate::run(args, &environment, &mut std::io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}
