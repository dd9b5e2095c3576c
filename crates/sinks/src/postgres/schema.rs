//! Which tables does the sink keep, and when is a database not ours to write to?
//!
//! # The tables, for people with `psql`
//!
//! `events` (or the name that is set), one row an event, keyed by (`journal`, `position`):
//!
//! | column | type | what |
//! |---|---|---|
//! | `journal` | integer | which journal accepted it: `tidegate_journals.journal` |
//! | `position` | bigint | its place in that journal; the pair names the event for ever |
//! | `time` | timestamptz | when it happened, else when it was received; to the microsecond |
//! | `timestamp` | bigint | when it happened, ns since 1970 UTC; NULL if the producer did not say |
//! | `observed` | bigint | when tidegate received it, ns since 1970 UTC |
//! | `severity_number` | smallint | OpenTelemetry severity, 1 to 24; NULL if unknown |
//! | `severity_text` | text | the severity as written; NULL if none |
//! | `service`, `class` | text | NULL if none |
//! | `body` | text | the message; JSON text if it was not a string; NULL if none or empty |
//! | `attributes` | jsonb | an object: `attributes ->> 'user'`, `attributes @> '{"user": "Ann"}'` |
//! | `trace_id`, `span_id` | bytea | `'\x4bf9…'`; NULL if none |
//!
//! `tidegate_events`, a view: the same, with the ids as lower-case hexadecimal text.
//!
//! `tidegate_journals`: the journals that deliver here; `id` is the journal's id in hexadecimal,
//! `epoch` and `opening` say which opening of it may write (the fence). `tidegate_lanes` numbers the
//! lanes. `tidegate_ranges`: which positions each lane has committed, from `first` up to but without
//! `end`. This is the sink's own record, and the truth. Do not edit it: what is not in it comes
//! again, what is in it never does. `tidegate_layout` holds the version of all this.
//!
//! # Why so
//!
//! `time` is a column of its own beside the exact `timestamp`, since a `timestamptz` holds
//! microseconds only, and a time that is computed in a view can carry no index, no partition and
//! no dashboard. Eight bytes a row buy that.
//!
//! `attributes` is `jsonb`, not `json`: it is there to be asked, and can be indexed. Its price:
//! the text does not come back as it was sent (blanks, the order of members, `1e2`), and a number
//! beyond 131,072 digits is refused, with the event it is in.
//!
//! Ids are `bytea`: half the bytes of text, and in every index on them.
//!
//! `tidegate_ranges` is held disjoint by an exclusion constraint over two ranges: the positions, and
//! the lane's number as a range of one. PostgreSQL's own GiST operators for ranges serve both, so no
//! extension is needed; `btree_gist`, for a plain number, would have to be installed.
//!
//! The events have no foreign key: it would be looked up for every row, and the rows' own
//! transaction checks the journal already.

use tokio_postgres::Client;

use super::catalogue;
use super::settings::{Settings, Table};
use super::trouble::Trouble;
use crate::mapping::{Column, Field, Mapping};

/// The layout described above.
const VERSION: i32 = 1;
/// The class of the sink's advisory locks: "tide" in ASCII.
pub(super) const LOCKS: i32 = 0x7469_6465;

/// The quoted names of the sink's own tables.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) journals: String,
    pub(super) lanes: String,
    pub(super) ranges: String,
    /// The second half of the key of advisory locks on what is in the schema.
    pub(super) lock: i32,
    layout: String,
    schema: String,
}

impl Names {
    pub(super) fn of(settings: &Settings) -> Self {
        let schema = quoted(&settings.schema);
        let name = |table: &str| format!("{schema}.{table}");
        Self {
            journals: name("tidegate_journals"),
            lanes: name("tidegate_lanes"),
            ranges: name("tidegate_ranges"),
            layout: name("tidegate_layout"),
            lock: hash(&settings.schema),
            schema,
        }
    }
}

/// FNV-1a, <http://www.isthe.com/chongo/tech/comp/fnv/>: it must come out the same in every version.
fn hash(text: &str) -> i32 {
    let hash = |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    text.bytes().fold(0x811c_9dc5, hash).cast_signed()
}

