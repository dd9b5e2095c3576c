//! Which connection does an attempt get? One for itself, of at most so many.
//!
//! A permit is a connection's right to be: it is had before anything is sent, waits are in order,
//! and a close takes all of them, so that it comes after everything that was asked before it.
//! Connections are made when they are needed and kept; one that failed is not given back.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::session::Session;
use super::trouble::Trouble;

/// Connections, kept between attempts.
pub(super) struct Pool {
    permits: Arc<Semaphore>,
    size: u32,
    idle: Mutex<Vec<Session>>,
}

/// The right to one connection.
pub(super) type Permit = OwnedSemaphorePermit;

impl Pool {
    pub(super) fn new(size: u32) -> Self {
        let permits = Arc::new(Semaphore::new(usize::try_from(size).unwrap_or(1)));
        Self { permits, size, idle: Mutex::default() }
    }

    /// Waits for the right to a connection.
    pub(super) async fn permit(&self) -> Result<Permit, Trouble> {
        Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Trouble::Closed)
    }

    /// The right to a connection, if one is free.
    pub(super) fn permit_now(&self) -> Option<Permit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// A connection that is still up, if there is one.
    pub(super) fn idle(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|session| !session.is_closed());
        idle.pop()
    }

    /// Keeps a connection for the next attempt.
    pub(super) fn keep(&self, session: Session) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }

    /// Waits for all that was asked before, and lets go of every connection.
    pub(super) async fn close(&self) {
        // An error says that it is closed already.
        let all = self.permits.acquire_many(self.size).await;
        self.permits.close();
        drop(all);
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for session in idle {
            session.close().await;
        }
    }
}
