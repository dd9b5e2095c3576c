//! Where does the next segment come from?
//!
//! Overwriting blocks that exist costs half of growing a file, so segments are made of real zeros
//! ahead of need, off the commit path, and used again when their frames are no longer wanted. Four
//! sources, best first: one that is ready (header written, synced, named); a spare file, which
//! needs only a new header; room for a growing file, when the disk is faster than the preparation;
//! none — then appends are refused until lanes have delivered or there is space.
//!
//! The first segment is small and each new one twice as large, up to the configured size: a server
//! that has just been created writes 4 MiB before it answers, not 64. Freed ones are used again from
//! a quarter of that size on, and none is made while there is a spare: lanes that keep up never make
//! the journal write zeros for more than a few of them, and zeros cost the commits beside them half
//! of the disk.
//!
//! Sequence numbers are drawn only when a file becomes a segment, and a ready segment is always
//! used before another is made, so the order of numbers is the order of use.

use std::io;
use std::sync::Arc;

use tidegate_event::JournalId;

use crate::format::segment::{FRAMES_AT, SegmentHeader, name};
use crate::random;
use crate::storage::{Storage, StorageFile};

/// Capacity of the very first segment.
const FIRST_BYTES: u64 = 4 << 20;
/// Spare files kept beside the ready segment.
pub(crate) const SPARES_MAX: usize = 2;
/// Zeros are written and synced in steps: a commit beside them waits for one step, not for all.
const ZERO_STEP: usize = 1 << 20;
/// A freed file is used again if it has at least this share of a full segment.
const REUSED_SHARE: u64 = 4;

/// An empty segment: its header is durable, and so is its name.
pub(crate) struct Ready {
    pub(crate) sequence: u64,
    pub(crate) salt: u64,
    pub(crate) capacity: u64,
    pub(crate) name: String,
    pub(crate) file: Arc<dyn StorageFile>,
}

/// A file of full size whose content means nothing.
pub(crate) struct Spare {
    pub(crate) name: String,
    pub(crate) file: Arc<dyn StorageFile>,
    pub(crate) capacity: u64,
}

/// There is no next segment.
#[derive(Debug)]
pub(crate) enum NoSegment {
    /// All files together would exceed the bound.
    Full,
    /// The system refused.
    Io(io::Error),
}

impl From<io::Error> for NoSegment {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Segment files that hold no frames, and the count of all bytes.
pub(crate) struct Pool {
    storage: Arc<dyn Storage>,
    id: JournalId,
    epoch: u64,
    segment_bytes: u64,
    bytes_max: u64,
    /// All files: with frames, ready and spare.
    bytes: u64,
    next_sequence: u64,
    next_file: u64,
    ready: Option<Ready>,
    spares: Vec<Spare>,
    /// Capacity of the last new file.
    last_capacity: u64,
}

/// Permission to make a new file of this capacity, already counted.
pub(crate) struct Reserved {
    pub(crate) name: String,
    pub(crate) capacity: u64,
}

impl Pool {
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        id: JournalId,
        epoch: u64,
        (segment_bytes, bytes_max): (u64, u64),
        next_sequence: u64,
    ) -> Self {
        let (ready, spares) = (None, Vec::new());
        let (bytes, last_capacity, next_file) = (0, 0, 0);
        Self {
            storage,
            id,
            epoch,
            segment_bytes,
            bytes_max,
            bytes,
            next_sequence,
            next_file,
            ready,
            spares,
            last_capacity,
        }
    }

