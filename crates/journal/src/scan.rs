//! What does one segment hold, read from its first frame to its last byte?
//!
//! Everything is checked, payloads too: the time that takes is bounded by the backlog, which will
//! have to be read anyway. Whether what cannot be read at the end is a torn tail or damage is not
//! decided here; that depends on whether frames follow in later segments.

use std::io;
use std::sync::Arc;

use tidegate_event::Position;

use crate::format::frame::{HEADER_BYTES, Header, Kind};
use crate::format::segment::{FRAMES_AT, SegmentHeader};
use crate::keys::window::Window;
use crate::segments::Index;
use crate::storage::{StorageFile, read_full};
use crate::walk::{BadSpot, Step, Walker};

/// One segment, read in full.
pub(crate) struct Scan {
    pub(crate) header: SegmentHeader,
    pub(crate) name: String,
    pub(crate) file: Arc<dyn StorageFile>,
    /// Whether there are zeros where the first frame should be.
    pub(crate) blank: bool,
    pub(crate) frames: u64,
    pub(crate) items: u64,
    /// First position of the first frame, and the position after the last frame.
    pub(crate) positions: Option<(Position, Position)>,
    /// The offset after the last intact frame.
    pub(crate) end: u64,
    /// Where the last commit begins: its offset and position.
    pub(crate) last_commit: (u64, Position),
    pub(crate) index: Index,
    /// Bad spots that an intact frame follows.
    pub(crate) inside: Vec<BadSpot>,
    /// Bad spots behind the last intact frame.
    pub(crate) trailing: Vec<BadSpot>,
}

impl Scan {
    /// Reads a segment whose first frame must not be below `expected`. Its request keys go to
    /// `keys`.
    pub(crate) fn read(
        header: SegmentHeader,
        name: String,
        file: Arc<dyn StorageFile>,
        expected: Option<Position>,
        keys: &mut Window,
    ) -> io::Result<Self> {
        let until = header.capacity.min(file.len()?);
        let mut guard = [0; HEADER_BYTES];
        read_full(file.as_ref(), &mut guard, FRAMES_AT)?;
        let mut scan = Self {
            header,
            name,
            file: Arc::clone(&file),
            blank: guard == [0; HEADER_BYTES],
            frames: 0,
            items: 0,
            positions: None,
            end: FRAMES_AT,
            last_commit: (FRAMES_AT, 0),
            index: Index::default(),
            inside: Vec::new(),
            trailing: Vec::new(),
        };
        let mut next = expected;
        let mut walker = Walker::new(file, header.salt, FRAMES_AT..until, expected);
        loop {
            match walker.step()? {
                Step::End => return Ok(scan),
                Step::Bad(spot) => {
                    next = Some(spot.positions.end);
                    scan.trailing.push(spot);
                }
                Step::Frame(found) => {
                    let expected = next.unwrap_or(found.header.first);
                    let known = scan.trailing.last().is_some_and(|spot| spot.at.end == found.at);
                    if found.header.first > expected && !known {
                        let positions = expected..found.header.first;
                        let at = found.at..found.at;
                        scan.trailing.push(BadSpot { at, positions, body_only: false });
                    }
                    next = Some(found.header.end);
                    if let Some(key) = found.key() {
                        keys.restore(key, found.header.first..found.header.end);
                    }
                    scan.accept(&found.header, found.at, walker.offset());
                }
            }
        }
    }

    fn accept(&mut self, header: &Header, at: u64, after: u64) {
        self.inside.append(&mut self.trailing);
        if self.frames == 0 || header.commit != self.last_commit.1 {
            self.last_commit = (at, header.commit);
        }
        if header.kind != Kind::Gap {
            self.items += header.end - header.first;
        }
        self.frames += 1;
        self.index.note(header.first, at);
        let first = self.positions.map_or(header.first, |(first, _)| first);
        self.positions = Some((first, header.end));
        self.end = after;
    }

    /// The position after everything whose header could be read, intact or not.
    pub(crate) fn seen_end(&self) -> Position {
        let trailing = self.trailing.iter().map(|spot| spot.positions.end).max();
        trailing.unwrap_or(0).max(self.positions.map_or(0, |(_, end)| end))
    }
}
