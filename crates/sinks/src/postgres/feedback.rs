//! What does the server say of its load? It is asked once a second, on a connection of its own, so
//! that no attempt waits for it.
//!
//! * `lock_waits`: locks that somebody waits for at that moment, in this database.
//! * `active_connections`: backends at work at that moment, ours among them. Without the rights of
//!   `pg_monitor` the server shows only our own.
//! * `replication_lag`: seconds by which the slowest standby is behind, where the server has any
//!   and shows it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidegate::Feedback;
use tokio::time::MissedTickBehavior;
use tokio_postgres::Client;

use super::session;
use super::settings::Settings;
use super::tls::Connector;
use super::trouble::Trouble;

const EVERY: Duration = Duration::from_secs(1);

const ASK: &str = "
    SELECT (SELECT count(*) FROM pg_catalog.pg_locks l
            WHERE NOT l.granted AND (l.database IS NULL OR l.database = 0 OR l.database =
                (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))),
           (SELECT count(*) FROM pg_catalog.pg_stat_activity
            WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()),
           (SELECT max(extract(epoch FROM replay_lag))::float8 FROM pg_catalog.pg_stat_replication)";

/// What the server said last; nothing while it says nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Latest(Arc<Mutex<Option<Feedback>>>);

impl Latest {
    pub(super) fn get(&self) -> Option<Feedback> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, feedback: Option<Feedback>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = feedback;
    }
}

/// Asks until it is aborted. A server that does not answer is asked again, on a new connection.
pub(super) async fn poll(settings: Settings, tls: Connector, latest: Latest) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Ok((client, driver)) = session::connect(&settings, &tls).await {
            while let Ok(feedback) = ask(&client).await {
                latest.set(Some(feedback));
                ticks.tick().await;
            }
            driver.abort();
        }
        latest.set(None);
    }
}

async fn ask(client: &Client) -> Result<Feedback, Trouble> {
    let row = client.query_one(ASK, &[]).await?;
    let (waits, active): (i64, i64) = (row.get(0), row.get(1));
    let feedback = Feedback { lock_waits: Some(waits as f64), ..Feedback::default() };
    let feedback = feedback.with("active_connections", active as f64);
    let lag: Option<f64> = row.get(2);
    Ok(match lag {
        Some(lag) => feedback.with("replication_lag", lag),
        None => feedback,
    })
}
