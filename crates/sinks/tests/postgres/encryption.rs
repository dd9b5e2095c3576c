//! Is a connection encrypted and verified as it was asked for?

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tidegate_sinks::Sink;
use tidegate_sinks::postgres::{PostgresSink, Server, Settings, TlsMode};
use tidegate_testbed::postgres::{self, PASSWORD, Postgres, Tls, USER};

use super::Place;
use super::contract::{batch, deliver, origin};

/// Opens a sink on this host; what it said, or whether the server saw the connection encrypted.
async fn opened(address: SocketAddr, host: &str, mode: TlsMode) -> Result<bool, String> {
    let server = Server::new(host, address.port(), USER, "postgres").with_password(PASSWORD);
    let place = Place::on(address);
    let settings = Settings { server: server.with_tls(mode), ..place.settings() };
    let sink = PostgresSink::start(settings).map_err(|error| error.to_string())?;
    sink.open(origin(1)).await.map_err(|error| error.to_string())?;
    deliver(&sink, batch(0..3_000)).await;
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE ssl AND application_name = 'tidegate'";
    let encrypted = place.number(encrypted).await > 0;
    sink.close().await;
    Ok(encrypted)
}

fn verify(root_cert: &Path) -> TlsMode {
    TlsMode::VerifyFull { root_cert: root_cert.to_owned() }
}

#[tokio::test]
async fn the_modes_encrypt_and_verify_as_they_say() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: String| -> PathBuf {
        let path = directory.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    };
    let trusted = file("trusted.pem", made.cert.pem());
    let stranger = file("stranger.pem", other.cert.pem());
    let empty = file("empty.pem", String::new());
    let tls = Tls { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() };
    let settings = postgres::Settings { tls: Some(tls), ..postgres::Settings::default() };
    let server = Postgres::start(settings).unwrap();
    let address = server.address();

    assert_eq!(opened(address, "localhost", TlsMode::Disable).await, Ok(false));
    assert_eq!(opened(address, "localhost", TlsMode::Prefer).await, Ok(true));
    assert_eq!(opened(address, "127.0.0.1", TlsMode::Require).await, Ok(true));
    assert_eq!(opened(address, "localhost", verify(&trusted)).await, Ok(true));
    let said = opened(address, "localhost", verify(&stranger)).await.unwrap_err();
    assert!(said.contains("certificate"), "{said}");
    let said = opened(address, "127.0.0.1", verify(&trusted)).await.unwrap_err();
    assert!(said.contains("certificate"), "{said}");
    let said = opened(address, "localhost", verify(&empty)).await.unwrap_err();
    assert!(said.contains("empty.pem") && said.contains("PEM file"), "{said}");
}

#[tokio::test]
async fn a_server_without_encryption_is_refused_where_it_is_required() {
    let address = super::SERVER.address();
    assert_eq!(opened(address, "127.0.0.1", TlsMode::Prefer).await, Ok(false));
    let said = opened(address, "127.0.0.1", TlsMode::Require).await.unwrap_err();
    assert!(said.contains("TLS"), "{said}");
}
