//! How does one request at a time cross one keep-alive connection?
//!
//! By one write and, as a rule, one read. A connection is opened when it is needed, kept while
//! the server keeps it, and thrown away whenever an exchange did not end cleanly: after a timeout
//! or a cut there is no telling which answer would come next.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use http::Request;

use crate::answer::{self, Answer, BadAnswer};
use crate::args::Protocol;
use crate::grpc::Caller;
use crate::target::Target;

/// Room for an answer; most are far smaller.
const READ_ROOM: usize = 4096;

/// Why an exchange brought no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No connection: nothing was sent.
    Connect(io::Error),
    /// The connection broke; the request may have arrived.
    Broken(io::Error),
    /// The server closed before its answer was whole; the request may have arrived.
    Closed,
    /// Not HTTP; the request may have arrived.
    Bad(BadAnswer),
}

impl Failure {
    /// The name under which it is counted.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                "connect_refused"
            }
            Self::Connect(_) => "connect_failed",
            Self::Broken(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                "connection_reset"
            }
            Self::Broken(_) => "connection_broken",
            Self::Closed => "connection_closed",
            Self::Bad(_) => "bad_answer",
        }
    }

    /// What happened, for people.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Connect(error) | Self::Broken(error) => error.to_string(),
            Self::Closed => "the server closed the connection before its answer was whole".into(),
            Self::Bad(error) => error.to_string(),
        }
    }
}

/// A connection that is opened when needed.
pub(crate) struct Connection {
    host: String,
    port: u16,
    /// How to shake hands, if the server speaks TLS.
    tls: Option<Arc<ClientConfig>>,
    /// Whether calls of gRPC are made on it.
    grpc: bool,
    stream: Option<Stream>,
    received: Vec<u8>,
}

enum Stream {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Grpc(Caller),
}

impl Connection {
    /// Not yet open.
    pub(crate) fn new(target: &Target, tls: Option<Arc<ClientConfig>>) -> Self {
        let (host, port) = (target.host.clone(), target.port);
        let grpc = target.protocol == Protocol::OtlpGrpc;
        Self { host, port, tls, grpc, stream: None, received: Vec::new() }
    }

    /// Whether it is open, as far as one can know without using it.
    pub(crate) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Opens it unless it is open.
    pub(crate) async fn open(&mut self) -> io::Result<()> {
        if self.stream.is_none() {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            // A request is one write; waiting to fill a packet would only delay its tail.
            stream.set_nodelay(true)?;
            self.stream = Some(match &self.tls {
                None if self.grpc => Stream::Grpc(Caller::new(stream).await?),
                None => Stream::Clear(stream),
                Some(tls) => {
                    let stream = handshake(tls, &self.host, stream).await?;
                    if self.grpc {
                        Stream::Grpc(Caller::new(stream).await?)
                    } else {
                        Stream::Tls(Box::new(stream))
                    }
                }
            });
            self.received.clear();
        }
        Ok(())
    }

    /// Sends a request, with gRPC behind this head, and reads its answer. Dropping the future
    /// closes the connection.
    pub(crate) async fn exchange(
        &mut self,
        request: &[u8],
        head: Option<Request<()>>,
    ) -> Result<Answer, Failure> {
        self.open().await.map_err(Failure::Connect)?;
        let Some(mut stream) = self.stream.take() else { return Err(Failure::Closed) };
        let received = &mut self.received;
        let answer = match &mut stream {
            Stream::Clear(stream) => {
                let (input, output) = stream.split();
                exchange(input, output, request, received).await?
            }
            Stream::Tls(stream) => {
                let (input, output) = tokio::io::split(stream);
                exchange(input, output, request, received).await?
            }
            Stream::Grpc(caller) => {
                let Some(head) = head else { return Err(Failure::Closed) };
                caller.exchange(head, request).await?
            }
        };
        // Bytes behind the answer belong to no request: such a connection is not trusted again.
        if !answer.close && self.received.len() == answer.used {
            self.stream = Some(stream);
        }
        self.received.clear();
        Ok(answer)
    }
}

async fn handshake(
    tls: &Arc<ClientConfig>,
    host: &str,
    stream: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let shaken = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
    shaken.map_err(|error| {
        io::Error::new(error.kind(), format!("{error} (TLS; whom to trust is told by --ca)"))
    })
}

async fn exchange(
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    request: &[u8],
    received: &mut Vec<u8>,
) -> Result<Answer, Failure> {
    let written = write(&mut output, request);
    let answered = read_answer(&mut input, received);
    tokio::pin!(written, answered);
    // The answer may come before the request has left: a server may refuse a body by its head,
    // and then neither reads the rest nor waits for it.
    tokio::select! {
        biased;
        broken = &mut written => match broken {
            Ok(()) => answered.await,
            // What the server said before it hung up tells more than the broken pipe.
            Err(error) => answered.await.map_err(|_| Failure::Broken(error)),
        },
        early = &mut answered => early.map(|answer| Answer { close: true, ..answer }),
    }
}

async fn write(output: &mut (impl AsyncWrite + Unpin), request: &[u8]) -> io::Result<()> {
    output.write_all(request).await?;
    output.flush().await
}

async fn read_answer(
    input: &mut (impl AsyncRead + Unpin),
    received: &mut Vec<u8>,
) -> Result<Answer, Failure> {
    loop {
        received.reserve(READ_ROOM);
        let more = input.read_buf(received).await.map_err(Failure::Broken)?;
        match answer::read(received, more == 0).map_err(Failure::Bad)? {
            Some(answer) => return Ok(answer),
            None if more == 0 => return Err(Failure::Closed),
            None => {}
        }
    }
}
