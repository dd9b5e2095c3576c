//! With which code does the command end? 0 when all went well, 78 for a configuration or a
//! simulation that is refused, 1 for everything else; a wrong flag is clap's 2.

use std::io::Write;
use std::process::ExitCode;

use tidegate_load::LoadError;
use tidegate_server::StartError;
use tidegate_server::config::ConfigError;

use crate::demo::DemoError;
use crate::simulate::SimulateError;

/// `EX_CONFIG` of `sysexits.h`.
const CONFIG: u8 = 78;

/// What clap ends with, too, when a flag is wrong.
const USAGE: u8 = 2;

/// The code for a result, after its error has been told.
pub(crate) fn code(result: anyhow::Result<ExitCode>) -> ExitCode {
    let error = match result {
        Ok(code) => return code,
        Err(error) => error,
    };
    let mut stderr = std::io::stderr();
    // Nobody is left to tell if stderr is gone.
    let _ = writeln!(stderr, "tidegate: {error:#}");
    let usage = error.downcast_ref::<LoadError>().is_some_and(LoadError::is_usage)
        || error.downcast_ref::<DemoError>().is_some_and(DemoError::is_usage);
    let start = error.downcast_ref::<StartError>();
    let refused = error.is::<ConfigError>()
        || start.is_some_and(|error| matches!(error, StartError::Tls(_)))
        || error.downcast_ref::<SimulateError>().is_some_and(SimulateError::is_input);
    match refused {
        true => ExitCode::from(CONFIG),
        false if usage => ExitCode::from(USAGE),
        false => ExitCode::FAILURE,
    }
}
