//! How is a connection cut at the worst moment? By a proxy on loopback between client and server,
//! which reads as much of PostgreSQL's messages as it needs to know where they are.
//!
//! A cut is armed for whichever connection first reaches its point, and happens once. What stands
//! before the point arrives, what stands behind it does not; both sides see their connection
//! closed. It can also cut all connections at once, refuse new ones, and delay every byte in both
//! directions by a fixed time without making the stream slower.
//!
//! What it does not see through is TLS: there only cuts after so many bytes work.
//!
//! ```no_run
//! use tidegate_testbed::proxy::{Cut, Proxy};
//!
//! # let server: std::net::SocketAddr = ([127, 0, 0, 1], 5432).into();
//! let proxy = Proxy::start(server)?;
//! proxy.arm(Cut::AfterCommit); // the server commits, the client never hears of it
//! // … a client connects to proxy.address() and commits …
//! assert_eq!(proxy.cuts(), 1);
//! # Ok::<(), std::io::Error>(())
//! ```

mod link;
mod messages;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Where a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// After so many bytes from the client, over all connections since the cut was armed.
    AfterClientBytes(u64),
    /// After so many bytes from the server, over all connections since the cut was armed.
    AfterServerBytes(u64),
    /// Inside the COPY data message that holds this byte of the data a connection copies.
    InCopy(u64),
    /// Before the client's COMMIT: the server never hears of it.
    BeforeCommit,
    /// After the server's answer to COMMIT: the client never hears of it.
    AfterCommit,
}

/// A proxy to one server. It ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    armed: Option<Cut>,
    cuts: u64,
    refuses: bool,
    ended: bool,
    delay: Duration,
    links: HashMap<u64, [TcpStream; 2]>,
    connections: u64,
}

impl Proxy {
    /// Starts a proxy on a free port of loopback.
    ///
    /// # Errors
    ///
    /// When no port or thread can be had.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { server, state: Mutex::default() });
        let accepting = Arc::clone(&shared);
        let acceptor = thread::Builder::new()
            .name("proxy".to_owned())
            .spawn(move || accept(&listener, &accepting))?;
        Ok(Self { address, shared, acceptor: Some(acceptor) })
    }

    /// Where clients connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Arms a cut, in place of one that has not happened yet.
    pub fn arm(&self, cut: Cut) {
        self.shared.state().armed = Some(cut);
    }

    /// Takes back a cut that has not happened yet; says whether there was one.
    pub fn disarm(&self) -> bool {
        self.shared.state().armed.take().is_some()
    }

    /// How many armed cuts have happened.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.shared.state().cuts
    }

    /// How many connections there were.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.state().connections
    }

    /// How many connections there are.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.state().links.len()
    }

    /// Cuts every connection now.
    pub fn cut_all(&self) {
        self.shared.state().cut_all();
    }

    /// Whether new connections are closed at once.
    pub fn refuse(&self, refuses: bool) {
        self.shared.state().refuses = refuses;
    }

    /// Delays every byte from now on by this long, in each direction.
    pub fn delay(&self, delay: Duration) {
        self.shared.state().delay = delay;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state();
            state.ended = true;
            state.cut_all();
        }
        // The acceptor waits for a connection: this one tells it to end.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            // It has ended either way.
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts bytes towards an armed cut after so many; gives back how many of them still pass if
    /// the cut happens among them.
    fn counted(&self, from_client: bool, bytes: usize) -> Option<usize> {
        let mut state = self.state();
        let left = match (&mut state.armed, from_client) {
            (Some(Cut::AfterClientBytes(left)), true)
            | (Some(Cut::AfterServerBytes(left)), false) => left,
            _ => return None,
        };
        let passing = usize::try_from(*left).unwrap_or(usize::MAX);
        if passing > bytes {
            *left -= bytes as u64;
            return None;
        }
        state.happened();
        Some(passing)
    }

    /// Whether this message of a connection is the one to cut at; then the cut has happened.
    fn cuts_at(&self, from_client: bool, message: &messages::Message<'_>, copied: u64) -> bool {
        let mut state = self.state();
        let is_here = match state.armed {
            Some(Cut::InCopy(byte)) => {
                from_client && message.is_copy_data() && byte < copied + message.length
            }
            Some(Cut::BeforeCommit) => from_client && message.asks_to_commit(),
            Some(Cut::AfterCommit) => !from_client && message.says_committed(),
            _ => false,
        };
        if is_here {
            state.happened();
        }
        is_here
    }
}

impl State {
    fn happened(&mut self) {
        self.armed = None;
        self.cuts += 1;
    }

    fn cut_all(&mut self) {
        for (_, streams) in self.links.drain() {
            close(&streams);
        }
    }
}

/// Closes both connections of a link. One that is closed already is no error.
fn close(streams: &[TcpStream; 2]) {
    for stream in streams {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming().flatten() {
        if shared.state().ended {
            return;
        }
        // A client that cannot be served sees its connection closed.
        let _ = serve(client, shared);
    }
}

fn serve(client: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    if shared.state().refuses {
        return Ok(());
    }
    let server = TcpStream::connect(shared.server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let number = {
        let mut state = shared.state();
        state.connections += 1;
        let number = state.connections;
        state.links.insert(number, [client.try_clone()?, server.try_clone()?]);
        number
    };
    link::spawn(number, client, server, shared)
}
