//! The only place where the journal reads a clock: for the latency of a sync and the period of
//! the cursors file. Nothing durable depends on it.

use std::time::Instant;

#[expect(clippy::disallowed_methods, reason = "the one shell function that reads the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
