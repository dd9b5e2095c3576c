//! What does a server say of itself? It is ready when its log says so, and all of its processes
//! have ended when the log is closed.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader};
use std::process::ChildStderr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Lines that are kept.
const LINES: usize = 200;
const READY: &str = "database system is ready to accept connections";

/// A server's log, read as it is written.
#[derive(Debug)]
pub(super) struct Log {
    lines: Arc<Mutex<VecDeque<String>>>,
    /// One message when the server is ready; closed with the log. Behind a lock, so that a server
    /// can stand in a static.
    ready: Mutex<Receiver<()>>,
}

impl Log {
    /// Reads the log in a thread of its own until it is closed.
    pub(super) fn read(log: Option<ChildStderr>) -> io::Result<Self> {
        let log = log.ok_or_else(|| io::Error::other("it has none"))?;
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&lines);
        let (tell, ready) = sync_channel(1);
        thread::Builder::new().name("postgres-log".to_owned()).spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                if line.contains(READY) {
                    // Said again after a backend has crashed; once is enough.
                    let _ = tell.try_send(());
                }
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == LINES {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        })?;
        Ok(Self { lines, ready: Mutex::new(ready) })
    }

    /// Whether the server is ready before this time is over.
    pub(super) fn is_ready_within(&self, time: Duration) -> bool {
        self.wait(time).is_ok()
    }

    /// Whether every process of the server has ended before this time is over.
    pub(super) fn is_closed_within(&self, time: Duration) -> bool {
        loop {
            match self.wait(time) {
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
                // It was ready once more before it ended.
                Ok(()) => {}
            }
        }
    }

    fn wait(&self, time: Duration) -> Result<(), RecvTimeoutError> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(time)
    }

    /// The last lines.
    pub(super) fn tail(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}
