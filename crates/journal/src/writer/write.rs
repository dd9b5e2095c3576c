//! One write, one sync: the part of a commit that can fail.

use std::io;

use super::{Active, Broken, Writer};
use crate::clock;
use crate::format::frame::HEADER_BYTES;
use crate::format::meta::{self, Meta};
use crate::settings::Durability;
use crate::shared::lock;
use crate::storage::replace;

/// What ends a commit reaches up to a multiple of this.
const PAGE_BYTES: u64 = 4096;
/// With durability `written`, so many positions are set aside at a time.
const FLOOR_STEP: u64 = 1 << 24;

impl Writer {
    /// One write, and one sync if so configured.
    pub(super) fn write(&mut self) -> Result<(), Broken> {
        if self.shared.settings.durability == Durability::Written {
            self.raise_floor().map_err(|error| match error.kind() {
                io::ErrorKind::StorageFull => Broken::NoSpace(error),
                _ => Broken::Failed("setting positions aside in `meta`", error),
            })?;
        }
        let Active { file, offset, capacity, .. } = &self.active;
        let end = offset + self.run.bytes.len() as u64;
        let padded = (end + HEADER_BYTES as u64).next_multiple_of(PAGE_BYTES).min(*capacity);
        let padding = usize::try_from(padded - end).unwrap_or(0);
        let frames = self.run.bytes.len();
        self.run.bytes.resize(frames + padding, 0);
        let written = file.write_all_at(&self.run.bytes, *offset);
        self.run.bytes.truncate(frames);
        if let Err(error) = written {
            // A part may be there; frames of refused requests must not come back to life. Synced,
            // because the next commit may go to another segment, at the same positions.
            let full = error.kind() == io::ErrorKind::StorageFull;
            return match file.set_len(*offset).and_then(|()| file.sync_data()) {
                Ok(()) if full => Err(Broken::NoSpace(error)),
                _ => Err(Broken::Failed("writing a segment", error)),
            };
        }
        if self.shared.settings.durability == Durability::Fsync {
            let began = clock::now();
            file.sync_data().map_err(|error| Broken::Failed("syncing a segment", error))?;
            lock(&self.shared.counters.syncs).record(began.elapsed());
        }
        Ok(())
    }

    /// Sets positions aside, durably, before they are used: see [`meta`].
    fn raise_floor(&self) -> io::Result<()> {
        let mut meta = lock(&self.shared.meta);
        if self.next <= meta.floor {
            return Ok(());
        }
        let raised = Meta { floor: self.next.saturating_add(FLOOR_STEP), ..*meta };
        replace(self.shared.storage.as_ref(), meta::NAME, &raised.encode())?;
        *meta = raised;
        Ok(())
    }
}