/// A name as SQL takes it, whatever is in it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The statements that create everything the sink needs, for an administrator to run where the
/// sink may not.
///
/// ```
/// use tidegate_sinks::postgres::{Server, Settings, schema};
///
/// let settings = Settings::new(Server::new("localhost", 5432, "tide", "events"), "postgres");
/// assert!(schema::statements(&settings).contains("CREATE TABLE IF NOT EXISTS \"public\".\"events\""));
/// ```
#[must_use]
pub fn statements(settings: &Settings) -> String {
    let Names { journals, lanes, ranges, layout, schema, .. } = Names::of(settings);
    let mut sql = format!(
        r#"
CREATE TABLE IF NOT EXISTS {layout} (version integer NOT NULL);
INSERT INTO {layout} SELECT {VERSION} WHERE NOT EXISTS (SELECT FROM {layout});
CREATE TABLE IF NOT EXISTS {journals} (
    journal integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id      text    NOT NULL UNIQUE,
    epoch   bigint  NOT NULL,
    opening text    NOT NULL
);
CREATE TABLE IF NOT EXISTS {lanes} (
    lane    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sink    text    NOT NULL,
    journal integer NOT NULL,
    name    text    NOT NULL,
    UNIQUE (sink, journal, name)
);
CREATE TABLE IF NOT EXISTS {ranges} (
    lane  integer NOT NULL,
    first bigint  NOT NULL CHECK (first >= 0),
    "end" bigint  NOT NULL CHECK ("end" > first),
    CONSTRAINT tidegate_ranges_disjoint EXCLUDE USING gist (
        int4range(lane, lane, '[]') WITH &&, int8range(first, "end") WITH &&)
);
"#
    );
    if let Table::Own { name } = &settings.table {
        let (table, key) = (quoted(name), quoted(&format!("{name}_key")));
        let view = quoted(&format!("tidegate_{name}"));
        sql.push_str(&format!(
            r#"CREATE TABLE IF NOT EXISTS {schema}.{table} (
    journal         integer     NOT NULL,
    "position"      bigint      NOT NULL,
    "time"          timestamptz NOT NULL,
    "timestamp"     bigint,
    observed        bigint      NOT NULL,
    severity_number smallint,
    severity_text   text,
    service         text,
    class           text,
    body            text,
    attributes      jsonb,
    trace_id        bytea,
    span_id         bytea,
    CONSTRAINT {key} PRIMARY KEY (journal, "position")
);
CREATE OR REPLACE VIEW {schema}.{view} AS
SELECT "time", journal, "position", "timestamp", observed, severity_number, severity_text, service,
       class, body, attributes, encode(trace_id, 'hex') AS trace_id, encode(span_id, 'hex') AS span_id
FROM {schema}.{table};
"#
        ));
    }
    sql
}

/// The table of the sink's own, as a mapping.
pub(super) fn own(schema: &str, table: &str) -> Mapping {
    let column = |(name, field): (&str, Field)| Column { name: name.to_owned(), field };
    let columns = [
        ("journal", Field::JournalNumber),
        ("position", Field::Position),
        ("time", Field::Time),
        ("timestamp", Field::Timestamp),
        ("observed", Field::Observed),
        ("severity_number", Field::SeverityNumber),
        ("severity_text", Field::SeverityText),
        ("service", Field::Service),
        ("class", Field::Class),
        ("body", Field::Body),
        ("attributes", Field::Attributes),
        ("trace_id", Field::TraceId),
        ("span_id", Field::SpanId),
    ];
    Mapping {
        table: format!("{}.{}", quoted(schema), quoted(table)),
        columns: columns.into_iter().map(column).collect(),
        conflict: None,
    }
}

/// Creates what is missing, if it may, after making sure that the database is ours or free.
pub(super) async fn install(client: &Client, settings: &Settings) -> Result<(), Trouble> {
    let found = look(client, settings).await?;
    if found.is_complete() {
        return check_version(client, settings).await;
    }
    found.check(settings)?;
    let schema = quoted(&settings.schema);
    let lock = Names::of(settings).lock;
    client.batch_execute(&format!("BEGIN; SELECT pg_advisory_xact_lock({LOCKS}, {lock})")).await?;
    // Looked at again under the lock: another sink may have created it meanwhile.
    look(client, settings).await?.check(settings)?;
    if !found.schema {
        client.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {schema}")).await?;
    }
    client.batch_execute(&statements(settings)).await?;
    client.batch_execute("COMMIT").await?;
    check_version(client, settings).await
}

