//! Is the table what the documentation says to people with the `sqlite3` shell?

use rusqlite::Connection;
use tidegate_event::{Body, Event};

use super::contract::{batch, batch_of, deliver, opened};
use super::{path_of, subject};

fn texts(db: &Connection, sql: &str) -> Vec<Option<String>> {
    let mut statement = db.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn the_columns_are_the_documented_ones() {
    let subject = subject();
    opened(&subject, 1).await.close().await;
    let db = Connection::open(path_of(&subject)).unwrap();
    let columns = texts(&db, "SELECT name || ' ' || type FROM pragma_table_xinfo('events')");
    let columns: Vec<_> = columns.iter().flatten().map(String::as_str).collect();
    assert_eq!(
        columns,
        [
            "journal INTEGER",
            "position INTEGER",
            "timestamp INTEGER",
            "observed INTEGER",
            "severity_number INTEGER",
            "severity_text TEXT",
            "service TEXT",
            "class TEXT",
            "body TEXT",
            "attributes TEXT",
            "trace_id TEXT",
            "span_id TEXT",
            "time TEXT",
        ]
    );
    for (pragma, value) in [("journal_mode", "wal"), ("page_size", "8192"), ("user_version", "1")] {
        let sql = format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}");
        assert_eq!(texts(&db, &sql), [Some(value.to_owned())], "{pragma}");
    }
}

#[tokio::test]
async fn time_is_iso_8601_to_the_nanosecond_before_1970_too() {
    let subject = subject();
    let sink = opened(&subject, 1).await;
    let at = |timestamp, observed| Event { timestamp, observed, ..Event::default() };
    let events = [
        at(Some(1_763_600_000_123_456_789), 0),
        at(None, 1_000_000_000),
        at(Some(0), 5),
        at(Some(-1), 5),
        at(Some(-1_500_000_000), 5),
        at(Some(i64::MAX), 5),
        at(Some(i64::MIN + 1), 5),
    ];
    deliver(&*sink, batch_of(0, &events)).await;
    let db = Connection::open(path_of(&subject)).unwrap();
    let times = texts(&db, "SELECT time FROM events ORDER BY position");
    let times: Vec<_> = times.iter().flatten().map(String::as_str).collect();
    assert_eq!(
        times,
        [
            "2025-11-20T00:53:20.123456789Z",
            "1970-01-01T00:00:01.000000000Z",
            "1970-01-01T00:00:00.000000000Z",
            "1969-12-31T23:59:59.999999999Z",
            "1969-12-31T23:59:58.500000000Z",
            "2262-04-11T23:47:16.854775807Z",
            "1677-09-21T00:12:43.145224193Z",
        ]
    );
}

#[tokio::test]
async fn attributes_and_ids_can_be_asked_for() {
    let subject = subject();
    let sink = opened(&subject, 1).await;
    deliver(&*sink, batch(0..4)).await;
    let event = Event {
        attributes: r#"{"user":"Ann","http.status":503}"#,
        trace_id: Some(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes()),
        body: Body::Text("found"),
        ..Event::default()
    };
    deliver(&*sink, batch_of(4, &[event])).await;
    let db = Connection::open(path_of(&subject)).unwrap();
    for condition in [
        "attributes ->> 'user' = 'Ann'",
        r#"attributes ->> '$."http.status"' = 503"#,
        "trace_id = '4bf92f3577b34da6a3ce929d0e0e4736'",
        "severity_text IS NULL AND severity_number IS NULL AND service IS NULL",
    ] {
        let sql = format!("SELECT body FROM events WHERE {condition}");
        assert_eq!(texts(&db, &sql), [Some("found".to_owned())], "{condition}");
    }
    assert_eq!(texts(&db, "SELECT attributes ->> 'user' FROM events WHERE position = 2").len(), 1);
    let plan = "EXPLAIN QUERY PLAN SELECT * FROM events WHERE journal = 1 AND position = 4";
    let plan: String = db.query_row(plan, [], |row| row.get(3)).unwrap();
    assert!(plan.contains("journal=? AND position=?"), "{plan}");
}
