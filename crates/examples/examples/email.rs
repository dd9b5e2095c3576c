//! E-mail: one SMTP session for a batch of messages, and each sender hears of its own recipient.
//!
//! `cargo run -p tidegate-examples --example email`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "an example"
)]

use std::net::SocketAddr;
use std::time::Duration;

use tidegate::Batcher;
use tidegate::batcher::Answer;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A message to one recipient.
struct Mail {
    to: String,
    text: String,
}

/// A session with a mail server.
struct Session {
    stream: BufReader<TcpStream>,
}

impl Session {
    async fn open(server: SocketAddr) -> Result<Self, Error> {
        let mut session = Self { stream: BufReader::new(TcpStream::connect(server).await?) };
        session.answer().await?;
        session.say("HELO shop.example").await?;
        Ok(session)
    }

    async fn answer(&mut self) -> Result<(), Error> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        if line.starts_with(['2', '3']) { Ok(()) } else { Err(line.trim_end().into()) }
    }

    async fn say(&mut self, command: &str) -> Result<(), Error> {
        self.stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        self.answer().await
    }

    async fn send(&mut self, mail: &Mail) -> Result<(), Error> {
        self.say("MAIL FROM:<shop@shop.example>").await?;
        if let Err(refused) = self.say(&format!("RCPT TO:<{}>", mail.to)).await {
            self.say("RSET").await?;
            return Err(refused);
        }
        self.say("DATA").await?;
        self.say(&format!("To: {}\r\n\r\n{}\r\n.", mail.to, mail.text)).await
    }
}

async fn send_all(server: SocketAddr, mails: Vec<Mail>) -> Result<Answer, Error> {
    let mut session = Session::open(server).await?;
    let mut results = Vec::with_capacity(mails.len());
    for mail in &mails {
        results.push(session.send(mail).await);
    }
    session.say("QUIT").await?;
    Ok(Answer::per_item(results))
}

/// A mail server that knows everybody but `nobody`.
async fn serve(stream: TcpStream) -> Result<(), Error> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.example\r\n").await?;
    let (mut line, mut data) = (String::new(), false);
    while stream.read_line(&mut line).await? > 0 {
        let answer = match line.trim_end() {
            "." => {
                data = false;
                "250 kept"
            }
            _ if data => "",
            "DATA" => {
                data = true;
                "354 go on"
            }
            "QUIT" => "221 bye",
            to if to.starts_with("RCPT TO:<nobody@") => "550 no such user",
            _ => "250 ok",
        };
        if !answer.is_empty() {
            stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        line.clear();
    }
    Ok(())
}

/// Runs the example to its end.
#[tokio::main]
pub async fn main() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    let batcher = Batcher::builder()
        .batch_size(1..=50)
        .batch_size_initial(20)
        .concurrency(2.0) // sessions at a time
        .linger(Duration::from_millis(20))
        .build(move |mails: Vec<Mail>| send_all(server, mails))?;
    let senders = (0..100).map(|n| {
        let batcher = batcher.clone();
        tokio::spawn(async move {
            let user = if n % 10 == 0 { "nobody".to_owned() } else { format!("user{n}") };
            let mail = Mail { to: format!("{user}@mail.example"), text: format!("order {n}") };
            batcher.submit(mail).await
        })
    });
    let mut bounced = 0;
    for sender in senders.collect::<Vec<_>>() {
        if let Err(error) = sender.await? {
            assert_eq!(error.to_string(), "550 no such user");
            bounced += 1;
        }
    }
    let stats = batcher.close().await;
    assert_eq!((bounced, stats.delivered), (10, 90));
    println!("90 mails and 10 bounces in {} sessions", stats.counters.attempts);
    serving.abort();
    Ok(())
}
