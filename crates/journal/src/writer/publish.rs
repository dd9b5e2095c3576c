//! A commit is durable: who hears of it, and in which order?
//!
//! First the request keys, so that whatever can be delivered has its key remembered, then the bound of what may be called delivered, then the segments, then memory, then the durable position that wakes readers, then the
//! producers. So whoever knows a position can read everything up to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{RUN_BYTES, Writer};
use crate::queue::{Pending, Queued};
use crate::shared::lock;

impl Writer {
    /// The run is durable: shows it to readers, then tells the producers.
    pub(super) fn publish(&mut self) {
        let shared = Arc::clone(&self.shared);
        let start = self.active.offset;
        for (Pending { sealed, claim, .. }, _) in &mut self.run.frames {
            if let Some(claim) = claim.take() {
                claim.store(sealed.first()..sealed.first() + sealed.items());
            }
        }
        shared.synced.store(self.next, Ordering::Release);
        self.active.offset += self.run.bytes.len() as u64;
        {
            let mut segments = lock(&shared.segments);
            if let Some(active) = segments.active_mut() {
                for (pending, at) in &self.run.frames {
                    active.index.note(pending.sealed.first(), start + *at as u64);
                }
                active.end = self.active.offset;
                active.next = self.next;
            }
            shared.note_segments(&segments);
        }
        let counters = &shared.counters;
        let room = self.active.capacity - self.active.offset;
        counters.active_room.store(room, Ordering::Release);
        counters.commits.fetch_add(1, Ordering::Relaxed);
        counters.frames.fetch_add(self.run.frames.len() as u64, Ordering::Relaxed);
        let items = self.run.frames.iter().map(|(pending, _)| pending.sealed.items()).sum();
        counters.items.fetch_add(items, Ordering::Relaxed);
        let (frames, bytes) = (self.run.frames.len(), self.run.weight);
        self.fill_tail();
        shared.advance(self.next);
        shared.queue.release(Queued { frames, bytes });
        for (reply, positions) in self.replies.drain(..) {
            let _ = reply.send(Ok(positions));
        }
        self.clear_run();
        if !self.asked_ready && self.active.offset > self.active.capacity / 4 {
            self.asked_ready = true;
            shared.keeper.prepare();
        }
    }

    fn fill_tail(&mut self) {
        let taken = self.shared.lanes.read();
        let mut tail = lock(&self.shared.tail);
        for (Pending { sealed, reply, .. }, _) in self.run.frames.drain(..) {
            let frame = sealed.into_frame();
            self.replies.push((reply, frame.first..frame.end));
            tail.push(Arc::new(frame));
        }
        tail.release(taken);
        tail.enforce_bound();
    }

    pub(super) fn clear_run(&mut self) {
        self.run.bytes.clear();
        // One huge frame must not keep its memory for ever.
        self.run.bytes.shrink_to(2 * RUN_BYTES);
        self.run.weight = 0;
    }
}
