//! Where do the lock and the reference counts come from? From one place.
//!
//! A model of the hot path compiles these same files over a scheduler that tries interleavings
//! (`tests/model`): it brings its own version of this module, and everything else is the real code.

pub(super) use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

pub(super) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
}