    /// Counts a segment that was found at opening.
    pub(crate) fn count(&mut self, capacity: u64) {
        self.bytes += capacity;
        self.last_capacity = self.last_capacity.max(capacity);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of frames that fit into what is ready, spare, or may be made.
    pub(crate) fn room(&self) -> u64 {
        let full = self.segment_bytes - FRAMES_AT;
        let made_beside = |bytes: u64| self.bytes_max.saturating_sub(bytes) / self.segment_bytes;
        let spare: u64 = self.spares.iter().map(|spare| spare.capacity - FRAMES_AT).sum();
        let ready = self.ready.as_ref().map_or(0, |ready| ready.capacity - FRAMES_AT);
        // Spares that are too small for a frame make room for a file that is not.
        let instead = made_beside(self.bytes - self.spare_bytes()) * full;
        ready + instead.max(spare + made_beside(self.bytes) * full)
    }

    fn spare_bytes(&self) -> u64 {
        self.spares.iter().map(|spare| spare.capacity).sum()
    }

    pub(crate) fn has_ready(&self) -> bool {
        self.ready.is_some()
    }

    pub(crate) fn has_spare(&self) -> bool {
        !self.spares.is_empty()
    }

    /// The next segment to write to, able to hold a frame of `frame_bytes`.
    pub(crate) fn take(&mut self, frame_bytes: u64) -> Result<Ready, NoSegment> {
        if let Some(ready) = self.ready.take() {
            if FRAMES_AT + frame_bytes <= ready.capacity {
                return Ok(ready);
            }
            // A small one from the beginning: the frame needs a segment of full size.
            self.bytes -= ready.capacity;
            self.storage.remove(&ready.name)?;
        }
        let fits = |spare: &Spare| FRAMES_AT + frame_bytes <= spare.capacity;
        if let Some(at) = self.spares.iter().position(fits) {
            let spare = self.spares.swap_remove(at);
            return self.dress(spare);
        }
        let reserved = match self.reserve(self.segment_bytes) {
            Some(reserved) => reserved,
            None => {
                self.drop_spares()?;
                self.reserve(self.segment_bytes).ok_or(NoSegment::Full)?
            }
        };
        match self.storage.create(&reserved.name) {
            Ok(file) => {
                let Reserved { name, capacity } = reserved;
                self.dress(Spare { name, file: file.into(), capacity })
            }
            Err(error) => {
                self.cancel(&reserved);
                Err(error.into())
            }
        }
    }

    /// Removes the spares, none of which is large enough.
    fn drop_spares(&mut self) -> io::Result<()> {
        while let Some(spare) = self.spares.pop() {
            self.bytes -= spare.capacity;
            self.storage.remove(&spare.name)?;
        }
        Ok(())
    }

    /// Makes a spare the ready segment, if there is none.
    pub(crate) fn make_ready(&mut self) -> Result<(), NoSegment> {
        if self.ready.is_none()
            && let Some(spare) = self.spares.pop()
        {
            self.ready = Some(self.dress(spare)?);
        }
        Ok(())
    }

    /// Writes a header with a new salt and gives the file its name, all durable on return. On an
    /// error the file is given up.
    fn dress(&mut self, spare: Spare) -> Result<Ready, NoSegment> {
        let Spare { name: old, file, capacity } = spare;
        let sequence = self.next_sequence;
        let new = name(sequence);
        let dressed = random::salt().and_then(|salt| {
            let (id, epoch) = (self.id, self.epoch);
            let header = SegmentHeader { id, epoch, sequence, salt, capacity };
            file.write_all_at(&header.encode(), 0)?;
            file.sync_data()?;
            self.storage.rename(&old, &new)?;
            self.storage.sync_dir()?;
            Ok(salt)
        });
        match dressed {
            Ok(salt) => {
                self.next_sequence += 1;
                Ok(Ready { sequence, salt, capacity, name: new, file })
            }
            Err(error) => {
                self.bytes -= capacity;
                // Best effort: what remains under either name is cleared at the next opening.
                let _ = self.storage.remove(&old).or_else(|_| self.storage.remove(&new));
                Err(error.into())
            }
        }
    }

    /// The size the next new file should have.
    pub(crate) fn next_capacity(&self) -> u64 {
        (self.last_capacity * 2).clamp(FIRST_BYTES.min(self.segment_bytes), self.segment_bytes)
    }

    /// Counts a new file of this capacity, if the bound allows it.
    pub(crate) fn reserve(&mut self, capacity: u64) -> Option<Reserved> {
        if self.bytes + capacity > self.bytes_max {
            return None;
        }
        self.bytes += capacity;
        self.last_capacity = capacity;
        // A number of its own: a file made ahead and one made in need may be under way at once.
        let name = format!("{:016x}.tmp", self.next_file);
        self.next_file += 1;
        Some(Reserved { name, capacity })
    }

    /// The file could not be made.
    pub(crate) fn cancel(&mut self, reserved: &Reserved) {
        self.bytes -= reserved.capacity;
    }

    /// Adds a file that was counted when it was reserved or used.
    pub(crate) fn add_spare(&mut self, spare: Spare) {
        self.spares.push(spare);
    }

    /// Whether a freed file of this capacity is worth keeping.
    pub(crate) fn wants(&self, capacity: u64) -> bool {
        capacity >= self.segment_bytes / REUSED_SHARE && self.spares.len() < SPARES_MAX
    }

    /// A file is gone.
    pub(crate) fn forget(&mut self, capacity: u64) {
        self.bytes -= capacity;
    }
}

/// Writes a file full of real zeros and makes it durable. Not under any lock: this takes as long
/// as the disk takes for a whole segment.
pub(crate) fn make_zeroed(storage: &dyn Storage, reserved: &Reserved) -> io::Result<Spare> {
    let Reserved { name, capacity } = reserved;
    let write = || {
        let file: Arc<dyn StorageFile> = storage.create(name)?.into();
        let zeros = vec![0; ZERO_STEP];
        let mut at = 0;
        while at < *capacity {
            let step = usize::try_from(*capacity - at).unwrap_or(ZERO_STEP).min(ZERO_STEP);
            file.write_all_at(zeros.get(..step).unwrap_or(&zeros), at)?;
            file.sync_data()?;
            at += step as u64;
        }
        Ok(Spare { name: name.clone(), file, capacity: *capacity })
    };
    write().inspect_err(|_| {
        let _ = storage.remove(name);
    })
}
