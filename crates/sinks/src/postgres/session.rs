//! What is a connection, and what happens on it when the sink is asked for something?
//!
//! The order inside a batch's transaction is the promise: see that the journal is still ours;
//! claim the range; copy the rows; commit. Whatever fails leaves nothing behind.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tidegate_event::Position;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error, Statement};

use super::catalogue::{Bound, Table as Found};
use super::copy::{self, Encoder, Owner};
use super::fence::{self, Taken};
use super::ranges::{self, Claim};
use super::schema::{self, Names, quoted};
use super::settings::{Settings, Table};
use super::tls::Connector;
use super::trouble::{self, Trouble, copy_line, is_of_the_data, taken_key};
use super::upsert;
use crate::contract::{Batch, Origin};
use crate::mapping::Conflict;
use crate::shape::checked_range;

/// A connection, set up and looked through.
pub(super) struct Session {
    client: Client,
    driver: JoinHandle<()>,
    names: Arc<Names>,
    target: Target,
    taken: Option<Taken>,
    /// The numbers of the lanes of the journal that is taken.
    lanes: HashMap<Arc<str>, i32>,
    /// Whether answers may no longer belong to what was asked: a COPY that the server refuses
    /// before it begins is answered once more than the client library counts.
    is_out_of_step: bool,
}

/// The table that takes the events.
struct Target {
    table: Found,
    columns: Vec<Bound>,
    encoder: Encoder,
    copy: Statement,
    conflict: Option<Conflict>,
    /// The unique index on a name, where the table is the sink's own.
    key: Option<String>,
}

/// A connection without anything set up.
pub(super) async fn connect(
    settings: &Settings,
    tls: &Connector,
) -> Result<(Client, JoinHandle<()>), Trouble> {
    let mut config = settings.server.config.clone();
    config
        .ssl_mode(settings.server.ssl_mode())
        .application_name(&settings.application_name)
        .connect_timeout(settings.connect_timeout)
        .keepalives_idle(Duration::from_secs(30))
        .keepalives_interval(Duration::from_secs(10))
        .keepalives_retries(3);
    let connecting = tokio::time::timeout(settings.connect_timeout, config.connect(tls.clone()));
    let (client, connection) =
        connecting.await.map_err(|_| Trouble::Silent(settings.connect_timeout))??;
    let driver = tokio::spawn(async move {
        // What goes wrong with the connection, whoever waits for an answer on it is told.
        let _ = connection.await;
    });
    let ms = |time: Duration| time.as_millis();
    let idle = ms(settings.statement_timeout.saturating_mul(2));
    client
        .batch_execute(&format!(
            "SET client_min_messages = warning; SET synchronous_commit = {}; \
             SET statement_timeout = {}; SET lock_timeout = {}; \
             SET idle_in_transaction_session_timeout = {idle}; SET tcp_keepalives_idle = 30; \
             SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3",
            settings.synchronous_commit.word(),
            ms(settings.statement_timeout),
            ms(settings.lock_timeout),
        ))
        .await?;
    Ok((client, driver))
}

/// Whether a commit on this server is durable.
async fn check_durability(client: &Client, settings: &Settings) -> Result<(), Trouble> {
    let row = client
        .query_one(
            "SELECT current_setting('fsync'), current_setting('synchronous_commit'),
                    pg_is_in_recovery(), current_setting('server_version_num')::int",
            &[],
        )
        .await?;
    let (fsync, synchronous): (&str, &str) = (row.get(0), row.get(1));
    let version: i32 = row.get(3);
    let unusable = |why: &str| Err(Trouble::Unusable(why.to_owned()));
    if row.get(2) {
        return unusable("it is a standby. Name the primary");
    }
    if version < 120_000 {
        return unusable("it is older than PostgreSQL 12. Use a newer server");
    }
    if fsync != "on" && !settings.allow_fsync_off {
        return unusable(
            "it runs with `fsync = off`: what it has committed it may lose. Turn it on, or set \
             `allow_fsync_off: true` where that does not matter",
        );
    }
    if synchronous != settings.synchronous_commit.word() {
        return unusable(
            "it did not take the session's `synchronous_commit`. Look for a pooler that drops SET",
        );
    }
    Ok(())
}

impl Session {
    /// Connects, makes sure that the database is as it must be, and creates what is missing.
    pub(super) async fn start(settings: &Settings, tls: &Connector) -> Result<Self, Trouble> {
        let (client, driver) = connect(settings, tls).await?;
        check_durability(&client, settings).await?;
        schema::install(&client, settings).await?;
        let target = Target::prepare(&client, settings).await?;
        let names = Arc::new(Names::of(settings));
        Ok(Self {
            client,
            driver,
            names,
            target,
            taken: None,
            lanes: HashMap::new(),
            is_out_of_step: false,
        })
    }

    /// Whether the connection has ended, or must.
    pub(super) fn is_closed(&self) -> bool {
        self.is_out_of_step || self.client.is_closed()
    }

    /// Takes the journal for this opening, unless this session has.
    pub(super) async fn take(&mut self, origin: Origin) -> Result<(), Trouble> {
        if self.taken.is_some_and(|taken| taken.origin == origin) {
            return Ok(());
        }
        self.lanes.clear();
        self.taken = Some(fence::take(&self.client, &self.names, origin).await?);
        Ok(())
    }

