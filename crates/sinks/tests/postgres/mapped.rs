//! Do events reach a table of the user's own, by its types, and is all that does not fit told?

use tidegate::Outcome;
use tidegate_event::{Body, Event};
use tidegate_sinks::mapping::{Column, Conflict, ConflictAction, Mapping};
use tidegate_sinks::postgres::{PostgresSink, Settings, Table};
use tidegate_sinks::{DeliveryFailure, Sink};

use super::Place;
use super::contract::{batch, batch_of, deliver, origin};

const TABLE: &str = "
    CREATE TYPE level AS ENUM ('INFO', 'error');
    CREATE DOMAIN code AS int CHECK (VALUE < 1000);
    CREATE TABLE requests (
        id         bigserial PRIMARY KEY,
        at         timestamptz NOT NULL,
        day        date,
        level      level,
        service    varchar(20) NOT NULL DEFAULT 'none',
        status     code,
        duration   double precision,
        price      numeric(12, 3),
        cached     boolean,
        request    uuid,
        trace      bytea,
        details    jsonb,
        message    text,
        place      bigint
    )";

const COLUMNS: [(&str, &str); 13] = [
    ("at", "time"),
    ("day", "timestamp"),
    ("level", "severity_text"),
    ("service", "service"),
    ("status", "attributes.http.status"),
    ("duration", "attributes.duration_ms"),
    ("price", "attributes.price"),
    ("cached", "attributes.cache.hit"),
    ("request", "attributes.request_id"),
    ("trace", "trace_id"),
    ("details", "attributes"),
    ("message", "body"),
    ("place", "position"),
];

fn mapping(table: &str, columns: &[(&str, &str)]) -> Mapping {
    let columns = columns.iter().map(|(name, field)| Column::new(name, field).unwrap()).collect();
    Mapping { table: table.to_owned(), columns, conflict: None }
}

/// A place with the user's tables, and the settings of a sink that writes there.
async fn place(tables: &str, mut mapping: Mapping) -> (Place, Settings) {
    let place = Place::new();
    let client = place.client().await;
    let schema = &place.schema;
    client.batch_execute(&format!("CREATE SCHEMA \"{schema}\"")).await.unwrap();
    client.batch_execute(tables).await.unwrap();
    mapping.table = format!("\"{schema}\".{}", mapping.table);
    let settings = Settings { table: Table::Mapped(mapping), ..place.settings() };
    (place, settings)
}

async fn sink(settings: &Settings) -> PostgresSink {
    let sink = PostgresSink::start(settings.clone()).unwrap();
    sink.open(origin(1)).await.unwrap();
    sink
}

fn event() -> Event<'static> {
    Event {
        timestamp: Some(1_763_600_000_123_456_789),
        observed: 1_763_600_001_000_000_000,
        severity_text: "error",
        service: "checkout",
        body: Body::Text("payment failed"),
        attributes: r#"{"http":{"status":503},"duration_ms":12.5,"price":-1234567.8915,
                        "cache.hit":false,"request_id":"4bf92f35-77b3-4da6-a3ce-929d0e0e4736"}"#,
        trace_id: Some([0xab; 16]),
        ..Event::default()
    }
}

