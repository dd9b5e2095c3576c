//! The load generator speaks OTLP too: what it counts as acknowledged is in the database, once.

use serde_json::Value;

use crate::common::{database, tidegate};
use crate::start;

#[test]
fn every_acknowledged_record_of_a_load_is_a_row() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), "classes: { bulk: {} }");
    let targets = [
        ("otlp-grpc", format!("http://{}", server.otlp_grpc().unwrap())),
        ("otlp-http", format!("http://{}", server.otlp_http().unwrap())),
    ];
    for (protocol, url) in targets {
        let mut command = tidegate();
        command.args(["load", "--protocol", protocol, "--url", &url, "--run", protocol]);
        command.args(["--events", "5050", "--batch", "100", "--connections", "4"]);
        command.args(["--class", "bulk", "--format", "json", "--quiet"]);
        let ended = command.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{said}");
        let summary: Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert_eq!(summary["events_acknowledged"], 5050, "{summary:#}");
    }
    assert!(server.stop().0.success());
    let database = database(&dir.path().join("data"));
    for protocol in ["otlp-grpc", "otlp-http"] {
        let found: (i64, i64, i64, i64) = database
            .query_row(
                "SELECT count(*), count(DISTINCT attributes ->> 'seq'), min(attributes ->> 'seq'),
                    max(attributes ->> 'seq')
                 FROM events WHERE attributes ->> 'run' = ?1 AND attributes ->> 'try' = 1
                    AND class = 'bulk' AND service <> '' AND severity_number > 0 AND body <> ''",
                [protocol],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )
            .unwrap();
        assert_eq!(found, (5050, 5050, 0, 5049), "{protocol}");
    }
}
