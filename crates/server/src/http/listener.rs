//! How are connections served? Bounded in number, each with a limit on how long it may dawdle.
//!
//! Over the bound nobody is refused: the next connection waits in the system's own queue until
//! another one ends. A TLS handshake happens within a connection's own task and place, so that a
//! slow one holds up nobody. When the server stops, connections finish the request they are in.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::otlp::grpc;
use super::stall::Unstalled;
use super::{Door, tls};

/// Bytes read ahead on a connection: a request's head must fit, and a body arrives in pieces of it.
const READ_AHEAD_BYTES: usize = 512 * 1024;
/// Most headers of a request.
const HEADERS_MAX: usize = 100;

/// Bounds of connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections open at once.
    pub(crate) connections_max: usize,
    /// How long a TLS handshake may take and a request's head to arrive, how long a connection may
    /// idle, and how long a client may read nothing of its answer.
    pub(crate) header_timeout: Duration,
}

/// What a listener speaks.
#[derive(Debug, Clone)]
pub(crate) enum Service {
    /// HTTP/1, answered by these routes.
    Http(Router),
    /// OTLP over gRPC.
    Grpc(Arc<Door>),
}

/// Serves until `stop` is true and every connection has ended.
pub(crate) async fn serve(
    listener: TcpListener,
    service: Service,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let open = Arc::new(Semaphore::new(limits.connections_max));
    let mut connections = JoinSet::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&open).acquire_owned() => place,
            () = stopped(&mut stop) => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let (service, tls, stop) = (service.clone(), tls.clone(), stop.clone());
                connections.spawn(async move {
                    connection(stream, service, tls, limits, stop).await;
                    drop(place);
                });
            }
            Err(error) => refused(&error).await,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The system gave no connection, usually for want of file descriptors, which come back as
/// connections end.
async fn refused(error: &std::io::Error) {
    tracing::warn!(%error, "a connection could not be accepted: is the limit of open files low?");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

async fn connection(
    mut stream: TcpStream,
    service: Service,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    // Answers are small and awaited; an error here costs only latency.
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = tls else {
        if matches!(service, Service::Grpc(_)) {
            let checked = tokio::select! {
                checked = grpc::speaks_http_2(&mut stream, limits.header_timeout) => checked,
                () = stopped(&mut stop) => return,
            };
            if let Err(error) = checked {
                return tracing::debug!(%error, "no gRPC connection");
            }
        }
        return serviced(stream, service, limits, stop).await;
    };
    let shaken = tokio::select! {
        shaken = tls::handshake(&acceptor, stream, limits.header_timeout) => shaken,
        () = stopped(&mut stop) => return,
    };
    match shaken {
        Ok(stream) => serviced(stream, service, limits, stop).await,
        Err(error) => tracing::debug!(%error, "no TLS connection"),
    }
}

async fn serviced(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    service: Service,
    limits: Limits,
    stop: watch::Receiver<bool>,
) {
    match service {
        Service::Http(router) => requests(stream, router, limits, stop).await,
        Service::Grpc(door) => grpc::serve(stream, door, limits, stop).await,
    }
}

/// Ends a connection whose client does not read.
#[derive(Debug, Clone, Default)]
pub(super) struct Hangup(Arc<Notify>);

impl Hangup {
    /// Ends it.
    pub(super) fn now(&self) {
        self.0.notify_one();
    }
}

/// Answers the requests of one connection until it ends.
async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let hangup = Hangup::default();
    let (service, told) = (TowerToHyperService::new(router), hangup.clone());
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(told.clone());
        service.call(request)
    });
    let stream = Unstalled::new(stream, limits.header_timeout);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(READ_AHEAD_BYTES)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let served = async {
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped(&mut stop) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    let ended = tokio::select! {
        ended = served => ended,
        () = hangup.0.notified() => return,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// Completes when the server stops, also if whoever would say so is gone.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
