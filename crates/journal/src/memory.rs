//! What is different with durability `memory`?
//!
//! Nothing is read from the storage or written to it, there is no thread, and an append goes
//! straight to the readers. The readers' memory is then all there is: nothing leaves it before
//! every lane has delivered it, and at its bound appends are refused.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidegate_event::{JournalId, Position};

use crate::error::{AppendError, OpenError};
use crate::format::cursors::Cursors;
use crate::format::meta::{Meta, State};
use crate::format::notes::Noted;
use crate::format::segment;
use crate::frame::Sealed;
use crate::keys::Claim;
use crate::keys::window::Window;
use crate::pool::Pool;
use crate::random;
use crate::recovery::{Recovered, failed};
use crate::report::{CursorsFound, Identity, KeysFound, Recovery};
use crate::segments::Segments;
use crate::settings::Settings;
use crate::shared::{Shared, lock};
use crate::storage::Storage;

/// A journal that lives only in memory: a new id each time, because positions begin again.
pub(crate) fn fleeting(
    storage: &Arc<dyn Storage>,
    settings: &Settings,
) -> Result<Recovered, OpenError> {
    let names = storage.list().map_err(failed(storage.as_ref(), "list the directory"))?;
    let is_segment = |name: &&String| segment::sequence_of(name, ".seg").is_some();
    let ignored_segments = names.iter().filter(is_segment).count();
    let (id, epoch) = (JournalId::from_u128(random::id()?), 1);
    let report = Recovery {
        identity: Identity { id, epoch },
        created: true,
        closed_in_order: true,
        segments: 0,
        frames: 0,
        items: 0,
        first: 0,
        next: 0,
        torn: None,
        skipped: None,
        missing: Vec::new(),
        set_aside: Vec::new(),
        cursors: CursorsFound::Absent,
        keys: KeysFound::default(),
        ignored_segments,
    };
    let sizes = (settings.segment_bytes, settings.max_bytes);
    Ok(Recovered {
        meta: Meta { id, epoch, floor: 0, state: State::Open },
        segments: Segments::default(),
        pool: Pool::new(Arc::clone(storage), id, epoch, sizes, 1),
        cursors: Cursors::new(),
        noted: Noted::new(),
        keys: Window::new(settings.keys_max, settings.keys_age_max),
        chain_end: None,
        report,
    })
}

impl Shared {
    /// Places a request in memory, for lanes to take: the whole of an append with `memory`.
    pub(crate) fn keep_in_memory(
        &self,
        mut sealed: Sealed,
        claim: Option<Claim>,
    ) -> Result<Range<Position>, AppendError> {
        let low = self.lanes.low();
        let mut tail = lock(&self.tail);
        if self.progress.borrow().closed.is_some() {
            return Err(AppendError::Closed);
        }
        // Without lanes everything is kept: one may be registered later.
        tail.release(Some(low.unwrap_or(0)));
        if !tail.has_room(sealed.weight()) {
            let (bytes, max) = (tail.bytes() as u64, self.settings.tail_bytes as u64);
            return Err(AppendError::Full { bytes, max });
        }
        sealed.place(tail.next());
        let items = sealed.items();
        let frame = Arc::new(sealed.into_frame());
        let range = frame.first..frame.end;
        if let Some(claim) = claim {
            claim.store(range.clone());
        }
        self.synced.store(range.end, Ordering::Release);
        tail.push(frame);
        drop(tail);
        self.counters.frames.fetch_add(1, Ordering::Relaxed);
        self.counters.items.fetch_add(items, Ordering::Relaxed);
        self.advance(range.end);
        Ok(range)
    }
}
