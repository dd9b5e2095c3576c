//! Which frames does this stretch of a segment hold, and where are its bad spots?
//!
//! Recovery and lanes read through the same walker, in chunks, forwards only. After a bad spot it
//! looks at every place where a frame could begin (multiples of 8) for a header that validates
//! with the segment's salt: a payload cannot fake one, since nobody outside knows the salt.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tidegate_event::Position;

use crate::format::Fields;
use crate::format::frame::{self, ALIGN, HEADER_BYTES, Header, Kind};
use crate::frame::{Frame, FrameGroup};
use crate::keys::RequestKey;
use crate::storage::{StorageFile, read_full};

/// How much is read at a time, unless a frame is larger.
const CHUNK_BYTES: usize = 1 << 20;

/// What the walker came to.
#[derive(Debug)]
pub(crate) enum Step {
    /// An intact frame.
    Frame(Found),
    /// Bytes that are not an intact frame, followed by one that is, or one whose header at least
    /// is intact.
    Bad(BadSpot),
    /// No valid header anywhere from here on.
    End,
}

/// An intact frame.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) at: u64,
    pub(crate) header: Header,
    /// Header, table and payload.
    bytes: Bytes,
}

/// A stretch that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadSpot {
    pub(crate) at: Range<u64>,
    /// The positions lost; may be empty if no item can have been there.
    pub(crate) positions: Range<Position>,
    /// Whether the header was intact and only what follows it is not.
    pub(crate) body_only: bool,
}

/// Walks the frames of one segment.
pub(crate) struct Walker {
    file: Arc<dyn StorageFile>,
    salt: u64,
    at: u64,
    end: u64,
    expected: Option<Position>,
    chunk: Bytes,
    chunk_at: u64,
}

impl Walker {
    /// Reads from `at` up to `end`. Frames below `expected` are not believed; without it the
    /// first header found sets it.
    pub(crate) fn new(
        file: Arc<dyn StorageFile>,
        salt: u64,
        range: Range<u64>,
        expected: Option<Position>,
    ) -> Self {
        let Range { start: at, end } = range;
        Self { file, salt, at, end, expected, chunk: Bytes::new(), chunk_at: at }
    }

    /// Where the next step begins.
    pub(crate) fn offset(&self) -> u64 {
        self.at
    }

    /// The next frame, bad spot, or the end.
    pub(crate) fn step(&mut self) -> io::Result<Step> {
        let Some(header) = self.header_at(self.at)? else { return self.resync() };
        let at = self.at;
        let after = at + header.frame_bytes();
        let size = header.payload_at() + header.payload_bytes as usize;
        let intact = match header.kind {
            Kind::Gap => true,
            Kind::Items | Kind::KeyedItems => {
                let bytes = self.view(at, size)?;
                let body = bytes.get(HEADER_BYTES..size);
                body.is_some_and(|body| crc32fast::hash(body) == header.body_crc)
            }
        };
        let expected = self.expected.replace(header.end).unwrap_or(header.first);
        self.at = after;
        if intact {
            let size = if header.kind == Kind::Gap { HEADER_BYTES } else { size };
            let bytes = self.view(at, size)?;
            return Ok(Step::Frame(Found { at, header, bytes }));
        }
        let positions = expected..header.end;
        Ok(Step::Bad(BadSpot { at: at..after, positions, body_only: true }))
    }

    /// Looks for the next valid header behind a place that has none.
    fn resync(&mut self) -> io::Result<Step> {
        let from = self.at;
        let mut at = from + ALIGN as u64;
        while let Some(candidate) = self.candidate(at)? {
            at = candidate;
            if let Some(header) = self.header_at(at)? {
                // In front of everything, the commit's beginning tells what is missing of it.
                let expected = self.expected.replace(header.first).unwrap_or(header.commit);
                self.at = at;
                let positions = expected..header.first;
                return Ok(Step::Bad(BadSpot { at: from..at, positions, body_only: false }));
            }
            at += ALIGN as u64;
        }
        self.at = self.end;
        Ok(Step::End)
    }

