//! Whom does the client trust, and how long does it wait for a connection?
//!
//! TLS is rustls with the algorithms of ring. Trusted are the system's certificates, as every
//! other program on the machine does, or those of a file and no others. There is no way to trust
//! anybody.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tower_service::Service;

use super::settings::Settings;

/// Connects within a time that covers name lookup, TCP and TLS.
#[derive(Clone)]
pub(super) struct Connector {
    inner: HttpsConnector<HttpConnector>,
    timeout: Duration,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Stream = <HttpsConnector<HttpConnector> as Service<Uri>>::Response;

impl Connector {
    /// A connector, or what to do about the certificates that cannot be used.
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        let roots = match &settings.ca_file {
            Some(path) => from_file(path)?,
            None if settings.url.starts_with("https") => from_system()?,
            // Nobody is asked to have certificates that nobody looks at.
            None => RootCertStore::empty(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be used: {error}"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let inner = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self { inner, timeout: settings.connect_timeout })
    }
}

fn from_file(path: &Path) -> Result<RootCertStore, String> {
    let shown = path.display();
    let read = |error| {
        format!(
            "ca_file {shown}: {error}. Give it a file of certificates in PEM form, which begin \
             with `-----BEGIN CERTIFICATE-----`"
        )
    };
    let mut roots = RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(path).map_err(|error| read(error.to_string()))?
    {
        let certificate = certificate.map_err(|error| read(error.to_string()))?;
        roots.add(certificate).map_err(|error| read(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(read("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}

fn from_system() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(format!(
            "this system has no certificates to trust{why}. Install its package `ca-certificates`, \
             or name a file of them in ca_file"
        ));
    }
    Ok(roots)
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, timeout) = (self.inner.call(uri), self.timeout);
        Box::pin(async move {
            tokio::time::timeout(timeout, connecting).await.unwrap_or_else(|_| {
                let why = format!("no connection within {timeout:?}");
                Err(io::Error::new(io::ErrorKind::TimedOut, why).into())
            })
        })
    }
}
