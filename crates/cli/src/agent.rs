//! How is a server asked over HTTP or HTTPS? With the authorities that its certificate needs.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use tidegate_load::trust;
use ureq::config::ConfigBuilder;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;

/// An agent for this server that takes every status for an answer; limits on time are the caller's.
pub(crate) fn builder(
    server: &str,
    ca: Option<&Path>,
) -> anyhow::Result<ConfigBuilder<AgentScope>> {
    let https = server.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"));
    let trusted = trust::authorities(https, ca)?;
    let trusted: Vec<_> = trusted.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&trusted))
        .unversioned_rustls_crypto_provider(Arc::new(default_provider()));
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    Ok(config.tls_config(tls.build()))
}
