//! How are the sinks of a configuration taken into use?

use std::sync::Arc;

use tidegate_journal::Journal;
use tidegate_sinks::file::FileSink;
use tidegate_sinks::http::HttpSink;
use tidegate_sinks::postgres::PostgresSink;
use tidegate_sinks::sqlite::{self, SqliteSink};
use tidegate_sinks::stdout::StdoutSink;
use tidegate_sinks::{Blackhole, Origin, Sink};

use super::error::StartError;
use crate::config::{Config, Retention, SinkKind, Span, SqliteConfig};

/// Starts every sink, and takes it into use for this opening of the journal.
pub(super) async fn open(
    config: &Config,
    journal: &Journal,
) -> Result<Vec<Arc<dyn Sink>>, StartError> {
    let mut number = [0; 16];
    getrandom::fill(&mut number).map_err(|error| StartError::Random(error.to_string()))?;
    let identity = journal.identity();
    let origin = Origin {
        journal: identity.id,
        epoch: identity.epoch,
        opening: u128::from_le_bytes(number),
    };
    let mut sinks: Vec<Arc<dyn Sink>> = Vec::new();
    for (name, of_sink) in &config.sinks {
        let failed = |source| StartError::Sink { name: name.clone(), source };
        let sink: Arc<dyn Sink> = match &of_sink.kind {
            SinkKind::Sqlite(sqlite) => {
                let settings = sqlite_settings(config, name, sqlite);
                Arc::new(SqliteSink::start(settings).map_err(failed)?)
            }
            SinkKind::Postgres(postgres) => {
                let setting = |source| StartError::Setting { sink: name.clone(), source };
                let settings = postgres.settings(name).map_err(setting)?;
                Arc::new(PostgresSink::start(settings).map_err(failed)?)
            }
            SinkKind::Http(http) => Arc::new(HttpSink::start(http.settings(name)).map_err(failed)?),
            SinkKind::File(file) => {
                let settings = file.settings(&config.data_dir, name);
                Arc::new(FileSink::start(settings).map_err(failed)?)
            }
            SinkKind::Stdout {} => Arc::new(StdoutSink::start().map_err(failed)?),
            SinkKind::Blackhole {} => Arc::new(Blackhole),
        };
        sink.open(origin).await.map_err(failed)?;
        sinks.push(sink);
    }
    Ok(sinks)
}

fn sqlite_settings(config: &Config, name: &str, sqlite: &SqliteConfig) -> sqlite::Settings {
    let Retention { max_age, max_rows } = sqlite.retention;
    let retention = (max_age.is_some() || max_rows.is_some())
        .then(|| sqlite::Retention { max_age: max_age.map(Span::duration), max_rows });
    sqlite::Settings {
        busy_timeout: sqlite.busy_timeout.duration(),
        retention,
        ..sqlite::Settings::new(sqlite.file(&config.data_dir), name)
    }
}
