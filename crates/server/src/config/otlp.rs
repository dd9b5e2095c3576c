//! Where does OpenTelemetry come in?
//!
//! Senders expect a collector on two well-known ports, so both are listened on by default, if nobody
//! else has them: the machine's own collector keeps its ports, and two servers started side by side
//! do not stand in each other's way. An address that is set must be had, or the server does not
//! begin.

use std::borrow::Cow;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::check::Check;
use super::defaults;
use super::http::HttpConfig;
use super::read::{Fields, Leaf, Section};

/// Logs of OpenTelemetry: `token`, `tls` and the bounds of `http` hold for these ports too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct OtlpConfig {
    /// Address and port for OTLP over gRPC; null for none. Default auto: 127.0.0.1:4317, or none
    /// if that is taken.
    #[schemars(with = "Option<String>")]
    pub grpc: Option<OtlpListen>,
    /// Address and port for OTLP over HTTP at /v1/logs, which `http.listen` has too; null for none.
    /// Default auto: 127.0.0.1:4318, or none if that is taken.
    #[schemars(with = "Option<String>")]
    pub http: Option<OtlpListen>,
}

/// Where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtlpListen {
    /// On the well-known port of this machine, if it is free.
    Auto,
    /// There, and nowhere else.
    At(SocketAddr),
}

impl Serialize for OtlpListen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::At(address) => address.serialize(serializer),
        }
    }
}

impl Leaf for OtlpListen {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        let form = "`auto`, null, or an address and a port, like `127.0.0.1:4317` or `[::]:4317`";
        match text {
            "auto" => Ok(Self::Auto),
            text => text.parse().map(Self::At).map_err(|_| form.into()),
        }
    }
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self { grpc: Some(OtlpListen::Auto), http: Some(OtlpListen::Auto) }
    }
}

impl OtlpConfig {
    /// The address that was set for gRPC and for HTTP, with their names.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        [("otlp.grpc", self.grpc), ("otlp.http", self.http)].into_iter().filter_map(
            |(name, listen)| match listen {
                Some(OtlpListen::At(address)) => Some((name, address)),
                _ => None,
            },
        )
    }

    /// The address of a listener, and whether it must be had.
    pub(crate) fn grpc(&self) -> Option<(SocketAddr, bool)> {
        listen(self.grpc, defaults::OTLP_GRPC)
    }

    /// The same for HTTP.
    pub(crate) fn http(&self) -> Option<(SocketAddr, bool)> {
        listen(self.http, defaults::OTLP_HTTP)
    }

    pub(super) fn check(&self, http: &HttpConfig, check: &mut Check) {
        let mut taken = vec![("http.listen", http.listen)];
        for (name, address) in self.addresses() {
            let twin = taken.iter().find(|(_, other)| *other == address && address.port() != 0);
            if let Some((other, _)) = twin {
                check.invalid(name, address, format!("another address than {other}"));
            }
            taken.push((name, address));
        }
    }
}

fn listen(setting: Option<OtlpListen>, well_known: SocketAddr) -> Option<(SocketAddr, bool)> {
    match setting? {
        OtlpListen::Auto => Some((well_known, false)),
        OtlpListen::At(address) => Some((address, true)),
    }
}

impl Section for OtlpConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { grpc, http } = self;
        fields.optional("grpc", grpc);
        fields.optional("http", http);
    }
}
