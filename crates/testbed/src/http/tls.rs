//! How does it speak TLS, with a certificate nobody knows? One is made at the start, and the
//! authority that signed it is handed out.

use std::error::Error;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::authority::Authority;

pub(super) struct Identity {
    pub(super) acceptor: TlsAcceptor,
    /// The certificate of its authority, in PEM form.
    pub(super) ca: String,
}

pub(super) fn identity() -> Result<Identity, Box<dyn Error + Send + Sync>> {
    let authority = Authority::new()?;
    let (certificate, key) = authority.issue(&["localhost", "127.0.0.1"])?.der();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], PrivatePkcs8KeyDer::from(key).into())?;
    Ok(Identity { acceptor: Arc::new(config).into(), ca: authority.pem() })
}
