//! The listener speaks TLS: events in, letters and load by https, and what is said to those who do
//! not, to files that do not fit, and to clients without a certificate.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use common::{PATIENCE, Server, agent, query, tidegate};
use tidegate_testbed::authority::Authority;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

/// A directory with an authority (`ca.pem`), and a certificate (`cert.pem`) and key (`key.pem`)
/// for 127.0.0.1.
struct Files {
    dir: tempfile::TempDir,
    authority: Authority,
}

impl Files {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new().unwrap();
        let own = authority.issue(&["127.0.0.1"]).unwrap();
        let files = Self { dir, authority };
        files.write("ca.pem", &files.authority.pem());
        files.write("cert.pem", &own.certificate());
        files.write("key.pem", &own.key());
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A configuration with these files, and these settings of `http` besides.
    fn config(&self, tls: &[(&str, &str)], more: &str) -> PathBuf {
        let tls: Vec<_> = tls
            .iter()
            .map(|(setting, file)| format!("{setting}: '{}'", self.path(file).display()))
            .collect();
        let tls = tls.join(", ");
        self.write("tidegate.yaml", &format!("http: {{ tls: {{ {tls} }}, {more} }}\n"));
        self.path("tidegate.yaml")
    }

    fn start(&self, tls: &[(&str, &str)], more: &str) -> Server {
        let config = self.config(tls, more);
        let config = config.to_str().unwrap();
        Server::start_with(&self.data(), &["--listen", "127.0.0.1:0", "--config", config])
    }

    /// A client that trusts the authority, and shows this certificate and key if there are any.
    fn agent(&self, shown: Option<(&str, &str)>) -> ureq::Agent {
        let authority = Certificate::from_pem(self.authority.pem().as_bytes()).unwrap();
        let shown = shown.map(|(certificate, key)| {
            let certificate = Certificate::from_pem(certificate.as_bytes()).unwrap();
            let key = PrivateKey::from_pem(key.as_bytes()).unwrap();
            ClientCert::new_with_certs(&[certificate], key)
        });
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&[authority]))
            .client_cert(shown)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .tls_config(tls.build())
            .build()
            .new_agent()
    }
}

const PAIR: [(&str, &str); 2] = [("cert", "cert.pem"), ("key", "key.pem")];

