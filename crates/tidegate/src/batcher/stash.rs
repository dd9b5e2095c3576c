//! In what does a local handle hold its items back? In an array with one writer, from which whoever
//! holds the batcher's lock takes all there is.
//!
//! The [`Writer`] fills the slots in order and publishes how many are filled; the [`Reader`] moves
//! out those that it has not taken yet, in one copy, and publishes how far it is. Nothing goes
//! round: a writer at the end has the reader take the rest, and both begin anew at the first slot,
//! for which [`Reader::rewind`] needs the two of them at once.
//!
//! This is the library's only unsafe code. A ring buffer out of a crate does the same, but moves
//! its items one by one at both ends, and that was three quarters of what a hot producer paid. Two
//! promises make it sound. A slot below `filled` is not written again until the rewind. A slot
//! between `taken` and `filled` holds an item, which is moved out exactly once, by the reader or by
//! the drop of the array.
#![expect(unsafe_code, reason = "slots that two threads share are moved in and out by hand")]

use std::cell::UnsafeCell;
use std::fmt;
use std::mem::MaybeUninit;

use super::sync::Arc;
use super::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

/// Slots of a stash.
pub(super) const SLOTS: usize = 64;

struct Stash<T> {
    slots: [UnsafeCell<MaybeUninit<T>>; SLOTS],
    /// The bytes of each item; 0 from the first free slot on.
    sizes: [AtomicU32; SLOTS],
    /// Whether any of them is not 0.
    sized: AtomicBool,
    /// Slots that were written. Only the writer adds to it.
    filled: AtomicUsize,
    /// Slots that were emptied again. Only the reader adds to it.
    taken: AtomicUsize,
}

// SAFETY: the writer touches slots from `filled` on, the reader those below it, each of them behind
// a `&mut` of its own; what goes through is an item, which may be sent.
unsafe impl<T: Send> Sync for Stash<T> {}

/// The end into which the owner puts items.
pub(super) struct Writer<T>(Arc<Stash<T>>);

/// The end from which the batcher takes them.
pub(super) struct Reader<T>(Arc<Stash<T>>);

/// Both ends of a new stash.
pub(super) fn stash<T>() -> (Writer<T>, Reader<T>) {
    let stash = Arc::new(Stash {
        slots: [const { UnsafeCell::new(MaybeUninit::uninit()) }; SLOTS],
        sizes: std::array::from_fn(|_| AtomicU32::new(0)),
        sized: AtomicBool::new(false),
        filled: AtomicUsize::new(0),
        taken: AtomicUsize::new(0),
    });
    (Writer(Arc::clone(&stash)), Reader(stash))
}

impl<T> Stash<T> {
    /// The slots with items, as the reader sees them.
    fn held(&self) -> std::ops::Range<usize> {
        // What the writer wrote before it said so is seen from here on.
        let filled = self.filled.load(Ordering::Acquire);
        self.taken.load(Ordering::Relaxed)..filled
    }
}

impl<T> Writer<T> {
    /// Puts an item without bytes in; gives it back if there is no free slot. Says whether it is
    /// the only one there, so that somebody has to be told of it; it may say so in vain, or a
    /// little late, when the reader is just taking those before it.
    #[inline]
    pub(super) fn push(&mut self, item: T) -> Result<bool, T> {
        let stash = &*self.0;
        let at = stash.filled.load(Ordering::Relaxed);
        let Some(slot) = stash.slots.get(at) else { return Err(item) };
        // SAFETY: the reader leaves slots from `filled` on alone, and there is no other writer.
        unsafe { (*slot.get()).write(item) };
        stash.filled.store(at + 1, Ordering::Release);
        Ok(stash.taken.load(Ordering::Relaxed) == at)
    }

    /// The same with an item of so many bytes.
    pub(super) fn push_sized(&mut self, item: T, bytes: u32) -> Result<bool, T> {
        let stash = &*self.0;
        if let Some(size) = stash.sizes.get(stash.filled.load(Ordering::Relaxed))
            && bytes > 0
        {
            // Published with the item itself.
            size.store(bytes, Ordering::Relaxed);
            stash.sized.store(true, Ordering::Relaxed);
        }
        self.push(item)
    }

    /// Items inside; fewer, if the reader is just taking some.
    pub(super) fn len(&self) -> usize {
        self.0.held().len()
    }
}

impl<T> Reader<T> {
    /// Items inside, at least.
    pub(super) fn len(&self) -> usize {
        self.0.held().len()
    }

    /// Whether an item inside may have bytes.
    pub(super) fn is_sized(&self) -> bool {
        self.0.sized.load(Ordering::Relaxed)
    }

    /// The bytes of the first `items`.
    pub(super) fn bytes(&self, items: usize) -> u64 {
        let held = self.0.held().take(items);
        // Looked at after what was published: an item's size is there when the item is.
        if !self.is_sized() {
            return 0;
        }
        held.filter_map(|at| Some(u64::from(self.0.sizes.get(at)?.load(Ordering::Relaxed)))).sum()
    }

    /// The bytes of the first item, if there is one.
    pub(super) fn first(&self) -> Option<u64> {
        (self.len() > 0).then(|| self.bytes(1))
    }

