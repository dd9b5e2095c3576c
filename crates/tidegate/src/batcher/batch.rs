//! In what does a handler get its items? In a vector that goes back to the batcher when it is done.
//!
//! With a few awaited items a batch, allocating its vector is a good part of what an item costs. So
//! a handler that only reads its items takes a [`Batch`], and the emptied vector carries a later
//! one. A handler that wants the vector itself takes that, and a new one is allocated.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::sync::atomic::{AtomicBool, Ordering};
use super::sync::{Arc, Mutex, PoisonError};

/// At most so many emptied vectors are kept: what a few producers fill before the driver runs.
pub(super) const KEPT: usize = 16;

/// Vectors above this size are not kept: allocating one is little beside filling it.
const KEPT_BYTES_MAX: usize = 32 << 10;

/// The items of one attempt, in the order in which they were added.
///
/// It is a `Vec` in all respects; what is different is that the emptied vector is used again when
/// the batch is dropped. [`into_vec`](Self::into_vec) takes it away.
///
/// ```
/// use tidegate::Batcher;
/// use tidegate::batcher::{Batch, handler_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let handler = handler_fn(|batch: Batch<u64>| async move {
///     let total: u64 = batch.iter().sum();
///     println!("{} rows, {total} in all", batch.len());
/// });
/// let batcher = Batcher::builder().build(handler)?;
/// batcher.add(7).await?;
/// assert_eq!(batcher.close().await.delivered, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub struct Batch<T> {
    items: Vec<T>,
    spares: Option<Arc<Spares<T>>>,
}

/// Emptied vectors.
#[derive(Debug)]
pub(super) struct Spares<T> {
    kept: Mutex<Vec<Vec<T>>>,
    /// Whether there are any: most handlers keep the vector, and nobody locks for nothing.
    any: AtomicBool,
}

impl<T> Default for Spares<T> {
    fn default() -> Self {
        Self { kept: Mutex::new(Vec::with_capacity(KEPT)), any: AtomicBool::new(false) }
    }
}

impl<T> Spares<T> {
    /// Adds all that are there to `taken`.
    pub(super) fn take(&self, taken: &mut Vec<Vec<T>>) {
        if self.any.load(Ordering::Relaxed) {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            taken.append(&mut kept);
            self.any.store(false, Ordering::Relaxed);
        }
    }

    fn give(&self, empty: Vec<T>) {
        if empty.capacity().saturating_mul(size_of::<T>()) <= KEPT_BYTES_MAX {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < KEPT {
                kept.push(empty);
                self.any.store(true, Ordering::Relaxed);
            }
        }
    }
}

impl<T> Batch<T> {
    pub(super) fn new(items: Vec<T>, spares: &Arc<Spares<T>>) -> Self {
        Self { items, spares: Some(Arc::clone(spares)) }
    }

    /// The items in a vector of their own.
    ///
    /// ```
    /// use tidegate::batcher::Batch;
    ///
    /// let batch = Batch::from(vec![1, 2, 3]);
    /// assert_eq!(batch.into_vec(), [1, 2, 3]);
    /// ```
    #[must_use]
    pub fn into_vec(mut self) -> Vec<T> {
        std::mem::take(&mut self.items)
    }
}

/// For tests of a handler: a batch that goes back to nobody.
impl<T> From<Vec<T>> for Batch<T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, spares: None }
    }
}

impl<T> Deref for Batch<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.items
    }
}

impl<T> DerefMut for Batch<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.items
    }
}

impl<T> IntoIterator for Batch<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_vec().into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Batch<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl<T> Drop for Batch<T> {
    fn drop(&mut self) {
        if let Some(spares) = &self.spares
            && self.items.capacity() > 0
        {
            let mut items = std::mem::take(&mut self.items);
            items.clear();
            spares.give(items);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.items.fmt(f)
    }
}
