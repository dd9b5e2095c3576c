//! Does the testbed's PostgreSQL keep what it must, and forget what it may?

use std::path::PathBuf;

use tidegate_testbed::postgres::{Error, Postgres, Settings};

#[test]
fn it_survives_stops_kills_and_crashes_and_leaves_nothing_behind() {
    let mut server = Postgres::start(Settings::default().with("work_mem", "5MB")).unwrap();
    let one = |server: &Postgres, sql: &str| server.psql("postgres", sql).unwrap();
    assert_eq!(one(&server, "SHOW fsync"), "on");
    assert_eq!(one(&server, "SHOW work_mem"), "5MB");
    one(&server, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)");

    server.stop().unwrap();
    assert!(server.psql("postgres", "SELECT 1").is_err());
    server.restart().unwrap();
    one(&server, "INSERT INTO kept VALUES (2)");
    server.kill().unwrap();
    server.restart().unwrap();
    assert_eq!(one(&server, "SELECT count(*) FROM kept"), "2");

    let checkpointer =
        one(&server, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
    server.crash_backend(checkpointer.parse().unwrap()).unwrap();
    let stranger = server.crash_backend(std::process::id());
    assert!(matches!(stranger, Err(Error::NoBackend(_))));

    let directory: PathBuf = server.socket_directory().to_owned();
    drop(server);
    assert!(!directory.exists());
}
