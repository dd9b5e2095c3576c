//! How does a server run beside the demo, and surely end with it?
//!
//! As a process of its own, so that what it costs is its own, in a process group of its own, so
//! that Ctrl-C reaches the demo first, and behind a guard: whichever way the demo leaves, the
//! server is ended by its id. Known imperfection: a demo that is killed with -9 cannot do so.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use super::error::DemoError;

/// How long it may take to begin. Its journal is new, so this is for a very busy machine.
const BEGIN: Duration = Duration::from_secs(30);
/// Lines of its log that are kept.
const LINES: usize = 12;
/// The file that holds its configuration, in the data directory.
const CONFIG: &str = "tidegate.yaml";

/// A running `tidegate serve`.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    address: SocketAddr,
    dir: PathBuf,
    /// Nothing comes through it after the address; it closes when the server has ended.
    ended: Receiver<SocketAddr>,
    log: Log,
}

type Log = Arc<Mutex<VecDeque<String>>>;

impl Server {
    /// Starts one on a free port with this configuration and everything under `dir`, and waits
    /// until it takes events.
    pub(super) fn start(dir: &Path, yaml: &str) -> Result<Self, DemoError> {
        let config = dir.join(CONFIG);
        std::fs::write(&config, yaml).map_err(DemoError::Spawn)?;
        let program = std::env::current_exe().map_err(DemoError::Spawn)?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(config).arg("--data-dir").arg(dir);
        command.args(["--listen", "127.0.0.1:0", "--log-format", "json"]);
        // What this shell sets for a server of its own is not meant for this one.
        command.env_remove("TIDEGATE_CONFIG").env_remove("TIDEGATE_TOKEN");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(DemoError::Spawn)?;
        let log = Log::default();
        let (sender, ended) = sync_channel(1);
        let stderr = child.stderr.take();
        let mut server = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            dir: dir.to_owned(),
            ended,
            log: Arc::clone(&log),
        };
        if let Some(stderr) = stderr {
            let read = move || read(stderr, &log, &sender);
            let reader = std::thread::Builder::new().name("server log".to_owned());
            reader.spawn(read).map_err(DemoError::Spawn)?;
        }
        server.address = match server.ended.recv_timeout(BEGIN) {
            Ok(address) => address,
            Err(RecvTimeoutError::Timeout) => return Err(server.failed("does not begin")),
            Err(RecvTimeoutError::Disconnected) => return Err(server.failed("did not begin")),
        };
        Ok(server)
    }

    /// Where it listens.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The database it writes.
    pub(super) fn database(&self) -> PathBuf {
        self.dir.join("events.db")
    }

    /// Fails if it has ended.
    pub(super) fn check(&mut self) -> Result<(), DemoError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(self.failed("ended in mid-run")),
            Err(error) => Err(DemoError::Spawn(error)),
        }
    }

    /// Asks it to deliver what is left and to end, and waits for that.
    pub(super) fn stop(mut self, limit: Duration) -> Result<(), DemoError> {
        if kill_process(Pid::from_child(&self.child), Signal::TERM).is_err() {
            return Err(self.failed("ended before it was asked to"));
        }
        match self.ended.recv_timeout(limit) {
            Err(RecvTimeoutError::Disconnected) => {}
            _ => return Err(self.failed("does not end")),
        }
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            _ => Err(self.failed("ended with an error")),
        }
    }

    fn failed(&self, what: &'static str) -> DemoError {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        DemoError::Server {
            what,
            log: log.iter().map(String::as_str).collect::<Vec<_>>().join("\n"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended and was waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Deserialize)]
struct Line {
    message: String,
    address: Option<SocketAddr>,
}

/// Reads the log to its end: keeps its last lines, and passes on the address.
fn read(stderr: ChildStderr, log: &Log, address: &SyncSender<SocketAddr>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if let Some(found) = address_in(&line) {
            // Full or closed: it was told already, or nobody wants to know.
            let _ = address.try_send(found);
        }
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() >= LINES {
            log.pop_front();
        }
        log.push_back(line);
    }
}

/// The address, if this is the line that says that events are taken.
fn address_in(line: &str) -> Option<SocketAddr> {
    let line: Line = serde_json::from_str(line).ok()?;
    line.address.filter(|_| line.message.starts_with("taking events"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_the_line_that_says_so() {
        let line = r#"{"level":"INFO","message":"taking events at POST","address":"127.0.0.1:9"}"#;
        assert_eq!(address_in(line), Some(SocketAddr::from(([127, 0, 0, 1], 9))));
        assert_eq!(address_in(r#"{"message":"other","address":"127.0.0.1:9"}"#), None);
        assert_eq!(address_in("tidegate: taking events"), None);
    }
}
