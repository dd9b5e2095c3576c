//! OTLP's ports speak TLS with the certificate of the main port, and nothing else then.

use std::path::Path;
use std::process::Output;

use tidegate_testbed::authority::Authority;

use crate::common::{Server, database, tidegate};
use crate::start;

/// Starts with a certificate for 127.0.0.1, which is trusted by who has `ca.pem`.
fn start_with_tls(dir: &Path) -> Server {
    let authority = Authority::new().unwrap();
    let own = authority.issue(&["127.0.0.1"]).unwrap();
    std::fs::write(dir.join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(dir.join("cert.pem"), own.certificate()).unwrap();
    std::fs::write(dir.join("key.pem"), own.key()).unwrap();
    let path = |name: &str| dir.join(name).display().to_string();
    let (certificate, key) = (path("cert.pem"), path("key.pem"));
    start(dir, &format!("http: {{ tls: {{ cert: '{certificate}', key: '{key}' }} }}"))
}

/// Sends 500 records, and tries once.
fn load(protocol: &str, url: &str, ca: Option<&Path>) -> Output {
    let mut command = tidegate();
    command.args(["load", "--protocol", protocol, "--url", url, "--events", "500"]);
    command.args(["--connections", "2", "--run", protocol, "--retry-for", "0s", "--quiet"]);
    command.args(ca.into_iter().flat_map(|ca| ["--ca".as_ref(), ca.as_os_str()]));
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn both_ports_take_records_by_tls_and_none_in_the_clear() {
    let dir = tempfile::tempdir().unwrap();
    let server = start_with_tls(dir.path());
    let targets =
        [("otlp-grpc", server.otlp_grpc().unwrap()), ("otlp-http", server.otlp_http().unwrap())];
    let (ours, other) = (dir.path().join("ca.pem"), dir.path().join("other.pem"));
    std::fs::write(&other, Authority::new().unwrap().pem()).unwrap();
    for (protocol, address) in targets {
        let safe = format!("https://{address}");
        let taken = load(protocol, &safe, Some(&ours));
        assert!(taken.status.success(), "{protocol}: {}", said(&taken));
        let strange = load(protocol, &safe, Some(&other));
        assert!(!strange.status.success(), "{protocol}: a stranger's certificate was trusted");
        let clear = load(protocol, &format!("http://{address}"), None);
        assert!(!clear.status.success(), "{protocol}: records were taken in the clear");
    }
    assert!(server.stop().0.success());
    let database = database(&dir.path().join("data"));
    let rows = |run: &str| {
        let count = "SELECT count(DISTINCT attributes ->> 'seq') * 1000000 + count(*)
                     FROM events WHERE attributes ->> 'run' = ?1";
        database.query_row(count, [run], |row| row.get::<_, i64>(0)).unwrap()
    };
    // As many rows as numbers, and none of the loads that failed.
    assert_eq!((rows("otlp-grpc"), rows("otlp-http")), (500_000_500, 500_000_500));
}
