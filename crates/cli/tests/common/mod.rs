//! The real binary, started and stopped by tests, and the database it leaves behind.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test that hangs must end by the clock")]

pub mod paced;
pub mod producers;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

/// How long anything may take before a test fails rather than hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The command under test.
pub fn tidegate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.env_remove("TIDEGATE_CONFIG").env_remove("TIDEGATE_TOKEN");
    command
}

/// A running `tidegate serve`.
pub struct Server {
    child: Child,
    address: SocketAddr,
    /// Where it takes OTLP over gRPC and over HTTP.
    otlp: [Option<SocketAddr>; 2],
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Server {
    /// Starts on a free port, with everything under `dir`.
    pub fn start(dir: &Path) -> Self {
        Self::start_with(dir, &["--listen", "127.0.0.1:0"])
    }

    /// Starts with these arguments besides the data directory, and waits until it listens.
    pub fn start_with(dir: &Path, args: &[&str]) -> Self {
        let mut command = tidegate();
        command.arg("serve").arg("--data-dir").arg(dir).args(args);
        Self::run(command)
    }

    /// Runs a `serve` command, and waits until it listens.
    pub fn run(command: Command) -> Self {
        let mut server = Self::spawn(command);
        let listening = server.wait_for_line("taking events");
        let line: Value = serde_json::from_str(&listening).unwrap();
        server.address = line["address"].as_str().unwrap().parse().unwrap();
        server.otlp = ["otlp_grpc", "otlp_http"]
            .map(|name| line[name].as_str().map(|address| address.parse().unwrap()));
        server
    }

    fn spawn(mut command: Command) -> Self {
        command.args(["--log-format", "json"]);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::sync_channel(10_000);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            address: ([127, 0, 0, 1], 0).into(),
            otlp: [None; 2],
            lines,
            seen: Vec::new(),
        }
    }

    /// The same server, asked on the loopback address.
    pub fn at_loopback(mut self) -> Self {
        self.address.set_ip([127, 0, 0, 1].into());
        self
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it takes OTLP over gRPC, if it does.
    pub fn otlp_grpc(&self) -> Option<SocketAddr> {
        self.otlp[0]
    }

    /// Where it takes OTLP over HTTP, if it does.
    pub fn otlp_http(&self) -> Option<SocketAddr> {
        self.otlp[1]
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next line of the log that contains `text`.
    pub fn wait_for_line(&mut self, text: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => self.seen.push(line),
                Err(error) => panic!("no line with {text:?} ({error}); seen: {:#?}", self.seen),
            }
        }
    }

    /// A line of the log that contains `text`, from before it listened.
    pub fn seen_line(&self, text: &str) -> &str {
        let found = self.seen.iter().find(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("no line with {text:?}; seen: {:#?}", self.seen))
    }

    /// Ends it as a crash would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has; returns how it ended and the rest of its log.
    pub fn stop(mut self) -> (ExitStatus, Vec<String>) {
        self.terminate();
        let status = self.child.wait().unwrap();
        let mut lines = std::mem::take(&mut self.seen);
        lines.extend(self.lines.iter());
        (status, lines)
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Waits for the end of a server that ends by itself.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    pub fn post(&self, content_type: &str, body: impl AsRef<[u8]>) -> Answer {
        self.post_to("/v1/events", &[("content-type", content_type)], body)
    }

    pub fn post_to(&self, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        let mut request = agent().post(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::read(request.send(body.as_ref()).unwrap())
    }

    pub fn get(&self, path: &str) -> Answer {
        Answer::read(agent().get(self.url(path)).call().unwrap())
    }

    /// Waits until `/api/metrics` satisfies `done`, and returns it.
    pub fn wait_for_metrics(&self, done: impl Fn(&Value) -> bool) -> Value {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let metrics = self.get("/api/metrics").json();
            if done(&metrics) {
                return metrics;
            }
            assert!(std::time::Instant::now() < deadline, "{metrics:#}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone when the test stopped or killed it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that returns every status as an answer.
pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .new_agent()
}

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
    pub body: String,
}

impl Answer {
    pub fn read(mut response: ureq::http::Response<ureq::Body>) -> Self {
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.map(|value| value.to_str().unwrap().to_owned());
        let mut body = String::new();
        response.body_mut().as_reader().read_to_string(&mut body).unwrap();
        Self { status: response.status().as_u16(), retry_after, body }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The message for a person.
    pub fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }
}

/// The database of a data directory, read only.
pub fn database(dir: &Path) -> rusqlite::Connection {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    rusqlite::Connection::open_with_flags(database_path(dir), flags).unwrap()
}

pub fn database_path(dir: &Path) -> PathBuf {
    dir.join("events.db")
}

/// The one value that a query gives.
pub fn query<T: rusqlite::types::FromSql>(dir: &Path, sql: &str) -> T {
    database(dir).query_row(sql, [], |row| row.get(0)).unwrap()
}
