//! How does the listener prove who it is, and who may talk to it?
//!
//! TLS is rustls with the algorithms of ring, as for the clients of the sinks. The files are read
//! once, at the start, where a mistake in them is seen by whoever made it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::config::TlsConfig;

/// Most bytes of a request in clear that are read before it is told off: a client that is still
/// sending when the connection ends may never see the answer.
const CLEAR_BYTES_MAX: u64 = 64 * 1024;

/// The files of the certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or does not hold what it should.
    #[error("http.tls.{setting} {}: {why}: give it {expected} in PEM form", path.display())]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The key is another certificate's.
    #[error(
        "http.tls.key {} does not belong to the first certificate in http.tls.cert {}: name the \
         pair that was made together, the server's own certificate first",
        key.display(), cert.display()
    )]
    Mismatch {
        /// The file of the certificate.
        cert: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The certificate and its key are refused together.
    #[error("http.tls.cert {} with its key cannot be used: {source}", cert.display())]
    Refused {
        /// The file of the certificate.
        cert: PathBuf,
        /// What the TLS library said.
        source: rustls::Error,
    },
}

/// The protocol that a listener speaks inside of TLS, as its client asks for it.
pub(crate) const HTTP_1: &[u8] = b"http/1.1";
/// The same of gRPC.
pub(crate) const HTTP_2: &[u8] = b"h2";

/// What takes handshakes by these settings, if there is to be TLS; it is to speak `protocol`.
///
/// # Errors
///
/// [`TlsError`] says which file cannot be used, and what to do.
pub(crate) fn acceptor(
    settings: &TlsConfig,
    protocol: &[u8],
) -> Result<Option<TlsAcceptor>, TlsError> {
    let Some((cert, key)) = settings.identity() else { return Ok(None) };
    let chain = certificates("cert", cert)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| {
        let expected = "an unencrypted private key (`-----BEGIN PRIVATE KEY-----`)";
        TlsError::File { setting: "key", path: key.to_owned(), expected, why: why(&error) }
    })?;
    let refused = |source| match source {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::Mismatch { cert: cert.to_owned(), key: key.to_owned() }
        }
        source => TlsError::Refused { cert: cert.to_owned(), source },
    };
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(refused)?;
    let builder = match settings.client_ca.as_deref() {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let unfit = |why| TlsError::File {
                setting: "client_ca",
                path: path.to_owned(),
                expected: "certificates of authorities",
                why,
            };
            let mut roots = RootCertStore::empty();
            for certificate in certificates("client_ca", path)? {
                roots.add(certificate).map_err(|error| unfit(error.to_string()))?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| unfit(error.to_string()))?)
        }
    };
    let mut config = builder.with_single_cert(chain, private).map_err(refused)?;
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(Some(Arc::new(config).into()))
}

fn certificates(
    setting: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unfit = |error: &pem::Error| TlsError::File {
        setting,
        path: path.to_owned(),
        expected: "certificates (`-----BEGIN CERTIFICATE-----`)",
        why: why(error),
    };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| unfit(&error))?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(|error| unfit(&error))?;
    if found.is_empty() { Err(unfit(&pem::Error::NoItemsFound)) } else { Ok(found) }
}

fn why(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "there is none in it".to_owned(),
        error => error.to_string(),
    }
}

/// Shakes hands within the time; a client that speaks HTTP in clear is told so, as HTTP.
///
/// # Errors
///
/// Why there is no connection.
pub(crate) async fn handshake(
    acceptor: &TlsAcceptor,
    mut stream: TcpStream,
    limit: Duration,
) -> io::Result<TlsStream<TcpStream>> {
    let handshake = async {
        let mut first = [0];
        let seen = stream.peek(&mut first).await?;
        // A TLS handshake begins with 22 (RFC 8446, section 5.1), a request with its method.
        if seen == 1 && first[0].is_ascii_uppercase() {
            answer_in_clear(&mut stream, TLS_REQUIRED).await?;
            return Err(io::Error::other("HTTP in clear on a port that speaks TLS"));
        }
        acceptor.accept(stream).await
    };
    let late = |_| Err(io::Error::new(io::ErrorKind::TimedOut, "no TLS handshake in time"));
    tokio::time::timeout(limit, handshake).await.unwrap_or_else(late)
}

/// What a client that speaks in clear is told.
const TLS_REQUIRED: &str = "{\"error\":{\"code\":\"tls_required\",\"message\":\"this port speaks \
                            TLS only: use https://\"}}\n";

/// Tells a client in HTTP/1 that it should not be speaking that here.
pub(super) async fn answer_in_clear(stream: &mut TcpStream, body: &str) -> io::Result<()> {
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(CLEAR_BYTES_MAX), &mut tokio::io::sink()).await.map(drop)
}