    /// The next place from `at` on where a frame's magic stands.
    fn candidate(&mut self, mut at: u64) -> io::Result<Option<u64>> {
        while at + HEADER_BYTES as u64 <= self.end {
            if self.view(at, HEADER_BYTES)?.len() < HEADER_BYTES {
                break;
            }
            let have = usize::try_from(at.wrapping_sub(self.chunk_at)).unwrap_or(usize::MAX);
            let rest = self.chunk.get(have..).unwrap_or_default();
            let starts = rest.len() - (HEADER_BYTES - 1);
            let found =
                (0..starts).step_by(ALIGN).find(|&n| rest.get(n..).is_some_and(frame::may_begin));
            if let Some(n) = found {
                return Ok(Some(at + n as u64));
            }
            at += starts.next_multiple_of(ALIGN) as u64;
        }
        Ok(None)
    }

    /// The header at `at`, if it validates, fits, and does not go back in positions.
    fn header_at(&mut self, at: u64) -> io::Result<Option<Header>> {
        let fixed = self.view(at, HEADER_BYTES)?;
        let Some((header, crc)) = Header::parse(&fixed) else { return Ok(None) };
        let fits = at + header.frame_bytes() <= self.end;
        let follows = self.expected.is_none_or(|expected| header.first >= expected);
        let valid = fits && follows && frame::header_crc(&fixed, self.salt) == crc;
        Ok(valid.then_some(header))
    }

    /// `size` bytes at `at`; fewer (then nothing validates) at the end of the file.
    fn view(&mut self, at: u64, size: usize) -> io::Result<Bytes> {
        let have = usize::try_from(at.wrapping_sub(self.chunk_at)).unwrap_or(usize::MAX);
        if have.checked_add(size).is_none_or(|until| until > self.chunk.len()) {
            let left = usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX);
            let mut chunk = vec![0; size.max(CHUNK_BYTES).min(left)];
            let read = read_full(self.file.as_ref(), &mut chunk, at)?;
            chunk.truncate(read);
            self.chunk = Bytes::from(chunk);
            self.chunk_at = at;
            return Ok(self.chunk.slice(..size.min(read)));
        }
        Ok(self.chunk.slice(have..have + size))
    }
}

impl Found {
    /// The frame as a place that cannot be used.
    pub(crate) fn as_bad_spot(&self) -> BadSpot {
        let at = self.at..self.at + self.header.frame_bytes();
        BadSpot { at, positions: self.header.first..self.header.end, body_only: true }
    }

    /// The request's key, if it has one.
    pub(crate) fn key(&self) -> Option<RequestKey> {
        let keyed = self.header.kind == Kind::KeyedItems;
        let behind = self.bytes.get(HEADER_BYTES..).filter(|_| keyed)?;
        frame::key(&mut Fields(behind))
    }

    /// The frame as readers get it; `None` if the table contradicts the header, which only a
    /// writer's mistake could cause.
    pub(crate) fn frame(&self, classes: &mut Classes) -> Option<Frame> {
        let header = &self.header;
        let mut table = Fields(self.bytes.get(header.table_at()..header.payload_at())?);
        let mut groups = Vec::with_capacity(usize::from(header.groups));
        let (mut at, mut first) = (header.payload_at(), header.first);
        for _ in 0..header.groups {
            let entry = frame::entry(&mut table)?;
            let until = at + entry.bytes as usize;
            let rows = (until <= self.bytes.len()).then(|| self.bytes.slice(at..until))?;
            let class = classes.get(std::str::from_utf8(entry.class).ok()?);
            groups.push(FrameGroup { class, first, items: entry.items, rows });
            at = until;
            first += u64::from(entry.items);
        }
        (first == header.end).then_some(Frame { first: header.first, end: header.end, groups })
    }
}

/// The class names met, so that a frame from disk needs no new string for each group. Declared
/// classes are few; should there be more than that, the rest are simply not remembered.
#[derive(Debug, Default)]
pub(crate) struct Classes(Vec<Arc<str>>);

const CLASSES_MAX: usize = 256;

impl Classes {
    fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.iter().find(|known| known.as_ref() == name) {
            return Arc::clone(known);
        }
        let class: Arc<str> = Arc::from(name);
        if self.0.len() < CLASSES_MAX {
            self.0.push(Arc::clone(&class));
        }
        class
    }
}
