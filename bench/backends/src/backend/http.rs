//! An HTTP API: one POST a batch, of lines of JSON, over keep-alive connections.
//!
//! The client is written by hand so that it costs next to nothing: the body is a slice of lines
//! that were made once, and the answer's head is parsed in place.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tidegate::Outcome;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Backend, Disturb, Disturbance, FirstTrouble, Later, Site};
use crate::child::Child;
use crate::cpu;
use crate::rows::rows;
use crate::standin::{ITEMS, Service};

/// Where the API listens.
pub(crate) type Address = SocketAddr;

/// How much slower the API is while it is disturbed.
const SLOWER: f64 = 10.0;
/// Bytes of an answer's head.
const HEAD_MAX: usize = 4096;

/// The stand-in, in a process of its own.
pub(crate) struct Http {
    service: Service,
    child: Child,
    address: Address,
    /// Items it had when the last sink was handed out.
    before: AtomicU64,
}

impl Http {
    /// Starts the stand-in.
    pub(crate) async fn start(service: Service) -> anyhow::Result<Self> {
        let arguments = service.arguments();
        let mut all = vec![std::ffi::OsStr::new("stand-in")];
        all.extend(arguments.iter().map(|one| std::ffi::OsStr::new(one.as_str())));
        let (child, line) = Child::start(&all).await?;
        let address = line.parse().with_context(|| format!("{line:?} is no address"))?;
        Ok(Self { service, child, address, before: AtomicU64::new(0) })
    }
}

/// Items that the stand-in at this address has taken since it began.
async fn taken(address: Address) -> anyhow::Result<u64> {
    let (status, body) = get(address, "/taken").await?;
    ensure!(status == 200, "the stand-in answers {status}");
    Ok(std::str::from_utf8(&body)?.trim().parse()?)
}

impl Site for Http {
    fn describe(&self) -> String {
        let Service { http_base_ms, http_item_us, http_workers, http_rate, .. } = self.service;
        let limit =
            http_rate.map(|rate| format!(", at most {rate} requests/s")).unwrap_or_default();
        format!(
            "HTTP stand-in, {http_base_ms} ms + {http_item_us} µs an item × {http_workers}{limit}"
        )
    }

    fn fresh(&self, connections: u32) -> Later<'_, anyhow::Result<Arc<dyn Backend>>> {
        Box::pin(async move {
            slow_down(self.address, 1.0).await?;
            client(self.address, connections).await
        })
    }

    fn sink(&self) -> Later<'_, anyhow::Result<String>> {
        Box::pin(async move {
            slow_down(self.address, 1.0).await?;
            self.before.store(taken(self.address).await?, Ordering::Relaxed);
            Ok(format!("type: http\nurl: 'http://{}/items'\n", self.address))
        })
    }

    fn taken(&self) -> Later<'_, anyhow::Result<u64>> {
        Box::pin(async move {
            Ok(taken(self.address).await?.saturating_sub(self.before.load(Ordering::Relaxed)))
        })
    }

    fn disturb(&self, kind: Disturb) -> Later<'_, anyhow::Result<Disturbance>> {
        Box::pin(async move {
            if kind != Disturb::Neighbour {
                bail!("an HTTP API has neither indexes nor maintenance that we could ask for");
            }
            slow_down(self.address, SLOWER).await?;
            Ok(Disturbance::Slow(self.address))
        })
    }

    fn cpu(&self) -> Duration {
        self.child.pid().map(cpu::of_process).unwrap_or_default()
    }
}

/// A client with these many connections open.
pub(crate) async fn client(address: Address, connections: u32) -> anyhow::Result<Arc<dyn Backend>> {
    let (mut lines, mut ends) = (String::new(), vec![0]);
    for row in rows().iter() {
        row.line(&mut lines);
        ends.push(lines.len());
    }
    let mut idle = Vec::new();
    for _ in 0..connections {
        idle.push(connect(address).await?);
    }
    let (idle, trouble) = (Mutex::new(idle), FirstTrouble::default());
    Ok(Arc::new(Client { address, lines, ends, idle, trouble }))
}