#[tokio::test]
async fn typed_columns_take_what_fits_them() {
    let (place, settings) = place(TABLE, mapping("requests", &COLUMNS)).await;
    let sink = sink(&settings).await;
    let sparse = Event { service: "s", observed: 0, ..Event::default() };
    deliver(&sink, batch_of(0, &[event(), sparse])).await;
    deliver(&sink, batch_of(0, &[event(), sparse])).await;
    let client = place.client().await;
    client.batch_execute("SET timezone = 'UTC'").await.unwrap();
    let rows = client.query("SELECT to_jsonb(r) - 'details' FROM requests r ORDER BY id", &[]);
    let rows: Vec<String> = {
        let texts =
            client.query("SELECT (to_jsonb(r) - 'details')::text FROM requests r ORDER BY id", &[]);
        drop(rows);
        texts.await.unwrap().iter().map(|row| row.get(0)).collect()
    };
    let first: serde_json::Value = serde_json::from_str(&rows[0]).unwrap();
    assert_eq!(
        first,
        serde_json::json!({
            "id": 1, "at": "2025-11-20T00:53:20.123456+00:00", "day": "2025-11-20",
            "level": "error", "service": "checkout", "status": 503, "duration": 12.5,
            "price": -1_234_567.892, "cached": false,
            "request": "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
            "trace": "\\xabababababababababababababababab", "message": "payment failed", "place": 0
        })
    );
    let second: serde_json::Value = serde_json::from_str(&rows[1]).unwrap();
    assert_eq!(second["at"], "1970-01-01T00:00:00+00:00");
    assert!(second["status"].is_null() && second["trace"].is_null() && second["level"].is_null());
    assert_eq!(rows.len(), 2);
    let found = "SELECT count(*) FROM requests WHERE details @> '{\"http\": {\"status\": 503}}'";
    assert_eq!(place.number(found).await, 1);
}

