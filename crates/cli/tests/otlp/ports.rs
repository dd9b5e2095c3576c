//! Which ports are listened on, and what if they are taken?

use std::net::TcpListener;
use std::process::Stdio;

use crate::common::{Server, tidegate};

#[test]
fn a_well_known_port_that_is_taken_is_gone_without_and_told() {
    let (_dir, server) = loop {
        let dir = tempfile::tempdir().unwrap();
        // Somebody may have it already, and may let go of it before our server begins.
        let ours = TcpListener::bind("127.0.0.1:4317");
        let server = Server::start(dir.path());
        if ours.is_ok() || server.otlp_grpc().is_none() {
            break (dir, server);
        }
    };
    assert_eq!(server.otlp_grpc(), None);
    let line = server.seen_line("no OpenTelemetry here");
    assert!(line.contains("otlp.grpc"), "{line}");
}

#[test]
fn an_address_that_was_set_must_be_had() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let file = dir.path().join("tidegate.yaml");
    std::fs::write(&file, format!("otlp: {{ grpc: null, http: '{address}' }}\n")).unwrap();
    let mut command = tidegate();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.path());
    let ended = command.arg("--config").arg(file).stdin(Stdio::null()).output().unwrap();
    assert!(!ended.status.success());
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    assert!(said.contains("set otlp.http to another address, or to null"), "{said}");
}

#[test]
fn null_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tidegate.yaml");
    std::fs::write(&file, "otlp: { grpc: null, http: null }\n").unwrap();
    let args = ["--listen", "127.0.0.1:0", "--config", file.to_str().unwrap()];
    let server = Server::start_with(&dir.path().join("data"), &args);
    assert_eq!((server.otlp_grpc(), server.otlp_http()), (None, None));
}