/// What is there of the sink's own.
struct Found {
    schema: bool,
    /// Journals, lanes and ranges.
    record: bool,
    layout: bool,
    /// The table of events and its view, if it is the sink's own; else true.
    events: bool,
    view: bool,
    owns_events: bool,
}

async fn look(client: &Client, settings: &Settings) -> Result<Found, Trouble> {
    let Names { journals, lanes, ranges, layout, schema, .. } = Names::of(settings);
    let (events, view) = match &settings.table {
        Table::Own { name } => (
            format!("{schema}.{}", quoted(name)),
            format!("{schema}.{}", quoted(&format!("tidegate_{name}"))),
        ),
        Table::Mapped(_) => (layout.clone(), layout.clone()),
    };
    let row = client
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1),
                    to_regclass($2) IS NOT NULL AND to_regclass($3) IS NOT NULL
                        AND to_regclass($4) IS NOT NULL,
                    to_regclass($5) IS NOT NULL, to_regclass($6) IS NOT NULL,
                    to_regclass($7) IS NOT NULL",
            &[&settings.schema, &journals, &lanes, &ranges, &layout, &events, &view],
        )
        .await?;
    let owns_events = matches!(settings.table, Table::Own { .. });
    let (schema, record, layout) = (row.get(0), row.get(1), row.get(2));
    Ok(Found { schema, record, layout, events: row.get(3), view: row.get(4), owns_events })
}

impl Found {
    fn is_complete(&self) -> bool {
        self.record && self.layout && self.events && self.view
    }

    /// Whether the rest may be created.
    fn check(&self, settings: &Settings) -> Result<(), Trouble> {
        let schema = &settings.schema;
        if self.owns_events && self.events && !self.layout {
            let Table::Own { name } = &settings.table else { return Ok(()) };
            return Err(Trouble::Unusable(format!(
                "its schema `{schema}` has a table `{name}` that tidegate did not create. Give the \
                 sink another table or schema, or map the columns of this one"
            )));
        }
        if settings.create || self.is_complete() {
            return Ok(());
        }
        Err(Trouble::Unusable(format!(
            "its schema `{schema}` lacks tables of the sink, and `create` is false. Have them made \
             by an administrator, or set `create: true`"
        )))
    }
}

async fn check_version(client: &Client, settings: &Settings) -> Result<(), Trouble> {
    let layout = Names::of(settings).layout;
    let version = client.query_opt(&format!("SELECT max(version) FROM {layout}"), &[]).await?;
    match version.and_then(|row| row.get::<_, Option<i32>>(0)) {
        Some(VERSION) => Ok(()),
        version => Err(Trouble::Unusable(format!(
            "its layout is version {}, and this tidegate knows version {VERSION}. Use the tidegate \
             that wrote it, or another schema",
            version.map_or_else(|| "none".to_owned(), |version| version.to_string())
        ))),
    }
}

/// The table that takes the events, as the catalogue has it, with the mapping that is in force.
pub(super) async fn target(
    client: &Client,
    settings: &Settings,
) -> Result<(catalogue::Table, Vec<catalogue::Bound>, Mapping), Trouble> {
    let mapping = match &settings.table {
        Table::Own { name } => own(&settings.schema, name),
        Table::Mapped(mapping) => mapping.clone(),
    };
    let table = catalogue::read(client, &mapping.table).await?;
    match table.bind(&mapping) {
        Ok(bound) => Ok((table, bound, mapping)),
        Err(problems) => {
            let lines = problems.join("\n  ");
            let path = &table.path;
            Err(Trouble::Unusable(match settings.table {
                Table::Own { .. } => format!(
                    "its table {path} was altered:\n  {lines}\nRestore the documented columns, or \
                     rename the table: it is created anew"
                ),
                Table::Mapped(_) => format!("the mapping does not fit table {path}:\n  {lines}"),
            }))
        }
    }
}
