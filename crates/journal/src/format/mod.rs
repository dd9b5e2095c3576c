//! What is on the disk, byte by byte?
//!
//! A journal is a flat directory. All integers are little-endian; every CRC is CRC-32 (IEEE).
//!
//! | file | content |
//! |---|---|
//! | `meta` | the journal's id, epoch and position floor: [`meta`] |
//! | `cursors` | what each lane has delivered: [`cursors`] |
//! | `notes` | which batches are on their way to sinks without a record: [`notes`] |
//! | `keys` | the keys of requests whose segments are gone: [`keys`] |
//! | `<sequence>.seg` | a segment, `<sequence>` in 16 hexadecimal digits: [`segment`], [`frame`] |
//! | `<number>.spare` | a segment file waiting to be used again; its content means nothing |
//! | `<sequence>.bad` | a segment whose header could not be read, set aside |
//! | `*.tmp` | the unfinished new content of another file; removed at opening |
//! | `lock` | empty; an advisory lock on it keeps a second process out |
//!
//! # Invariants
//! 1. Frames follow each other without space in between, and across segments in the order of the
//!    sequence numbers. The first position of a frame is the end of the one before. A `gap` frame
//!    takes positions that will never have items.
//! 2. Only the last segment that has frames is written to, only behind its last frame, and a
//!    segment gets frames only when everything in the segments before it is durable (as far as
//!    the durability asks for it).
//! 3. After the last frame of a *commit* (the frames written and synced together) come at least 48
//!    zero bytes, or the end of the segment.
//! 4. A frame's header CRC includes its segment's salt. A segment file is used again only with a
//!    new sequence number and a new salt, so frames of its former life never validate.
//! 5. `meta` is durable before a position at or above its floor is used with durability
//!    `written`, and before an opening returns.
//!
//! # Versions
//! `meta`, `cursors`, `notes`, `keys` and segments carry a version number each, frames a version byte. A reader
//! refuses a higher version by name and changes nothing. New frame kinds need a new version byte,
//! and a new version of `meta`, by which a program that does not know them refuses the journal.

pub(crate) mod cursors;
pub(crate) mod frame;
pub(crate) mod keys;
pub(crate) mod meta;
pub(crate) mod notes;
pub(crate) mod segment;

use tidegate_event::Position;

/// Reads integers from the front of a slice, never past its end.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(front)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*front)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    pub(crate) fn position(&mut self) -> Option<Position> {
        self.u64()
    }
}

/// The content before the last four bytes, if those are its CRC.
pub(crate) fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (content, crc) = bytes.split_last_chunk::<4>()?;
    (crc32fast::hash(content) == u32::from_le_bytes(*crc)).then_some(content)
}

/// Appends the CRC of everything in `bytes`.
pub(crate) fn seal(bytes: &mut Vec<u8>) {
    let crc = crc32fast::hash(bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
}
