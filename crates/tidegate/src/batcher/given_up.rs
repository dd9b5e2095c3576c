//! Who hears of items that were given up? A hook that gets the items themselves back.
//!
//! A handler consumes its batch, so what the hook is given has to be kept before: a clone of each
//! batch, made only if there is a hook.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::error::Failure;

/// An item that was given up, and why.
///
/// ```
/// use tidegate::batcher::GivenUp;
///
/// fn letter(given_up: &GivenUp<String>) -> String {
///     format!("{}: {} ({} attempts)", given_up.item, given_up.why, given_up.attempts)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GivenUp<T> {
    /// The item.
    pub item: T,
    /// Why it was given up.
    pub why: Failure,
    /// Attempts that were made with it; 0 for one that never left.
    pub attempts: u32,
}

/// Clones items that the handler will consume.
pub(super) type Keep<T> = fn(&[T]) -> Vec<T>;

/// What [`Builder::on_given_up`](super::Builder::on_given_up) was told.
pub(super) struct Hook<T> {
    call: Arc<dyn Fn(Vec<GivenUp<T>>) + Send + Sync>,
}

impl<T> Hook<T> {
    pub(super) fn new(call: impl Fn(Vec<GivenUp<T>>) + Send + Sync + 'static) -> Self {
        Self { call: Arc::new(call) }
    }

    /// Tells of items; a hook that panics costs its own message only.
    pub(super) fn call(&self, given_up: Vec<GivenUp<T>>) {
        let _ = catch_unwind(AssertUnwindSafe(|| (self.call)(given_up)));
    }
}

impl<T> Clone for Hook<T> {
    fn clone(&self) -> Self {
        Self { call: Arc::clone(&self.call) }
    }
}

impl<T> fmt::Debug for Hook<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}