fn post(agent: &ureq::Agent, address: SocketAddr) -> Result<u16, ureq::Error> {
    let request = agent.post(format!("https://{address}/v1/events"));
    let answer = request.header("content-type", "application/json").send(r#"{"msg":"hello"}"#)?;
    Ok(answer.status().as_u16())
}

fn run(args: &[&str]) -> Output {
    tidegate().args(args).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn events_load_and_letters_go_by_https() {
    let files = Files::new();
    let server = files.start(&PAIR, "");
    let address = server.address();
    assert_eq!(post(&files.agent(None), address).unwrap(), 200);

    let (url, ca) = (format!("https://{address}"), files.path("ca.pem"));
    let ca = ca.to_str().unwrap();
    let load =
        ["load", "--url", &url, "--events", "5000", "--connections", "4", "--quiet", "--ca", ca];
    let load = run(&load);
    assert!(load.status.success(), "{}", said(&load));
    let list = run(&["dlq", "--server", &url, "--ca", ca, "list"]);
    assert!(list.status.success(), "{}", said(&list));

    // Without the authority nothing is sent.
    let untrusted = run(&["load", "--url", &url, "--events", "1", "--quiet", "--ca"]
        .iter()
        .copied()
        .chain([other_authority(&files).to_str().unwrap()])
        .collect::<Vec<_>>());
    assert!(said(&untrusted).contains("whom to trust is told by --ca"), "{}", said(&untrusted));
    let clear = run(&["load", "--url", "http://127.0.0.1:1", "--ca", ca]);
    assert_eq!(clear.status.code(), Some(2));
    assert!(said(&clear).contains("say https://"), "{}", said(&clear));

    assert!(server.stop().0.success());
    assert_eq!(query::<i64>(&files.data(), "SELECT count(*) FROM events"), 5001);
}

fn other_authority(files: &Files) -> PathBuf {
    files.write("other.pem", &Authority::new().unwrap().pem());
    files.path("other.pem")
}

#[test]
fn http_in_clear_is_answered_in_clear_and_garbage_is_cut_off() {
    let files = Files::new();
    let server = files.start(&PAIR, "");
    let url = format!("http://{}/v1/events", server.address());
    let mut answer = agent().post(&url).send("{}").unwrap();
    assert_eq!(answer.status().as_u16(), 400);
    let body = answer.body_mut().read_to_string().unwrap();
    assert!(body.contains("tls_required") && body.contains("use https://"), "{body}");

    let mut garbage = TcpStream::connect(server.address()).unwrap();
    garbage.set_read_timeout(Some(PATIENCE)).unwrap();
    garbage.write_all(&[0, 1, 2, 3, 4, 5, 6, 7]).unwrap();
    assert!(ends(&mut garbage));
    assert_eq!(post(&files.agent(None), server.address()).unwrap(), 200);
}

/// Whether the server ends the connection before patience does.
fn ends(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn who_does_not_shake_hands_holds_up_nobody_and_is_cut_off() {
    let files = Files::new();
    // None is cut off before the test is over unless it is asked for.
    let patient = files.start(&PAIR, "connections_max: 8, header_timeout: 10 m");
    let silent: Vec<_> = (0..7).map(|_| TcpStream::connect(patient.address()).unwrap()).collect();
    assert_eq!(post(&files.agent(None), patient.address()).unwrap(), 200);
    drop(silent);
    assert!(patient.stop().0.success());

    // They count as connections: with all places taken, the next waits until they are cut off.
    let strict = files.start(&PAIR, "connections_max: 2, header_timeout: 300 ms");
    let mut silent: Vec<_> =
        (0..2).map(|_| TcpStream::connect(strict.address()).unwrap()).collect();
    // Half of a handshake's head counts no more than silence.
    silent[0].write_all(&[22, 3, 1]).unwrap();
    assert_eq!(post(&files.agent(None), strict.address()).unwrap(), 200);
    for stream in &mut silent {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(ends(stream));
    }
    // A stop does not wait for handshakes either.
    let pending = TcpStream::connect(strict.address()).unwrap();
    assert!(strict.stop().0.success());
    drop(pending);
}

#[test]
fn files_that_do_not_fit_end_the_start_with_what_to_do() {
    let files = Files::new();
    let other = files.authority.issue(&["127.0.0.1"]).unwrap();
    files.write("other-key.pem", &other.key());
    files.write("text.pem", "not PEM\n");
    let refusals: [(&[(&str, &str)], &str); 8] = [
        (&[("cert", "none.pem"), ("key", "key.pem")], "No such file"),
        (&[("cert", "text.pem"), ("key", "key.pem")], "give it certificates"),
        (&[("cert", "cert.pem"), ("key", "none.pem")], "No such file"),
        (&[("cert", "cert.pem"), ("key", "text.pem")], "give it an unencrypted private key"),
        (&[("cert", "cert.pem"), ("key", "other-key.pem")], "does not belong to"),
        (
            &[("cert", "cert.pem"), ("key", "key.pem"), ("client_ca", "text.pem")],
            "http.tls.client_ca",
        ),
        (&[("cert", "cert.pem")], "http.tls.key"),
        (&[("client_ca", "ca.pem")], "http.tls.cert"),
    ];
    for (tls, reason) in refusals {
        let config = files.config(tls, "");
        let refused = serve(&files.data(), &config);
        assert_eq!(refused.status.code(), Some(78), "{tls:?}: {}", said(&refused));
        assert!(said(&refused).contains(reason), "{tls:?}: {}", said(&refused));
    }
    // With TLS, too, an address that others can reach needs a token.
    let config = files.config(&PAIR, "listen: '0.0.0.0:0'");
    let refused = serve(&files.data(), &config);
    assert_eq!(refused.status.code(), Some(78));
    assert!(said(&refused).contains("http.token"), "{}", said(&refused));
}

/// A `serve` that is expected to end by itself.
fn serve(data: &Path, config: &Path) -> Output {
    run(&["serve", "--data-dir", data.to_str().unwrap(), "--config", config.to_str().unwrap()])
}

#[test]
fn with_client_ca_only_clients_with_a_certificate_are_served() {
    let files = Files::new();
    let server =
        files.start(&[("cert", "cert.pem"), ("key", "key.pem"), ("client_ca", "ca.pem")], "");
    let client = files.authority.issue(&["client"]).unwrap();
    let stranger = Authority::new().unwrap().issue(&["client"]).unwrap();
    let known = (client.certificate(), client.key());
    let unknown = (stranger.certificate(), stranger.key());
    assert!(post(&files.agent(None), server.address()).is_err());
    assert!(post(&files.agent(Some((&unknown.0, &unknown.1))), server.address()).is_err());
    let known = files.agent(Some((&known.0, &known.1)));
    assert_eq!(post(&known, server.address()).unwrap(), 200);
    assert!(server.stop().0.success());
    assert_eq!(query::<i64>(&files.data(), "SELECT count(*) FROM events"), 1);
}
