//! What can be mended, and what does that change?
//!
//! An opening passes damage on its way and says so each time; it refuses only a journal of which
//! it cannot tell what it is. A repair makes the damage part of the record, once: a place that
//! cannot be read becomes a gap frame over the positions that are lost, a file that is no segment
//! is set aside, and `meta` is written again from what the segments say. No intact frame is touched,
//! and of a damaged one only the first 48 bytes are.

use std::io;
use std::ops::Range;

use tidegate_event::Position;

use super::AtRest;
use crate::error::OpenError;
use crate::format::frame::{HEADER_BYTES, Header};
use crate::format::meta::{self, Meta, State};
use crate::format::segment::{self, PREFIX_BYTES, SegmentHeader};
use crate::heal::is_unfinished;
use crate::recovery::failed;
use crate::storage::{Storage, read_full, replace};

/// One step of a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// `meta` is written anew: its id and epoch from the segments, and all positions in them taken.
    Meta,
    /// The file is renamed to `*.bad`.
    SetAside {
        /// Its name.
        file: String,
    },
    /// Bytes that cannot be read become a gap frame.
    Gap {
        /// The segment's file.
        file: String,
        /// Which bytes of it.
        bytes: Range<u64>,
        /// The positions that are lost, and passed by every lane from now on.
        positions: Range<Position>,
    },
}

impl AtRest {
    /// What can be mended, in the order in which it would be done.
    #[must_use]
    pub fn repairs(&self) -> Vec<Repair> {
        let mut repairs = Vec::new();
        if self.meta_is_guessed {
            repairs.push(Repair::Meta);
        }
        repairs.extend(self.found.bad.iter().map(|file| Repair::SetAside { file: file.clone() }));
        let last = self.found.scans.len().saturating_sub(1);
        for (at, scan) in self.found.scans.iter().enumerate() {
            // An opening mends the end of the last segment by itself.
            let trailing = scan.trailing.iter().filter(|_| at != last);
            for spot in scan.inside.iter().chain(trailing) {
                let by_opening =
                    at == last && self.meta.state == State::Open && is_unfinished(scan, spot);
                let fits = spot.at.end - spot.at.start >= HEADER_BYTES as u64;
                if !by_opening && fits && !spot.positions.is_empty() {
                    let (file, bytes) = (scan.name.clone(), spot.at.clone());
                    let positions = spot.positions.clone();
                    repairs.push(Repair::Gap { file, bytes, positions });
                }
            }
        }
        repairs
    }

    /// Does all of [`repairs`](Self::repairs), durably, and looks again.
    ///
    /// # Errors
    /// [`OpenError::Io`] if something cannot be written: the steps before it are done then.
    pub fn repair(self) -> Result<Self, OpenError> {
        for repair in self.repairs() {
            self.mend(&repair)?;
        }
        let storage = self.storage.as_ref();
        storage.sync_dir().map_err(failed(storage, "sync the directory"))?;
        Self::of(self.storage)
    }

    fn mend(&self, repair: &Repair) -> Result<(), OpenError> {
        let storage = self.storage.as_ref();
        match repair {
            Repair::Meta => replace(storage, meta::NAME, &self.meta.encode())
                .map_err(failed(storage, "write `meta`")),
            Repair::SetAside { file } => storage
                .rename(file, &file.replace(".seg", ".bad"))
                .map_err(failed(storage, "set a bad segment aside")),
            Repair::Gap { file, bytes, positions } => {
                self.gap(file, bytes, positions).map_err(failed(storage, "write a gap frame"))
            }
        }
    }

    fn gap(&self, file: &str, bytes: &Range<u64>, positions: &Range<Position>) -> io::Result<()> {
        let scan = self.found.scans.iter().find(|scan| scan.name == file);
        let Some(scan) = scan else { return Err(io::ErrorKind::NotFound.into()) };
        let mut gap = Vec::with_capacity(HEADER_BYTES);
        let Range { start, end } = *positions;
        Header::gap(start, end, start, bytes.end - bytes.start).encode(scan.header.salt, &mut gap);
        scan.file.write_all_at(&gap, bytes.start)?;
        scan.file.sync_data()
    }
}

/// What `meta` must have said, from the headers of the segments; `None` if there is no readable one
/// or they are of several journals.
pub(super) fn guess_meta(
    storage: &dyn Storage,
    names: &[String],
) -> Result<Option<Meta>, OpenError> {
    let mut guess: Option<Meta> = None;
    for name in names.iter().filter(|name| segment::sequence_of(name, ".seg").is_some()) {
        let action = format!("read segment `{name}`");
        let file = storage.open(name).map_err(failed(storage, &action))?;
        let mut prefix = vec![0; PREFIX_BYTES];
        read_full(file.as_ref(), &mut prefix, 0).map_err(failed(storage, &action))?;
        let Ok(SegmentHeader { id, epoch, .. }) = SegmentHeader::decode(&prefix) else { continue };
        match &mut guess {
            None => guess = Some(Meta { id, epoch, floor: 0, state: State::Open }),
            Some(meta) if meta.id == id => meta.epoch = meta.epoch.max(epoch),
            Some(_) => return Ok(None),
        }
    }
    Ok(guess)
}
