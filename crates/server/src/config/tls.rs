//! Does the listener speak TLS, and with which files?
//!
//! Only that the settings fit together is checked here. The files are read when the server starts,
//! since a configuration may be checked on another machine.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::check::Check;
use super::read::{Fields, Section};

/// With which files the listener speaks TLS. They are read at the start; a renewed certificate
/// needs a restart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate in PEM form, followed by those between it and its authority. Default null:
    /// no TLS.
    pub cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM form. Default null.
    pub key: Option<PathBuf>,
    /// The authorities, in PEM form, of which every client must have a certificate. Default null:
    /// a client needs none.
    pub client_ca: Option<PathBuf>,
}

impl TlsConfig {
    /// The certificate and its key, if there is to be TLS.
    #[must_use]
    pub fn identity(&self) -> Option<(&Path, &Path)> {
        self.cert.as_deref().zip(self.key.as_deref())
    }

    pub(super) fn check(&self, check: &mut Check) {
        let Self { cert, key, client_ca } = self;
        let mut missing = |field: &str, beside: &str, what: &str| {
            let bound = format!("{what}, which http.tls.{beside} needs");
            check.invalid(&format!("http.tls.{field}"), "null", bound);
        };
        match (cert, key) {
            (Some(_), None) => missing("key", "cert", "the file of the certificate's key"),
            (None, Some(_)) => missing("cert", "key", "the file of the key's certificate"),
            (None, None) if client_ca.is_some() => {
                missing("cert", "client_ca", "the file of the server's own certificate");
            }
            _ => {}
        }
    }
}

impl Section for TlsConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { cert, key, client_ca } = self;
        fields.optional("cert", cert);
        fields.optional("key", key);
        fields.optional("client_ca", client_ca);
    }
}
