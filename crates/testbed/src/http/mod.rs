//! What does an HTTP sink meet out there? A server on loopback that misbehaves when asked to.
//!
//! It takes events in the forms that the sink sends, remembers each item under its id, and answers
//! as its script, its dice or its settings say: refuse, hang, break off, lose the answer, limit the
//! rate, serve with few and slow workers. Whether everything arrived, and how often, is then read
//! from its [`Ledger`].
//!
//! | question | module |
//! |---|---|
//! | How does it behave? | [`behaviour`] |
//! | What has it received and taken? | [`ledger`] |
//! | How is a body read as items? | `body` |
//! | How is one request answered? | `serve` |
//! | How does it speak TLS, with a certificate nobody knows? | `tls` |

pub mod behaviour;
mod body;
pub mod ledger;
mod serve;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};

pub use behaviour::{Answers, Behaviour, Deed, Poison, Random, Rate, Reply, Service};
pub use ledger::{Ledger, Received};
use serve::Server;

/// A running server. It ends, and cuts its connections, when this is dropped.
///
/// ```
/// use tidegate_testbed::http::{Behaviour, Deed, HttpBackend};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let backend = HttpBackend::start(Behaviour::default())?;
/// backend.script([Deed::status(503), Deed::TakeAndDrop]);
/// assert!(backend.url("/events").ends_with("/events"));
/// assert_eq!(backend.ledger().request_count, 0);
/// # Ok(())
/// # }
/// ```
pub struct HttpBackend {
    server: Arc<Server>,
    address: SocketAddr,
    /// The certificate of its authority, in PEM form, if it speaks TLS.
    ca: Option<String>,
    accepting: AbortHandle,
}

impl HttpBackend {
    /// Starts on a free port, on the caller's runtime.
    ///
    /// # Errors
    ///
    /// What the system says when there is no port; that there is no runtime, if there is none.
    pub fn start(behaviour: Behaviour) -> io::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), behaviour)
    }

    /// Starts on this address: where another one was before, for instance.
    ///
    /// # Errors
    ///
    /// What the system says when the address cannot be had.
    pub fn start_at(address: SocketAddr, behaviour: Behaviour) -> io::Result<Self> {
        Self::run(address, behaviour, None)
    }

    /// Starts with TLS, for `localhost` and 127.0.0.1, by a certificate whose authority nobody
    /// knows: see [`ca`](Self::ca).
    ///
    /// # Errors
    ///
    /// What the system says when there is no port, or no certificate could be made.
    pub fn start_tls(behaviour: Behaviour) -> io::Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::run(address, behaviour, Some(tls::identity().map_err(io::Error::other)?))
    }

    fn run(
        address: SocketAddr,
        behaviour: Behaviour,
        tls: Option<tls::Identity>,
    ) -> io::Result<Self> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        // As the standard library opens it, so that a start needs no waiting.
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = TcpListener::from_std(listener)?;
        let server = Arc::new(Server::new(behaviour));
        let (acceptor, ca) = tls.map(|identity| (identity.acceptor, identity.ca)).unzip();
        let serving = Arc::clone(&server);
        let accepting = runtime.spawn(async move {
            // They end with this task.
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    Some(_) = connections.join_next() => {}
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { continue };
                        let _ = stream.set_nodelay(true);
                        let (server, acceptor) = (Arc::clone(&serving), acceptor.clone());
                        server.ledger.write(|ledger| ledger.connections += 1);
                        connections.spawn(serve::connection(server, stream, acceptor));
                    }
                }
            }
        });
        Ok(Self { server, address, ca, accepting: accepting.abort_handle() })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of `path`, which begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    /// The certificate of its authority, in PEM form; empty without TLS.
    #[must_use]
    pub fn ca(&self) -> &str {
        self.ca.as_deref().unwrap_or_default()
    }

    /// What the next requests meet, one deed each; afterwards the behaviour holds again.
    pub fn script(&self, deeds: impl IntoIterator<Item = Deed>) {
        self.server.script(deeds);
    }

    /// Behaves otherwise from now on; what was received stays.
    pub fn behave(&self, behaviour: Behaviour) {
        self.server.behave(behaviour);
    }

    /// What it has received and taken so far.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.server.ledger.read(Clone::clone)
    }

    /// Waits until the ledger is as `condition` says.
    pub async fn until(&self, condition: impl Fn(&Ledger) -> bool) {
        self.server.ledger.until(condition).await;
    }
}

impl Drop for HttpBackend {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
