//! `tidegate load`: load over HTTP, and what came back.

use std::process::ExitCode;

use tidegate_load::LoadArgs;

use super::{runtime, stop_requested};

/// Ends with 0 if every event was acknowledged, else with 1.
pub(super) fn run(args: &LoadArgs) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(async {
        let format = args.format;
        let stop = async {
            // Without signals the run ends by its own bounds.
            if stop_requested().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let mut progress = tidegate_load::Bar::new(args);
        let summary = tidegate_load::run(args, &mut progress, stop).await?;
        summary.write(format, &mut std::io::stdout())?;
        Ok(if summary.complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}
