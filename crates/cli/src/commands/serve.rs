//! `tidegate serve`: the server, until it is asked to stop.

use std::process::ExitCode;
use std::sync::Arc;

use tidegate_server::config::{self, Config, Loaded, Overrides, Source};
use tidegate_server::telemetry::logs;
use tidegate_server::{Extras, Server};

use super::{environment, runtime, stop_requested};
use crate::args::{LogFormat, ServeArgs};
use crate::race::Races;

pub(super) fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let source = args.config.as_deref().map_or(Source::Defaults, Source::File);
    let overrides = Overrides { listen: args.listen, data_dir: args.data_dir };
    let Loaded { config, origins } = Config::load(source, &overrides, &environment)?;
    let file = args.config.as_deref().map(|path| path.display().to_string());
    let extras = Extras { origins, file, simulator: Some(Arc::new(Races)) };
    let format = match (args.log_format, config.log.format) {
        (Some(LogFormat::Text), _) | (None, config::LogFormat::Text) => logs::Format::Text,
        (Some(LogFormat::Json), _) | (None, config::LogFormat::Json) => logs::Format::Json,
    };
    logs::init(config.log.level.as_str(), format);
    runtime()?.block_on(serve(&config, extras))
}

async fn serve(config: &Config, extras: Extras) -> anyhow::Result<ExitCode> {
    let server = Server::start_with(config, extras).await?;
    let addresses = server.addresses();
    tracing::info!(
        address = %addresses.main,
        otlp_grpc = addresses.grpc.map(tracing::field::display),
        otlp_http = addresses.http.map(tracing::field::display),
        data_dir = %config.data_dir.display(),
        "taking events at POST /v1/events, logs at /v1/logs; figures at /api/metrics"
    );
    let stop = async {
        if let Err(error) = stop_requested().await {
            tracing::error!(%error, "no signals: stop with SIGKILL");
            std::future::pending::<()>().await;
        }
        tracing::info!("asked to stop");
    };
    server.run(stop).await?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}
