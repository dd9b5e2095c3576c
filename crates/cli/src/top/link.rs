//! How is the server asked, again and again? A thread reads the stream and goes on after a break.
//!
//! A connection is given up after half a minute even if all is well: that is how one is noticed
//! that hangs, and the stream goes on where it was, so nobody sees it.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use serde_json::Value;

use super::args::TopArgs;
use super::events::{Message, Parser};
use crate::agent;

/// How long a connection is read.
const READ: Duration = Duration::from_secs(30);
/// How long the server may take to begin its answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Waits between two attempts to connect: the first and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));
/// Longest line: a snapshot of very many lanes.
const LINE_BYTES_MAX: u64 = 64 << 20;
/// What the screen has not drawn yet.
const WAITING: usize = 256;

/// What the thread tells.
#[derive(Debug)]
pub(super) enum News {
    /// The stream says something.
    Said(Message),
    /// There is no stream now, and why.
    Down(String),
}

/// The way to a server.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) news: Receiver<News>,
}

impl Link {
    /// Begins to ask.
    pub(super) fn start(args: &TopArgs) -> anyhow::Result<Self> {
        let (sender, news) = sync_channel(WAITING);
        let url = format!("{}/api/stream", args.url.trim_end_matches('/'));
        let config = agent::builder(&args.url, args.ca.as_deref())?
            .timeout_connect(Some(ANSWER))
            .timeout_recv_response(Some(ANSWER))
            .timeout_recv_body(Some(READ));
        let agent = config.build().new_agent();
        let token = args.token.clone().filter(|token| !token.is_empty());
        let asker = Asker { agent, url, token, sender, parser: Parser::default() };
        std::thread::Builder::new().name("link".to_owned()).spawn(move || asker.ask())?;
        Ok(Self { news })
    }
}

struct Asker {
    agent: ureq::Agent,
    url: String,
    token: Option<String>,
    sender: SyncSender<News>,
    parser: Parser,
}

/// Why a connection was over.
enum Over {
    /// Nobody listens any more.
    Quit,
    /// To be told, unless it was only the limit on its time.
    Because(Option<String>),
}

impl Asker {
    fn ask(mut self) {
        let mut wait = WAITS.0;
        loop {
            let before = self.parser.last_id().map(str::to_owned);
            match self.connection() {
                Over::Quit => return,
                Over::Because(None) => {}
                Over::Because(Some(why)) => {
                    if self.sender.send(News::Down(why)).is_err() {
                        return;
                    }
                }
            }
            let heard = self.parser.last_id() != before.as_deref();
            wait = if heard { WAITS.0 } else { (wait * 2).min(WAITS.1) };
            std::thread::park_timeout(wait);
        }
    }

    fn connection(&mut self) -> Over {
        let mut request = self.agent.get(&self.url).header("accept", "text/event-stream");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(id) = self.parser.last_id() {
            request = request.header("last-event-id", id);
        }
        let mut response = match request.call() {
            Ok(response) => response,
            Err(error) => return Over::Because(Some(error.to_string())),
        };
        if !response.status().is_success() {
            let status = response.status();
            let body = response.body_mut().with_config().limit(1 << 16).read_to_string();
            let said: Value = serde_json::from_str(&body.unwrap_or_default()).unwrap_or_default();
            let message = said["error"]["message"].as_str().map(str::to_owned);
            return Over::Because(Some(message.unwrap_or_else(|| format!("it answered {status}"))));
        }
        self.parser.begin();
        let mut lines = BufReader::new(response.body_mut().as_reader());
        let mut line = String::new();
        loop {
            line.clear();
            match lines.by_ref().take(LINE_BYTES_MAX).read_line(&mut line) {
                Ok(0) => return Over::Because(Some("the connection ended".to_owned())),
                Ok(_) => {}
                // The limit on the time of a connection is meant.
                Err(error) if is_timeout(&error) => return Over::Because(None),
                Err(error) => return Over::Because(Some(error.to_string())),
            }
            let news = match self.parser.line(line.trim_end_matches(['\n', '\r'])) {
                Ok(None) => continue,
                Ok(Some(message)) => News::Said(message),
                Err(error) => return Over::Because(Some(error.to_string())),
            };
            if self.sender.send(news).is_err() {
                return Over::Quit;
            }
        }
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::TimedOut
        || error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<ureq::Error>())
            .is_some_and(|inner| matches!(inner, ureq::Error::Timeout(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    /// A server of one connection after the other, each with these lines; what it was asked.
    fn serve(listener: &TcpListener, status: &str, body: &str) -> String {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = String::new();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        while !asked.ends_with("\r\n\r\n") {
            lines.read_line(&mut asked).unwrap();
        }
        let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\n");
        stream.write_all((head + body).as_bytes()).unwrap();
        asked.to_lowercase()
    }

    #[test]
    fn it_goes_on_after_a_break_and_carries_the_token() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let link = Link::start(&TopArgs { url, token: Some("secret".into()), ca: None }).unwrap();
        let bye = |id: &str| {
            let data = "{\"reason\":\"stopping\",\"message\":\"m\"}";
            format!("id: {id}\nevent: bye\ndata: {data}\n\n")
        };
        let first = serve(&listener, "200 OK", &bye("run-7"));
        assert!(first.starts_with("get /api/stream "), "{first}");
        assert!(first.contains("authorization: bearer secret"), "{first}");
        assert!(!first.contains("last-event-id"), "{first}");
        assert!(matches!(link.news.recv().unwrap(), News::Said(Message::Bye(_))));
        assert!(matches!(link.news.recv().unwrap(), News::Down(_)));
        let refused = "{\"error\":{\"code\":\"too_many_watchers\",\"message\":\"too many\"}}";
        let again = serve(&listener, "503 Service Unavailable", refused);
        assert!(again.contains("last-event-id: run-7"), "{again}");
        assert!(matches!(link.news.recv().unwrap(), News::Down(why) if why == "too many"));
        serve(&listener, "200 OK", &bye("run-8"));
        assert!(matches!(link.news.recv().unwrap(), News::Said(Message::Bye(_))));
    }
}
