//! Where does the server listen, and what is spoken there?

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::error::StartError;
use crate::config::Config;
use crate::http::listener::{self, Limits, Service};
use crate::http::{self, tls};
use crate::status::Status;

/// The ports of the server.
pub(super) struct Listeners {
    main: TcpListener,
    grpc: Option<TcpListener>,
    http: Option<TcpListener>,
    tls: Tls,
    limits: Limits,
    /// Their addresses.
    pub(super) addresses: Addresses,
}

/// Where a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// For events, the API and the pages.
    pub main: SocketAddr,
    /// For OTLP over gRPC.
    pub grpc: Option<SocketAddr>,
    /// For OTLP over HTTP.
    pub http: Option<SocketAddr>,
}

/// How to speak TLS around HTTP/1 and HTTP/2, if it is to be spoken.
pub(super) struct Tls {
    http_1: Option<TlsAcceptor>,
    http_2: Option<TlsAcceptor>,
}

impl Tls {
    /// Reads the files of the configuration.
    pub(super) fn read(config: &Config) -> Result<Self, StartError> {
        let acceptor = |protocol| tls::acceptor(&config.http.tls, protocol);
        Ok(Self { http_1: acceptor(tls::HTTP_1)?, http_2: acceptor(tls::HTTP_2)? })
    }
}

impl Listeners {
    /// Listens on all of them.
    pub(super) async fn bind(config: &Config, tls: Tls) -> Result<Self, StartError> {
        let address = config.http.listen;
        let listen = |source| StartError::Listen { address, source };
        let main = TcpListener::bind(address).await.map_err(listen)?;
        let grpc = otlp("otlp.grpc", config.otlp.grpc()).await?;
        let http = otlp("otlp.http", config.otlp.http()).await?;
        let of = |listener: &Option<TcpListener>| {
            listener.as_ref().and_then(|listener| listener.local_addr().ok())
        };
        let addresses = Addresses {
            main: main.local_addr().map_err(listen)?,
            grpc: of(&grpc),
            http: of(&http),
        };
        let limits = Limits {
            connections_max: usize::try_from(config.http.connections_max).unwrap_or(usize::MAX),
            header_timeout: config.http.header_timeout.duration(),
        };
        Ok(Self { main, grpc, http, tls, limits, addresses })
    }

    /// Serves on all of them until `stop` is true and every connection has ended.
    pub(super) fn serve(self, status: &Arc<Status>, stop: &watch::Sender<bool>) -> JoinSet<()> {
        let Self { main, grpc, http, tls: Tls { http_1, http_2 }, limits, .. } = self;
        let door = || Arc::clone(&status.door);
        let mut serving = JoinSet::new();
        let routes = http::router(door(), Arc::clone(status));
        let service = Service::Http(routes);
        serving.spawn(listener::serve(main, service, http_1.clone(), limits, stop.subscribe()));
        if let Some(listener) = grpc {
            let service = Service::Grpc(door());
            serving.spawn(listener::serve(listener, service, http_2, limits, stop.subscribe()));
        }
        if let Some(listener) = http {
            let service = Service::Http(http::otlp_router(door()));
            serving.spawn(listener::serve(listener, service, http_1, limits, stop.subscribe()));
        }
        serving
    }
}

/// Listens for OpenTelemetry, on an address that must be had or on one that would be nice.
async fn otlp(
    setting: &'static str,
    listen: Option<(SocketAddr, bool)>,
) -> Result<Option<TcpListener>, StartError> {
    let Some((address, must)) = listen else { return Ok(None) };
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(source) if must => Err(StartError::ListenOtlp { setting, address, source }),
        Err(error) => {
            tracing::warn!(
                %address, %error,
                "no OpenTelemetry here: set {setting} to another address, or to null"
            );
            Ok(None)
        }
    }
}
