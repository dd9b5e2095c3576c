//! A sink of the type `postgres`.

use super::*;

fn sink(text: &str) -> (SinkConfig, PostgresConfig) {
    let file = format!("sinks: {{ pg: {{ type: postgres, {text} }} }}");
    let mut config = load(&file).unwrap().config;
    let sink = config.sinks.remove("pg").unwrap();
    let SinkKind::Postgres(postgres) = sink.kind.clone() else { panic!("{sink:?}") };
    (sink, *postgres)
}

fn refusal(text: &str) -> String {
    let file = format!("sinks: {{ pg: {{ type: postgres, {text} }} }}");
    problems(&file).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn two_attempts_are_in_flight_unless_said_otherwise() {
    let (of_sink, postgres) = sink("host: db.example");
    assert_eq!(of_sink.lane.concurrency, 2.0);
    assert_eq!(of_sink.lane.bounds(of_sink.kind.concurrency_max()).concurrency_max, 8.0);
    let settings = postgres.settings("pg").unwrap();
    assert_eq!(settings.server.to_string(), "tidegate@db.example:5432/tidegate");
    let (of_sink, _) = sink("concurrency: 3, connections: 4");
    assert_eq!(of_sink.lane.concurrency, 3.0);
    let said = refusal("concurrency: 5, connections: 4");
    assert!(said.starts_with("sinks.pg.concurrency is 5"), "{said}");
}

#[test]
fn a_table_of_the_users_own_is_mapped() {
    let (_, postgres) = sink(
        "url: 'postgresql://u:hunter2@h/d', table: app.requests, key: [id], on_conflict: nothing, \
         columns: { at: time, id: attributes.request.id }",
    );
    assert!(!format!("{postgres:?}").contains("hunter2"));
    let settings = postgres.settings("pg").unwrap();
    let tidegate_sinks::postgres::Table::Mapped(mapping) = settings.table else { panic!() };
    assert_eq!(mapping.columns.len(), 2);
    assert_eq!(mapping.conflict.unwrap().key, ["id"]);
}

#[test]
fn what_is_refused_names_the_setting_and_no_secret() {
    for (text, begin) in [
        ("url: 'postgresql://u:hunter2@h/d', host: h", "sinks.pg.url is beside its parts"),
        ("url: 'postgresql://u:hunter2@h:x/d'", "sinks.pg.url is not usable"),
        ("sslmode: verify_full", "sinks.pg.root_cert is null"),
        ("connections: 65", "sinks.pg.connections is 65"),
        ("port: 70000", "sinks.pg.port is 70000"),
        ("schema: ''", "sinks.pg.schema is "),
        ("key: [a]", "sinks.pg.key is not empty"),
        ("columns: { a: servcie }", "sinks.pg.columns is servcie"),
        ("columns: { a: body }, key: [b]", "sinks.pg.key is b"),
        ("synchronous_commit: off", "sinks.pg.synchronous_commit is"),
        ("lock_timeout: 2 h", "sinks.pg.lock_timeout is"),
    ] {
        let said = refusal(text);
        assert!(said.contains(begin) && !said.contains("hunter2"), "{text}: {said}");
    }
}