    /// Takes the first item, and its bytes.
    pub(super) fn pop(&mut self) -> Option<(T, u32)> {
        let stash = &*self.0;
        let at = stash.held().next()?;
        let bytes = stash.sizes.get(at)?.load(Ordering::Relaxed);
        // SAFETY: the slot holds an item, and is not looked at again.
        let item = unsafe { (*stash.slots.get(at)?.get()).assume_init_read() };
        stash.taken.store(at + 1, Ordering::Relaxed);
        Some((item, bytes))
    }

    /// Moves the first `items` to the end of `to`, or as many as there are. Says how many.
    pub(super) fn move_to(&mut self, to: &mut Vec<T>, items: usize) -> usize {
        let stash = &*self.0;
        let held = stash.held();
        let items = items.min(held.len());
        to.reserve(items);
        let first = stash.slots.as_ptr().cast::<T>();
        // SAFETY: slots and items have the same layout. These slots hold items, which are not
        // looked at again, and the room for them was reserved in a vector that is another's.
        unsafe {
            let end = to.as_mut_ptr().add(to.len());
            std::ptr::copy_nonoverlapping(first.add(held.start), end, items);
            to.set_len(to.len() + items);
        }
        stash.taken.store(held.start + items, Ordering::Relaxed);
        items
    }

    /// Lets the writer begin anew, if all its items were taken.
    pub(super) fn rewind(&mut self, writer: &mut Writer<T>) {
        let stash = &*self.0;
        if !Arc::ptr_eq(&self.0, &writer.0) || self.len() > 0 {
            return;
        }
        if stash.sized.load(Ordering::Relaxed) {
            stash.sizes.iter().for_each(|size| size.store(0, Ordering::Relaxed));
            stash.sized.store(false, Ordering::Relaxed);
        }
        stash.taken.store(0, Ordering::Relaxed);
        stash.filled.store(0, Ordering::Relaxed);
    }
}

impl<T> Drop for Stash<T> {
    fn drop(&mut self) {
        let held = self.held();
        for slot in self.slots.get_mut(held).into_iter().flatten() {
            // SAFETY: the slot holds an item, and nobody is left to take it.
            unsafe { slot.get_mut().assume_init_drop() };
        }
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// Counts those that are alive.
    struct Alive(u32, #[expect(dead_code, reason = "it is counted")] std::sync::Arc<()>);

    proptest! {
        /// Invariant: whatever is put in comes out once, in order and with its bytes, or is dropped
        /// with the stash; and a full one takes nothing until it was emptied and rewound.
        #[test]
        fn what_goes_in_comes_out_once(
            steps in proptest::collection::vec((0..9u8, 0..3u32, 0..70usize), 0..300),
        ) {
            let alive = std::sync::Arc::new(());
            let (mut writer, mut reader) = stash();
            let (mut model, mut next, mut slots) = (VecDeque::new(), 0, SLOTS);
            for (what, bytes, items) in steps {
                match what {
                    0..=5 => {
                        let alone = model.is_empty();
                        let pushed = match what {
                            0..=2 => writer.push_sized(Alive(next, alive.clone()), bytes),
                            _ => writer.push(Alive(next, alive.clone())),
                        };
                        prop_assert_eq!(pushed.ok(), (slots > 0).then_some(alone));
                        if slots > 0 {
                            model.push_back((next, if what < 3 { bytes } else { 0 }));
                            slots -= 1;
                        }
                        next += 1;
                    }
                    6 => {
                        let popped = reader.pop().map(|(item, bytes)| (item.0, bytes));
                        prop_assert_eq!(popped, model.pop_front());
                    }
                    7 => {
                        let bytes: u32 = model.iter().take(items).map(|(_, bytes)| bytes).sum();
                        prop_assert_eq!(reader.bytes(items), u64::from(bytes));
                        let mut out = Vec::new();
                        let moved = reader.move_to(&mut out, items);
                        prop_assert_eq!(moved, items.min(model.len()));
                        let expected = model.drain(..moved).map(|(item, _)| item);
                        prop_assert!(out.iter().map(|item| item.0).eq(expected));
                    }
                    _ => {
                        reader.rewind(&mut writer);
                        if model.is_empty() {
                            slots = SLOTS;
                        }
                    }
                }
                prop_assert_eq!((reader.len(), writer.len()), (model.len(), model.len()));
                prop_assert_eq!(std::sync::Arc::strong_count(&alive), 1 + model.len());
            }
            drop((writer, reader));
            prop_assert_eq!(std::sync::Arc::strong_count(&alive), 1);
        }
    }

    #[test]
    fn a_writer_and_a_reader_meet() {
        let (mut writer, reader) = stash();
        let reader = std::sync::Mutex::new(reader);
        let items = if cfg!(miri) { 300 } else { 100_000u64 };
        let mut out = std::thread::scope(|scope| {
            let fetched = scope.spawn(|| {
                let mut out = Vec::new();
                while out.last() != Some(&(items - 1)) {
                    reader.lock().unwrap().move_to(&mut out, SLOTS);
                    std::thread::yield_now();
                }
                out
            });
            for item in 0..items {
                while writer.push(item).is_err() {
                    reader.lock().unwrap().rewind(&mut writer);
                }
            }
            fetched.join().unwrap()
        });
        assert_eq!(out.len() as u64, items);
        out.dedup();
        assert!(out.is_sorted() && out.len() as u64 == items);
    }
}
