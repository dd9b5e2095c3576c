//! What if a sink holds more of the journal than it may, and its policy is to detach it?
//!
//! Then nothing is kept for it. The lane reads on and counts what goes by — exactly, because it
//! still looks at every frame for its class and its route — and the cursor passes it all, so that
//! the journal is freed. One batch that the sink has refused stays in memory: it is the probe.
//! When the sink takes it, the lane is attached again, from where it reads now.
//!
//! What is on its way when the lane is let go of may still arrive; it counts as missed only until
//! then.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidegate_event::Rows;
use tidegate_journal::Frame;
use tidegate_sinks::Batch;

use super::Lane;
use super::error::LaneError;
use super::shared::State;

/// How much is let go of at a time.
pub(super) const SKIP_BYTES: usize = 1 << 20;

impl Lane {
    /// Lets go of everything that waits, if the sink holds too much.
    pub(super) fn let_go_if_told(&mut self) {
        if !*self.signals.detach.borrow_and_update() || self.detached {
            return;
        }
        self.detached = true;
        self.queue.clear();
        self.keep_a_probe();
        // Everything that is not delivered is read once more, and counted.
        let low = self.cursor.low_water();
        self.reader.seek(low);
        self.queued_end = low;
        self.shared.set_state(State::Detached);
        let (lane, sink) = (&self.shared.lane, &self.shared.sink);
        let waiting = self.cursor.backlog_items();
        tracing::warn!(
            %sink, %lane, waiting,
            "the sink held its share of the journal: nothing is kept for it until it takes a batch"
        );
    }

    /// Of the batches that the sink has refused, a detached lane keeps the oldest.
    pub(super) fn keep_a_probe(&mut self) {
        if self.detached {
            self.cases.truncate(1);
        }
    }

    /// A batch arrived after all.
    pub(super) fn was_not_missed(&self, batch: &Batch) {
        // It was counted when the lane read past it.
        if self.detached && batch.range.end <= self.queued_end {
            let items = batch.items();
            let less = |missed: u64| Some(missed.saturating_sub(items));
            let _ = self.shared.missed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }

    /// Attaches the lane again when the sink has taken all that it was offered.
    pub(super) fn attach_if_well(&mut self) {
        let waits = self.in_doubt || !self.cases.is_empty() || !self.flights.is_empty();
        if !self.detached || waits || *self.signals.detach.borrow() {
            return;
        }
        self.detached = false;
        self.queue.clear();
        self.queued_end = self.reader.place();
        self.show();
        let (lane, sink) = (&self.shared.lane, &self.shared.sink);
        let missed = self.shared.missed.load(Ordering::Relaxed);
        tracing::warn!(%sink, %lane, missed, "attached again, from here on");
    }

    /// Lets frames go by: counts what the sink would have got, and passes it.
    pub(super) fn skip(&mut self, frames: &[Arc<Frame>]) -> Result<(), LaneError> {
        for group in frames.iter().flat_map(|frame| &frame.groups) {
            let positions = group.positions();
            let missed: u64 = self
                .cursor
                .undelivered_in(positions.clone())
                .into_iter()
                .map(|r| r.end - r.start)
                .sum();
            let rows = Rows::new(group.rows.clone(), group.items);
            let whole = missed == u64::from(group.items);
            let wanted = if whole { self.route.wanted(&rows) } else { missed };
            self.shared.missed.fetch_add(wanted, Ordering::Relaxed);
            self.queued_end = positions.end;
            self.note(positions)?;
        }
        Ok(())
    }
}