#[tokio::test]
async fn what_does_not_fit_at_run_time_is_refused_with_its_position() {
    let (place, settings) = place(TABLE, mapping("requests", &COLUMNS)).await;
    let sink = sink(&settings).await;
    let with = |attributes| Event { attributes, ..event() };
    for (bad, words) in [
        (
            with(r#"{"http":{"status":"abc"}}"#),
            "\"abc\" in `attributes.http.status` does not fit column `status`",
        ),
        (with(r#"{"http.status":1.5}"#), "does not fit column `status`"),
        (with(r#"{"http.status":3000000000}"#), "does not fit column `status`"),
        (with(r#"{"http.status":1000}"#), "violates check constraint"),
        (with(r#"{"price":1e10}"#), "numeric field overflow"),
        (with(r#"{"cache":{"hit":1}}"#), "does not fit column `cached`"),
        (with(r#"{"request_id":"no uuid"}"#), "does not fit column `request`"),
        (Event { service: "", ..event() }, "null value in column \"service\""),
        (Event { service: "a service with a long name", ..event() }, "value too long"),
        (Event { severity_text: "WARN", ..event() }, "invalid input value for enum"),
    ] {
        let delivery = sink.deliver(batch_of(0, &[event(), event(), bad, event()])).await;
        assert_eq!(delivery.outcome, Outcome::Rejected, "{delivery:?}");
        match delivery.failure {
            Some(DeliveryFailure::Refused { why, at }) => {
                assert_eq!(at, Some(2), "{why}");
                assert!(why.starts_with("position 2: ") && why.contains(words), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(place.number("SELECT count(*) FROM requests").await, 0);
    deliver(&sink, batch_of(0, &[event()])).await;
    assert_eq!(place.number("SELECT count(*) FROM requests").await, 1);
}

#[tokio::test]
async fn everything_that_does_not_fit_a_table_is_told_at_once() {
    let tables = "CREATE TABLE wrong (
        n int, flag boolean, at timestamptz, tenant text NOT NULL, made int GENERATED ALWAYS AS (1) STORED,
        spot point, plain text)";
    let columns = [
        ("n", "service"),
        ("flag", "timestamp"),
        ("at", "attributes"),
        ("made", "position"),
        ("spot", "body"),
        ("plian", "body"),
    ];
    let mut wrong = mapping("wrong", &columns);
    let key = vec!["n".to_owned()];
    wrong.conflict = Some(Conflict { key, action: ConflictAction::Update });
    let (_place, settings) = place(tables, wrong).await;
    let sink = PostgresSink::start(settings).unwrap();
    let said = sink.open(origin(1)).await.unwrap_err().to_string();
    for words in [
        "the mapping does not fit table",
        "column `n` is of the type integer, which `service` does not fit: map a field of that type",
        "column `flag` is of the type boolean, which `timestamp` does not fit: make the column timestamptz",
        "column `at` is of the type timestamp with time zone, which `attributes` does not fit: make the column jsonb",
        "column `made` (integer) is generated: remove it",
        "column `spot` is of the type point, which nothing can be mapped to",
        "column `plian` is not in the table, which has n, flag, at, tenant, made, spot, plain",
        "column `tenant` (text) must not be null, has no default, and nothing is mapped to it",
        "the key (\"n\") has no unique index",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(said.lines().count(), 9, "{said}");
}

#[tokio::test]
async fn a_missing_table_and_a_view_are_told() {
    let (_place, settings) = place("SELECT 1", mapping("nowhere", &[("a", "body")])).await;
    let sink = PostgresSink::start(settings).unwrap();
    let said = sink.open(origin(1)).await.unwrap_err().to_string();
    assert!(said.contains("there is no table") && said.contains("Create it, or correct"), "{said}");
    let (_place, settings) =
        place("CREATE VIEW v AS SELECT 1 AS a", mapping("v", &[("a", "body")])).await;
    let sink = PostgresSink::start(settings).unwrap();
    let said = sink.open(origin(1)).await.unwrap_err().to_string();
    assert!(said.contains("is no table"), "{said}");
}

#[tokio::test]
async fn rows_with_a_key_take_the_place_of_older_ones_or_leave_them() {
    let table = "CREATE TYPE level AS ENUM ('INFO', 'error');
                 CREATE TABLE latest (service text, level level, place bigint NOT NULL, note text,
                                      price numeric, at timestamptz, details jsonb, PRIMARY KEY (service))";
    let columns = [
        ("service", "service"),
        ("level", "severity_text"),
        ("place", "position"),
        ("note", "attributes.note"),
        ("price", "attributes.price"),
        ("at", "observed"),
        ("details", "attributes"),
    ];
    for (action, expected) in [
        (ConflictAction::Update, "a 3 four;b 2 null"),
        (ConflictAction::Nothing, "a 0 one;b 2 null"),
    ] {
        let mut upsert = mapping("latest", &columns);
        upsert.conflict = Some(Conflict { key: vec!["service".to_owned()], action });
        let (place, settings) = place(table, upsert).await;
        let sink = sink(&settings).await;
        let of = |service, attributes| Event {
            service,
            attributes,
            severity_text: "INFO",
            ..Event::default()
        };
        deliver(&sink, batch_of(0, &[of("a", r#"{"note":"one","price":1.50}"#)])).await;
        let later = [of("a", r#"{"note":"two"}"#), of("b", "{}"), of("a", r#"{"note":"four"}"#)];
        deliver(&sink, batch_of(1, &later)).await;
        deliver(&sink, batch_of(1, &later)).await;
        let client = place.client().await;
        let text = "SELECT string_agg(concat_ws(' ', service, place, coalesce(note, 'null')), ';' ORDER BY service) FROM latest";
        assert_eq!(client.query_one(text, &[]).await.unwrap().get::<_, String>(0), expected);
        // A value that does not fit is refused here too, by the sink with its position.
        let delivery =
            sink.deliver(batch_of(10, &[of("c", "{}"), of("d", r#"{"price":"x"}"#)])).await;
        assert!(
            matches!(delivery.failure, Some(DeliveryFailure::Refused { at: Some(11), .. })),
            "{:?}",
            delivery.failure
        );
    }
}

#[tokio::test]
async fn a_key_over_the_events_name_keeps_lanes_from_storing_twice() {
    let table =
        "CREATE TABLE named (journal uuid, place bigint, message text, UNIQUE (journal, place))";
    let mut named =
        mapping("named", &[("journal", "journal"), ("place", "position"), ("message", "body")]);
    let key = vec!["place".to_owned(), "journal".to_owned()];
    named.conflict = Some(Conflict { key, action: ConflictAction::Nothing });
    let (place, settings) = place(table, named).await;
    let sink = sink(&settings).await;
    deliver(&sink, batch(0..15)).await;
    deliver(&sink, tidegate_sinks::Batch { lane: "write".into(), ..batch(0..25) }).await;
    assert_eq!(place.number("SELECT count(*) FROM named").await, 25);
}
