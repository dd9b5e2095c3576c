//! How does a reader that has fallen behind catch up?
//!
//! From disk, forwards, about a mebibyte at a time, up to the last durable frame; then it is back
//! in memory's reach. However large the backlog, a reader holds no more than that. What cannot be
//! read is skipped, remembered, and counts as passed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidegate_event::Position;

use crate::error::ReadError;
use crate::format::frame::Kind;
use crate::frame::Frame;
use crate::report::{Cause, Missing};
use crate::segments::{Hint, Place};
use crate::shared::{Shared, lock};
use crate::walk::{BadSpot, Classes, Step, Walker};

/// How much one step reads, unless a frame is larger.
const STEP_BYTES: usize = 1 << 20;

/// One step towards the present.
#[derive(Debug, Default)]
pub(crate) struct Behind {
    pub(crate) frames: Vec<Arc<Frame>>,
    /// Where to read on: there is nothing between the last frame and this.
    pub(crate) place: Position,
    pub(crate) hint: Option<Hint>,
    bytes: usize,
}

/// Reads the frames from `place` on. Blocks on the disk.
pub(crate) fn read_behind(
    shared: &Shared,
    place: Position,
    mut hint: Option<Hint>,
    classes: &mut Classes,
) -> Result<Behind, ReadError> {
    shared.counters.disk_reads.fetch_add(1, Ordering::Relaxed);
    let mut behind = Behind { place, ..Behind::default() };
    while behind.bytes < STEP_BYTES {
        // In this order: everything durable now is in the segments when they are looked at.
        let durable = shared.durable();
        let located = lock(&shared.segments).locate(behind.place, hint.take());
        let Some(at) = located else {
            // No frame ends above the place, so what is durable above it are gaps.
            behind.place = behind.place.max(durable);
            break;
        };
        behind.read_segment(shared, &at, classes).map_err(|error| ReadError::Io {
            segment: at.sequence,
            detail: error.to_string().into(),
        })?;
    }
    Ok(behind)
}

impl Behind {
    fn read_segment(
        &mut self,
        shared: &Shared,
        at: &Place,
        classes: &mut Classes,
    ) -> std::io::Result<()> {
        let file = Arc::clone(&at.file);
        let mut walker = Walker::new(file, at.salt, at.offsets.clone(), Some(at.expected));
        // Damage without positions hits only what was passed before, or nobody can tell: then no
        // frame follows it, and what the segment should have had is missing.
        let mut untold: Option<BadSpot> = None;
        while self.bytes < STEP_BYTES {
            match walker.step()? {
                Step::End => {
                    let missing = self.place..at.next;
                    if let Some(spot) = untold.filter(|_| !missing.is_empty()) {
                        note(shared, at, &BadSpot { positions: missing, ..spot });
                    }
                    self.place = self.place.max(at.next);
                    return Ok(());
                }
                Step::Bad(spot) if spot.positions.is_empty() => untold = Some(spot),
                Step::Bad(spot) => {
                    note(shared, at, &spot);
                    self.place = self.place.max(spot.positions.end);
                }
                Step::Frame(found) => {
                    untold = None;
                    let end = found.header.end;
                    if end > self.place && found.header.kind != Kind::Gap {
                        match found.frame(classes) {
                            Some(frame) => {
                                self.bytes += frame.weight();
                                self.frames.push(Arc::new(frame));
                            }
                            None => note(shared, at, &found.as_bad_spot()),
                        }
                    }
                    self.place = self.place.max(end);
                }
            }
            let (sequence, offset, position) = (at.sequence, walker.offset(), self.place);
            self.hint = Some(Hint { sequence, offset, position });
        }
        Ok(())
    }
}

/// Remembers damage — unless the segment was freed and is being used again: then every lane has
/// passed it, and what was read has no meaning.
fn note(shared: &Shared, at: &Place, spot: &BadSpot) {
    if lock(&shared.segments).is_live(at.sequence) {
        let cause = if spot.body_only { Cause::Body } else { Cause::Unreadable };
        let (positions, segment, offset) = (spot.positions.clone(), at.sequence, spot.at.start);
        shared.note_missing(Missing { positions, segment, offset, cause });
    }
}
