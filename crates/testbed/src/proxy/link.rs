//! How do bytes pass from one side to the other, and stop at a cut? By two threads for each
//! direction: one reads and looks, one writes when the delay is over.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::Shared;
use super::messages::Messages;

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;
/// Chunks on their way in a direction: what a long, fast wire would hold.
const ON_THE_WAY: usize = 64;

/// Some bytes, and when they may arrive.
struct Chunk {
    bytes: Vec<u8>,
    due: Instant,
}

/// One direction of a connection.
struct Way {
    number: u64,
    from_client: bool,
    shared: Arc<Shared>,
    /// Whether the client has asked for TLS and was not answered yet.
    asked_for_tls: Arc<AtomicBool>,
}

/// Starts both directions.
pub(super) fn spawn(
    number: u64,
    client: TcpStream,
    server: TcpStream,
    shared: &Arc<Shared>,
) -> io::Result<()> {
    let asked_for_tls = Arc::new(AtomicBool::new(false));
    let ends = [(true, client.try_clone()?, server.try_clone()?), (false, server, client)];
    for (from_client, from, to) in ends {
        let shared = Arc::clone(shared);
        let way = Way { number, from_client, shared, asked_for_tls: Arc::clone(&asked_for_tls) };
        let (send, receive) = sync_channel(ON_THE_WAY);
        thread::Builder::new().name("proxy-write".to_owned()).spawn(move || write(to, &receive))?;
        thread::Builder::new()
            .name("proxy-read".to_owned())
            .spawn(move || way.read(from, &send))?;
    }
    Ok(())
}

impl Way {
    fn read(&self, mut from: TcpStream, to: &SyncSender<Chunk>) {
        let mut messages = Messages::new(self.from_client);
        let mut copied = 0;
        let mut chunk = vec![0; CHUNK];
        loop {
            let bytes = match from.read(&mut chunk) {
                // An end is passed on by the writer, once it has written what came before.
                Ok(0) | Err(_) => return,
                Ok(bytes) => chunk.get(..bytes).unwrap_or_default(),
            };
            let cut = self.look(&mut messages, bytes, &mut copied);
            let passing = bytes.get(..cut.unwrap_or(bytes.len())).unwrap_or_default().to_vec();
            let due = now() + self.shared.state().delay;
            if to.send(Chunk { bytes: passing, due }).is_err() {
                return;
            }
            if cut.is_some() {
                return self.cut(to);
            }
        }
    }

    /// Where in these bytes the connection is cut, if it is.
    fn look(&self, messages: &mut Messages, bytes: &[u8], copied: &mut u64) -> Option<usize> {
        let mut cut = self.shared.counted(self.from_client, bytes.len());
        messages.read(bytes, &self.asked_for_tls, |message, at| {
            if cut.is_none() && self.shared.cuts_at(self.from_client, &message, *copied) {
                // A COPY is cut inside its message, all else before it.
                let inside = if message.is_copy_data() { message.head.len() } else { 0 };
                cut = Some((at + inside).min(bytes.len()));
            }
            if message.is_copy_data() {
                *copied += message.length;
            }
        });
        cut
    }

    /// Closes both sides, after what is on its way has been handed over.
    fn cut(&self, to: &SyncSender<Chunk>) {
        // The writer takes an empty chunk only after all others: it is at the point of the cut.
        let _ = to.send(Chunk { bytes: Vec::new(), due: now() });
        if let Some(streams) = self.shared.state().links.remove(&self.number) {
            // The other direction is closed at once: nothing after the cut is answered. What is
            // written in this direction is in the system's hands and still arrives.
            let [client, server] = &streams;
            let (from, to) = if self.from_client { (client, server) } else { (server, client) };
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Read);
        }
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        // Whichever way ends first takes the link off the list; the writers close what is left.
        self.shared.state().links.remove(&self.number);
    }
}

fn write(mut to: TcpStream, chunks: &Receiver<Chunk>) {
    for Chunk { bytes, due } in chunks {
        wait(due.saturating_duration_since(now()));
        if bytes.is_empty() || to.write_all(&bytes).is_err() {
            break;
        }
    }
    // A link that was cut or ended is gone for both sides.
    let _ = to.shutdown(Shutdown::Both);
}

fn wait(time: Duration) {
    if !time.is_zero() {
        #[expect(clippy::disallowed_methods, reason = "the delay is what was asked for")]
        thread::sleep(time);
    }
}

#[expect(clippy::disallowed_methods, reason = "a shell: what is delayed is delayed by the clock")]
fn now() -> Instant {
    Instant::now()
}
