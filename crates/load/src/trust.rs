//! Whom does a client trust that talks to the server by https?
//!
//! The authorities in a file and no others, or those of the system. Nobody is trusted blindly.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::args::Protocol;

/// Nobody can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TrustError {
    /// The file cannot be used.
    #[error(
        "--ca {}: {why}; give it certificates in PEM form, which begin with \
         `-----BEGIN CERTIFICATE-----`", path.display()
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system trusts nobody either.
    #[error(
        "this system has no certificates to trust; install its package `ca-certificates`, or name \
         a file of them with --ca"
    )]
    System,
    /// A file for a connection without TLS.
    #[error("--ca {}: only https:// has certificates; say https:// in the URL", path.display())]
    Clear {
        /// The file.
        path: PathBuf,
    },
}

/// The authorities whose word is taken for who the server is: those in the file `ca`, else the
/// system's; none are needed where the URL is not one of https.
///
/// # Errors
///
/// [`TrustError`] says why there are none.
pub fn authorities(
    https: bool,
    ca: Option<&Path>,
) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let path = match ca {
        Some(path) if https => path,
        Some(path) => return Err(TrustError::Clear { path: path.to_owned() }),
        None if !https => return Ok(Vec::new()),
        None => {
            let found = rustls_native_certs::load_native_certs().certs;
            return if found.is_empty() { Err(TrustError::System) } else { Ok(found) };
        }
    };
    let unfit = |why: String| TrustError::File { path: path.to_owned(), why };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| unfit(error.to_string()))?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(|error| unfit(error.to_string()))?;
    if found.is_empty() {
        return Err(unfit("there is no certificate in it".to_owned()));
    }
    Ok(found)
}

/// How to shake hands with a server of https; `None` where the URL is not one of https.
pub(crate) fn client(
    https: bool,
    ca: Option<&Path>,
    protocol: Protocol,
) -> Result<Option<Arc<ClientConfig>>, TrustError> {
    let authorities = authorities(https, ca)?;
    if !https {
        return Ok(None);
    }
    let mut roots = RootCertStore::empty();
    if roots.add_parsable_certificates(authorities).0 == 0 {
        return Err(match ca {
            Some(path) => {
                let why = "no certificate in it can be used".to_owned();
                TrustError::File { path: path.to_owned(), why }
            }
            None => TrustError::System,
        });
    }
    // The algorithms of ring cover all versions, so this cannot fail.
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| TrustError::System)?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    let http: &[u8] = if protocol == Protocol::OtlpGrpc { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![http.to_vec()];
    Ok(Some(Arc::new(config)))
}
