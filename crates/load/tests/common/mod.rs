//! Servers for the tests: a real one that keeps what it is sent, and one that misbehaves.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;
use tidegate_load::LoadArgs;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// One request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) headers: HeaderMap,
    pub(crate) events: Vec<Value>,
}

type Decide = dyn Fn(usize, &Seen) -> Response + Send + Sync;

#[derive(Clone)]
struct Shared {
    seen: Arc<Mutex<Vec<Seen>>>,
    decide: Arc<Decide>,
}

/// An axum server whose answers a closure decides, told the number of the request from 0.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub(crate) async fn start(
        decide: impl Fn(usize, &Seen) -> Response + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Shared { seen: Arc::clone(&seen), decide: Arc::new(decide) };
        let router = Router::new().route("/v1/events", post(take)).with_state(shared);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, seen }
    }

    pub(crate) fn args(&self) -> LoadArgs {
        args(self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Every event of every request.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.seen().into_iter().flat_map(|seen| seen.events).collect()
    }
}

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let text = str::from_utf8(&body).unwrap();
    assert!(text.ends_with('\n'));
    let events = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen = Seen { headers, events };
    let number = {
        let mut all = shared.seen.lock().unwrap();
        all.push(seen.clone());
        all.len() - 1
    };
    (shared.decide)(number, &seen)
}

pub(crate) fn args(address: SocketAddr) -> LoadArgs {
    LoadArgs { url: format!("http://{address}"), quiet: true, seed: Some(1), ..LoadArgs::default() }
}

/// The answer of a server that has taken everything.
pub(crate) fn accept(seen: &Seen) -> Response {
    format!("{{\"accepted\":{}}}", seen.events.len()).into_response()
}

pub(crate) fn refuse(status: u16, body: &'static str) -> Response {
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

/// A server that answers the n-th request with these bytes and then closes if they say so, or
/// are `None` (close without an answer). Returns the bodies it got, when it has no answer left.
pub(crate) async fn scripted(
    answers: Vec<Option<&'static str>>,
) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&bodies);
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        while let Ok((mut stream, _)) = listener.accept().await {
            while let Some(body) = read_request(&mut stream).await {
                log.lock().unwrap().push(body);
                let Some(Some(answer)) = answers.next() else { break };
                stream.write_all(answer.as_bytes()).await.unwrap();
                if answer.contains("CUT") || answer.contains("close") {
                    break;
                }
            }
        }
    });
    (address, bodies)
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split_once("Content-Length:")?.1.trim().lines().next()?;
            if body.len() == length.trim().parse::<usize>().ok()? {
                return Some(body.to_owned());
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// `(seq, try)` of an event that carries them among its attributes.
pub(crate) fn ids(event: &Value) -> (u64, u64) {
    let number = |name: &str| event["attributes"][name].as_u64().unwrap();
    (number("seq"), number("try"))
}