async fn connect(address: Address) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What is at `path`: a status and a body.
pub(crate) async fn get(address: Address, path: &str) -> anyhow::Result<(u16, Vec<u8>)> {
    let mut stream =
        connect(address).await.with_context(|| format!("{address} does not listen"))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let answer = answer(&mut stream).await?;
    Ok((answer.status, answer.body))
}

/// Makes every request that many times slower.
pub(crate) async fn slow_down(address: Address, factor: f64) -> anyhow::Result<()> {
    let mut stream = connect(address).await.context("the stand-in does not listen")?;
    let body = factor.to_string();
    let length = body.len();
    let request =
        format!("PUT /factor HTTP/1.1\r\nhost: stand-in\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await?;
    let answer = answer(&mut stream).await?;
    ensure!(answer.status == 204, "the stand-in refuses a factor of {factor}");
    Ok(())
}

struct Client {
    address: Address,
    lines: String,
    /// Where each line begins, and the last one ends.
    ends: Vec<usize>,
    idle: Mutex<Vec<TcpStream>>,
    trouble: FirstTrouble,
}

impl Client {
    /// The lines of a body of `items` items: the prebuilt ones, again and again.
    fn body(&self, items: u32) -> impl Iterator<Item = &str> {
        let different = self.ends.len() - 1;
        let mut left = usize::try_from(items).unwrap_or(usize::MAX);
        std::iter::from_fn(move || {
            let part = left.min(different);
            left -= part;
            let end = self.ends.get(part).copied().unwrap_or_default();
            (part > 0).then(|| self.lines.get(..end).unwrap_or_default())
        })
    }

    async fn post(&self, items: u32) -> std::io::Result<Answer> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut stream = match idle {
            Some(stream) => stream,
            // One that was lost is replaced, inside the attempt: that is what it costs.
            None => connect(self.address).await?,
        };
        let length: usize = self.body(items).map(str::len).sum();
        let head = format!(
            "POST /items HTTP/1.1\r\nhost: stand-in\r\ncontent-type: application/x-ndjson\r\n\
             {ITEMS}: {items}\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        for part in self.body(items) {
            stream.write_all(part.as_bytes()).await?;
        }
        let answer = answer(&mut stream).await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
        Ok(answer)
    }
}

impl Backend for Client {
    fn attempt(self: Arc<Self>, items: u32) -> Later<'static, Outcome> {
        Box::pin(async move {
            match self.post(items).await {
                Ok(answer) => answer.outcome(),
                Err(error) => {
                    self.trouble.note(error);
                    Outcome::Unreachable
                }
            }
        })
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.get()
    }
}

struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Answer {
    const fn outcome(&self) -> Outcome {
        match self.status {
            200..=299 => Outcome::Ok,
            429 => Outcome::Throttled { retry_after: self.retry_after },
            413 => Outcome::TooLarge,
            400..=499 => Outcome::Rejected,
            _ => Outcome::Overloaded,
        }
    }
}

/// Reads an answer: its head, and its body to the end.
async fn answer(stream: &mut TcpStream) -> std::io::Result<Answer> {
    let odd = |what: String| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
    let mut bytes = Vec::with_capacity(HEAD_MAX);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut head = httparse::Response::new(&mut headers);
        let parsed = head.parse(&bytes).map_err(|error| odd(error.to_string()))?;
        let httparse::Status::Complete(length) = parsed else {
            if bytes.len() > HEAD_MAX {
                return Err(odd(format!("a head of more than {HEAD_MAX} bytes")));
            }
            continue;
        };
        let number = |name: &str| {
            let header = head.headers.iter().find(|one| one.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(header.value).ok()?.trim().parse::<u32>().ok()
        };
        let body = usize::try_from(number("content-length").unwrap_or(0)).unwrap_or(0);
        let retry_after = number("retry-after").map(|s| Duration::from_secs(u64::from(s)));
        let status = head.code.unwrap_or_default();
        while bytes.len() < length + body {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        bytes.drain(..length);
        return Ok(Answer { status, retry_after, body: bytes });
    }
}
