//! The lock and the reference counts of the model: each is a point at which another thread may run.

pub(super) use shuttle::sync::{Arc, Mutex, MutexGuard};
// Shuttle has no `OnceLock`; setting it and looking at it are steps that nothing can come between,
// and the locks around them are points enough.
pub(super) use std::sync::{OnceLock, PoisonError, TryLockError};

pub(super) mod atomic {
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
}
