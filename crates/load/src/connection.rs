//! How does one request at a time cross one keep-alive connection?
//!
//! By one write and, as a rule, one read. A connection is opened when it is needed, kept while
//! the server keeps it, and thrown away whenever an exchange did not end cleanly: after a timeout
//! or a cut there is no telling which answer would come next.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use crate::answer::{self, Answer, BadAnswer};
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
    stream: Option<TcpStream>,
    received: Vec<u8>,
}

impl Connection {
    /// Not yet open.
    pub(crate) fn new(target: &Target) -> Self {
        Self { host: target.host.clone(), port: target.port, stream: None, received: Vec::new() }
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
            self.stream = Some(stream);
            self.received.clear();
        }
        Ok(())
    }

    /// Sends a request and reads its answer. Dropping the future closes the connection.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer, Failure> {
        self.open().await.map_err(Failure::Connect)?;
        let Some(mut stream) = self.stream.take() else { return Err(Failure::Closed) };
        let answer = exchange(&mut stream, request, &mut self.received).await?;
        // Bytes behind the answer belong to no request: such a connection is not trusted again.
        if !answer.close && self.received.len() == answer.used {
            self.stream = Some(stream);
        }
        self.received.clear();
        Ok(answer)
    }
}

async fn exchange(
    stream: &mut TcpStream,
    request: &[u8],
    received: &mut Vec<u8>,
) -> Result<Answer, Failure> {
    let (mut input, mut output) = stream.split();
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

async fn write(output: &mut WriteHalf<'_>, request: &[u8]) -> io::Result<()> {
    output.write_all(request).await
}

async fn read_answer(input: &mut ReadHalf<'_>, received: &mut Vec<u8>) -> Result<Answer, Failure> {
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
