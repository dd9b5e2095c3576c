//! Is the table what the documentation says to people with `psql`?

use tidegate_event::{Body, Event};

use super::contract::{batch, batch_of, deliver, opened};
use super::{place_of, subject};

#[tokio::test]
async fn the_columns_are_the_documented_ones() {
    let subject = subject();
    opened(&subject, 1).await.close().await;
    let client = place_of(&subject).client().await;
    let columns = client
        .query(
            "SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute
             WHERE attrelid = 'events'::regclass AND attnum > 0 ORDER BY attnum",
            &[],
        )
        .await
        .unwrap();
    let columns: Vec<String> = columns.iter().map(|row| row.get(0)).collect();
    assert_eq!(
        columns,
        [
            "journal integer",
            "position bigint",
            "time timestamp with time zone",
            "timestamp bigint",
            "observed bigint",
            "severity_number smallint",
            "severity_text text",
            "service text",
            "class text",
            "body text",
            "attributes jsonb",
            "trace_id bytea",
            "span_id bytea",
        ]
    );
}

#[tokio::test]
async fn time_attributes_and_ids_can_be_asked_for() {
    let subject = subject();
    let sink = opened(&subject, 1).await;
    deliver(&*sink, batch(0..4)).await;
    let event = Event {
        timestamp: Some(1_763_600_000_123_456_789),
        attributes: r#"{"user":"Ann","http.status":503}"#,
        trace_id: Some(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes()),
        body: Body::Text("found"),
        ..Event::default()
    };
    let before_1970 = Event { timestamp: Some(-1), ..Event::default() };
    deliver(&*sink, batch_of(4, &[event, before_1970])).await;
    let client = place_of(&subject).client().await;
    client.batch_execute("SET timezone = 'UTC'").await.unwrap();
    for condition in [
        "attributes ->> 'user' = 'Ann'",
        r#"attributes @> '{"http.status": 503}'"#,
        "trace_id = '4bf92f3577b34da6a3ce929d0e0e4736'",
        "time = '2025-11-20T00:53:20.123456Z' AND timestamp = 1763600000123456789",
        "severity_text IS NULL AND severity_number IS NULL AND service IS NULL AND position = 4",
    ] {
        let sql = format!("SELECT body FROM tidegate_events WHERE {condition}");
        let row = client.query_one(&sql, &[]).await.unwrap();
        assert_eq!(row.get::<_, String>(0), "found", "{condition}");
    }
    let row = client.query_one("SELECT time::text FROM events WHERE position = 5", &[]).await;
    assert_eq!(row.unwrap().get::<_, String>(0), "1969-12-31 23:59:59.999999+00");
}