    /// The lane's number.
    pub(super) async fn lane(&mut self, sink: &str, lane: &str) -> Result<i32, Trouble> {
        if let Some(number) = self.lanes.get(lane) {
            return Ok(*number);
        }
        let journal = self.taken.ok_or(Trouble::NotOpened)?.journal;
        let lanes = &self.names.lanes;
        // Nothing is written where the lane is there: a sequence has no number to waste.
        let find =
            format!("SELECT lane FROM {lanes} WHERE sink = $1 AND journal = $2 AND name = $3");
        let add = format!(
            "INSERT INTO {lanes} (sink, journal, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
        );
        let mut found = self.client.query_opt(&find, &[&sink, &journal, &lane]).await?;
        if found.is_none() {
            self.client.execute(&add, &[&sink, &journal, &lane]).await?;
            found = self.client.query_opt(&find, &[&sink, &journal, &lane]).await?;
        }
        let number = found.map(|row| row.get(0)).ok_or_else(|| {
            Trouble::Unusable("a lane that was added to `tidegate_lanes` is not there".to_owned())
        })?;
        self.lanes.insert(lane.into(), number);
        Ok(number)
    }

    /// The ranges that the lane has committed.
    pub(super) async fn delivered(
        &mut self,
        sink: &str,
        lane: &str,
        above: Position,
    ) -> Result<Vec<Range<Position>>, Trouble> {
        let lane = self.lane(sink, lane).await?;
        ranges::above(&self.client, &self.names, lane, above).await
    }

    /// Joins the lane's ranges that touch.
    pub(super) async fn compact(&mut self, sink: &str, lane: &str) -> Result<(), Trouble> {
        let lane = self.lane(sink, lane).await?;
        ranges::compact(&self.client, &self.names, lane).await
    }

    /// Ends a transaction that has failed. What is not there to be ended is no error.
    pub(super) async fn roll_back(&self) -> Result<(), Trouble> {
        Ok(self.client.batch_execute("ROLLBACK").await?)
    }

    /// Stores the batch, if it is not stored.
    pub(super) async fn commit(&mut self, sink: &str, batch: &Batch) -> Result<(), Trouble> {
        let range = checked_range(batch).map_err(|why| Trouble::Data(why, None))?;
        if range.is_empty() {
            return Ok(());
        }
        let lane = self.lane(sink, &batch.lane).await?;
        let taken = self.taken.ok_or(Trouble::NotOpened)?;
        let owner = Owner { id: taken.origin.journal, number: taken.journal };
        let (client, names, target) = (&self.client, &self.names, &self.target);
        if ranges::begin(client, names, &taken, lane, &range).await? == Claim::Repeated {
            return Ok(());
        }
        if let Some(conflict) = &target.conflict {
            let Target { table, columns, .. } = target;
            return upsert::rows(client, table, columns, conflict, owner, batch).await;
        }
        let copying = match client.copy_in(&target.copy).await {
            Ok(copying) => copying,
            Err(error) => {
                self.is_out_of_step = true;
                return Err(error.into());
            }
        };
        let refused = match copy::rows(client, copying, &target.encoder, owner, batch).await {
            Err(Trouble::Postgres(error)) => error,
            other => return other,
        };
        if target.key.is_some() && taken_key(&refused) == target.key.as_deref() {
            // The transaction is rolled back, its claim with it: another one begins.
            self.roll_back().await?;
            if ranges::begin(client, names, &taken, lane, &range).await? == Claim::Repeated {
                return Ok(());
            }
            return upsert::missing(client, &target.table, &target.columns, owner, batch).await;
        }
        Err(target.blame(refused, batch))
    }

    /// Lets go of the connection in order.
    pub(super) async fn close(mut self) {
        let driver = std::mem::replace(&mut self.driver, tokio::spawn(async {}));
        drop(self);
        // It ends once the server has been told.
        let _ = tokio::time::timeout(Duration::from_secs(1), driver).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A connection that is given up in the middle of something is closed at once, so that the
        // server rolls back.
        self.driver.abort();
    }
}

impl Target {
    async fn prepare(client: &Client, settings: &Settings) -> Result<Self, Trouble> {
        let (table, columns, mapping) = schema::target(client, settings).await?;
        let list: Vec<_> = columns.iter().map(|bound| quoted(&bound.column.name)).collect();
        let copy = format!("COPY {} ({}) FROM STDIN (FORMAT binary)", table.path, list.join(", "));
        let copy = client.prepare(&copy).await?;
        let (encoder, key) = match settings.table {
            Table::Mapped(_) => (Encoder::Mapped(columns.clone()), None),
            Table::Own { .. } => {
                let key = table.key(&["journal", "position"]).ok_or_else(|| {
                    Trouble::Unusable(format!(
                        "its table {} has lost its key. ALTER TABLE {0} ADD PRIMARY KEY (journal, \
                         \"position\")",
                        table.path
                    ))
                })?;
                (Encoder::Own, Some(key.to_owned()))
            }
        };
        Ok(Self { table, columns, encoder, copy, conflict: mapping.conflict, key })
    }

    /// Says which item was refused, if the server speaks of one.
    fn blame(&self, error: Error, batch: &Batch) -> Trouble {
        if !is_of_the_data(&error) {
            return Trouble::Postgres(error);
        }
        let line = copy_line(&error, &self.table.name);
        let at = line.and_then(|line| position(batch, line));
        let said = trouble::said(&error);
        let why = at.map_or_else(|| said.clone(), |at| format!("position {at}: {said}"));
        Trouble::Data(why, at)
    }
}

/// The position of the batch's row with this number, from 1.
fn position(batch: &Batch, line: usize) -> Option<Position> {
    let mut left = u64::try_from(line).ok()?.checked_sub(1)?;
    for slice in &batch.slices {
        let rows = u64::from(slice.rows.len());
        if left < rows {
            return Some(slice.first + left);
        }
        left -= rows;
    }
    None
}
