//! What does a start say about a server or a database that cannot be used?

use std::time::Duration;

use tidegate_sinks::Sink;
use tidegate_sinks::postgres::{PostgresSink, Server, Settings, Table, schema};
use tidegate_testbed::postgres::{self, PASSWORD, Postgres, USER};

use super::Place;
use super::contract::{batch, deliver, origin};

/// The message of an open that fails, without its beginning, which names the server.
async fn refusal(settings: Settings) -> String {
    let begin = format!("cannot use database {}: ", settings.server);
    let sink = PostgresSink::start(settings).unwrap();
    let error = sink.open(origin(1)).await.unwrap_err().to_string();
    assert!(!error.contains("wrong-word") && !error.contains(PASSWORD), "{error}");
    error.strip_prefix(&begin).unwrap_or_else(|| panic!("{error}")).to_owned()
}

fn server(place: &Place, user: &str, database: &str) -> Server {
    Server::new("127.0.0.1", place.address.port(), user, database)
}

#[tokio::test]
async fn nobody_listens() {
    let place = Place::new();
    let settings = Settings {
        server: Server::new("127.0.0.1", 1, USER, "postgres").with_password(PASSWORD),
        ..place.settings()
    };
    let said = refusal(settings).await;
    assert!(said.contains("Connection refused"), "{said}");
    assert!(said.contains("Check that the server runs"), "{said}");
}

#[tokio::test]
async fn a_wrong_password_a_missing_database_and_a_setting_out_of_bounds() {
    let place = Place::new();
    let wrong = server(&place, USER, "postgres").with_password("wrong-word");
    let said = refusal(Settings { server: wrong, ..place.settings() }).await;
    assert!(said.contains("password authentication failed"), "{said}");
    assert!(said.contains("Check user and password"), "{said}");
    let missing = server(&place, USER, "nowhere").with_password(PASSWORD);
    let said = refusal(Settings { server: missing, ..place.settings() }).await;
    assert!(said.contains("\"nowhere\" does not exist (3D000)"), "{said}");
    assert!(said.ends_with("Create the database, or name another one"), "{said}");
    let sink = PostgresSink::start(Settings { connections: 65, ..place.settings() });
    let said = sink.unwrap_err().to_string();
    assert!(said.ends_with("connections is 65, but must be between 1 and 64"), "{said}");
}

#[tokio::test]
async fn a_user_without_rights_and_with_tables_made_by_an_administrator() {
    let place = Place::new();
    let client = place.client().await;
    let schema = &place.schema;
    let role = format!("role {schema}");
    client
        .batch_execute(&format!(
            "CREATE ROLE \"{role}\" LOGIN PASSWORD 'pw'; CREATE SCHEMA \"{schema}\"; \
             GRANT USAGE ON SCHEMA \"{schema}\" TO \"{role}\""
        ))
        .await
        .unwrap();
    let server = server(&place, &role, "postgres").with_password("pw");
    let settings = Settings { server, ..place.settings() };
    let said = refusal(settings.clone()).await;
    assert!(said.contains("permission denied for schema"), "{said}");
    let without = Settings { create: false, ..settings.clone() };
    let said = refusal(without.clone()).await;
    assert!(said.contains("lacks tables of the sink, and `create` is false"), "{said}");

    // What the administrator makes belongs to another owner; rights on it are enough.
    client.batch_execute(&schema::statements(&settings)).await.unwrap();
    let said = refusal(without.clone()).await;
    assert!(said.contains("permission denied"), "{said}");
    client
        .batch_execute(&format!(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA \"{schema}\" TO \"{role}\""
        ))
        .await
        .unwrap();
    let sink = PostgresSink::start(without).unwrap();
    sink.open(origin(1)).await.unwrap();
    deliver(&sink, batch(0..10)).await;
    assert_eq!(place.number("SELECT count(*) FROM events").await, 10);
}

#[tokio::test]
async fn a_table_of_somebody_else_an_altered_one_and_a_newer_layout() {
    let place = Place::new();
    let client = place.client().await;
    let schema = &place.schema;
    client
        .batch_execute(&format!("CREATE SCHEMA \"{schema}\"; CREATE TABLE events (id int)"))
        .await
        .unwrap();
    let said = refusal(place.settings()).await;
    assert!(said.contains("has a table `events` that tidegate did not create"), "{said}");
    let table = Table::Own { name: "other events".to_owned() };
    let settings = Settings { table, ..place.settings() };
    let sink = PostgresSink::start(settings.clone()).unwrap();
    sink.open(origin(1)).await.unwrap();
    deliver(&sink, batch(0..10)).await;
    sink.close().await;
    assert_eq!(place.number("SELECT count(*) FROM \"tidegate_other events\"").await, 10);

    // More columns and indexes of the user's own are welcome.
    client
        .batch_execute(
            "ALTER TABLE \"other events\" ADD note text, ADD at timestamptz DEFAULT now(); \
             CREATE INDEX ON \"other events\" (time)",
        )
        .await
        .unwrap();
    let sink = PostgresSink::start(settings.clone()).unwrap();
    sink.open(origin(2)).await.unwrap();
    deliver(&sink, batch(10..20)).await;
    sink.close().await;

    client
        .batch_execute(
            "DROP VIEW \"tidegate_other events\"; ALTER TABLE \"other events\" \
             RENAME class TO kind; ALTER TABLE \"other events\" ALTER body TYPE bytea USING NULL; \
             ALTER TABLE \"other events\" ALTER severity_number TYPE boolean USING NULL",
        )
        .await
        .unwrap();
    // The view is made again; that fails on the altered table, and says so.
    let said = refusal(settings.clone()).await;
    assert!(said.contains("class"), "{said}");
    client.batch_execute("UPDATE tidegate_layout SET version = 2").await.unwrap();
    client.batch_execute("CREATE VIEW \"tidegate_other events\" AS SELECT 1").await.unwrap();
    let said = refusal(settings.clone()).await;
    assert!(said.contains("its layout is version 2, and this tidegate knows version 1"), "{said}");
    client.batch_execute("UPDATE tidegate_layout SET version = 1").await.unwrap();
    let said = refusal(settings).await;
    assert!(said.contains("was altered:"), "{said}");
    assert!(
        said.contains("column `class` is not in the table, which has journal, position"),
        "{said}"
    );
    assert!(said.contains("column `severity_number` is of the type boolean"), "{said}");
}

#[tokio::test]
async fn a_server_that_would_lose_what_it_has_committed() {
    let settings = postgres::Settings::default().with("fsync", "off");
    let mut server = Postgres::start(settings).unwrap();
    let place = Place::on(server.address());
    let said = refusal(place.settings()).await;
    assert!(said.contains("it runs with `fsync = off`"), "{said}");
    let allowed = Settings { allow_fsync_off: true, ..place.settings() };
    let sink = PostgresSink::start(allowed.clone()).unwrap();
    sink.open(origin(1)).await.unwrap();
    deliver(&sink, batch(0..10)).await;

    // A session that would not wait for the disk is not possible, whatever the server's default.
    server.psql("postgres", "ALTER SYSTEM SET synchronous_commit = off").unwrap();
    server.restart().unwrap();
    let lost = sink.deliver(batch(10..20)).await;
    assert!(lost.outcome.is_retryable() || lost.failure.is_none(), "{lost:?}");
    deliver(&sink, batch(10..20)).await;
    let own = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tidegate'";
    assert_eq!(place.number(own).await, 1);
    server.stop().unwrap();
    let gone = Settings { connect_timeout: Duration::from_millis(500), ..allowed };
    let said = refusal(gone).await;
    assert!(said.contains("Connection refused"), "{said}");
}
