//! What goes in and what comes out: the groups of one accepted request.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tidegate_event::Position;

use crate::error::AppendError;
use crate::format::frame::{self, Header, Kind};
use crate::keys::RequestKey;

/// The items of one class in one request, as the sinks want them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The declared class, or "" for none; at most 255 bytes.
    pub class: Arc<str>,
    /// How many items `rows` holds; at least 1.
    pub items: u32,
    /// Opaque to the journal. It is kept without a copy, so a slice keeps its whole buffer alive.
    pub rows: Bytes,
}

/// One accepted request, or those of its groups that a lane asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Position of the request's first item.
    pub first: Position,
    /// Position after the request's last item.
    pub end: Position,
    /// Its groups, in the order of their positions.
    pub groups: Vec<FrameGroup>,
}

/// One group of a [`Frame`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameGroup {
    /// The declared class, or "" for none.
    pub class: Arc<str>,
    /// Position of its first item; the others follow without a gap.
    pub first: Position,
    /// How many items it has.
    pub items: u32,
    /// What was appended.
    pub rows: Bytes,
}

impl FrameGroup {
    /// The positions of its items.
    #[must_use]
    pub fn positions(&self) -> Range<Position> {
        self.first..self.first + u64::from(self.items)
    }
}

impl Frame {
    /// What the frame counts for in memory: its rows and the bookkeeping around them.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.groups.iter().map(|group| group.rows.len() + 64).sum::<usize>() + 64
    }
}

/// A request that is ready to be written, but for its positions.
pub(crate) struct Sealed {
    /// Positions count from 0 until [`Sealed::place`].
    frame: Frame,
    kind: Kind,
    /// The request key, if any, and the group table.
    table: Vec<u8>,
    payload_bytes: usize,
    body_crc: u32,
}

impl Sealed {
    /// Checks the groups and computes the CRC over all they hold, on the producer's thread.
    pub(crate) fn new(
        groups: Vec<Group>,
        key: Option<RequestKey>,
        bytes_max: u64,
    ) -> Result<Self, AppendError> {
        if groups.is_empty() || groups.len() > usize::from(u16::MAX) {
            return Err(AppendError::Invalid { reason: "it must have 1 to 65,535 groups" });
        }
        let (mut table, mut payload_bytes, mut end) = (Vec::new(), 0, 0u64);
        let kind = key.map_or(Kind::Items, |key| {
            frame::put_key(&mut table, key);
            Kind::KeyedItems
        });
        let mut placed = Vec::with_capacity(groups.len());
        for Group { class, items, rows } in groups {
            if items == 0 {
                return Err(AppendError::Invalid { reason: "a group must have an item" });
            }
            if class.len() > 255 {
                return Err(AppendError::Invalid { reason: "a class has at most 255 bytes" });
            }
            let bytes = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            frame::put_entry(&mut table, items, bytes, &class);
            payload_bytes += rows.len();
            placed.push(FrameGroup { class, first: end, items, rows });
            end += u64::from(items);
        }
        let bytes = frame::frame_bytes(table.len(), payload_bytes);
        if bytes > bytes_max {
            return Err(AppendError::TooLarge { bytes, max: bytes_max });
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(&table);
        placed.iter().for_each(|group| crc.update(&group.rows));
        let frame = Frame { first: 0, end, groups: placed };
        Ok(Self { frame, kind, table, payload_bytes, body_crc: crc.finalize() })
    }

    /// How many items it has.
    pub(crate) fn items(&self) -> u64 {
        self.frame.end - self.frame.first
    }

    /// The position of its first item.
    pub(crate) fn first(&self) -> Position {
        self.frame.first
    }

    /// Its size on disk.
    pub(crate) fn frame_bytes(&self) -> u64 {
        frame::frame_bytes(self.table.len(), self.payload_bytes)
    }

    /// Its size in memory.
    pub(crate) fn weight(&self) -> usize {
        self.frame.weight()
    }

    /// Appends the frame's bytes, once it has its place.
    pub(crate) fn encode(&self, commit: Position, salt: u64, out: &mut Vec<u8>) {
        let header = Header {
            kind: self.kind,
            groups: u16::try_from(self.frame.groups.len()).unwrap_or(u16::MAX),
            table_bytes: u32::try_from(self.table.len()).unwrap_or(u32::MAX),
            payload_bytes: u32::try_from(self.payload_bytes).unwrap_or(u32::MAX),
            first: self.frame.first,
            end: self.frame.end,
            commit,
            body_crc: self.body_crc,
        };
        let at = out.len();
        header.encode(salt, out);
        out.extend_from_slice(&self.table);
        for group in &self.frame.groups {
            out.extend_from_slice(&group.rows);
        }
        out.resize(at + (out.len() - at).next_multiple_of(frame::ALIGN), 0);
    }

    /// Gives the request its positions, beginning with `first`.
    pub(crate) fn place(&mut self, first: Position) {
        let shift = |position: Position, from: Position| position - from + first;
        let from = self.frame.first;
        for group in &mut self.frame.groups {
            group.first = shift(group.first, from);
        }
        self.frame.end = shift(self.frame.end, from);
        self.frame.first = first;
    }

    /// The frame as readers get it.
    pub(crate) fn into_frame(self) -> Frame {
        self.frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(class: &str, items: u32, rows: &'static [u8]) -> Group {
        Group { class: class.into(), items, rows: Bytes::from_static(rows) }
    }

    #[test]
    fn what_cannot_be_stored_is_refused_by_name() {
        let refused = |groups| Sealed::new(groups, None, 4096).err().unwrap();
        assert!(matches!(refused(vec![]), AppendError::Invalid { .. }));
        assert!(matches!(refused(vec![group("a", 0, b"x")]), AppendError::Invalid { .. }));
        let long = "c".repeat(256);
        assert!(matches!(refused(vec![group(&long, 1, b"x")]), AppendError::Invalid { .. }));
        let large = vec![group("", 1, &[0; 5000])];
        assert!(matches!(refused(large), AppendError::TooLarge { bytes: 5064, max: 4096 }));
    }

    #[test]
    fn groups_take_positions_one_after_the_other() {
        let groups = vec![group("a", 2, b"xy"), group("", 3, b"abc")];
        let mut sealed = Sealed::new(groups, None, 4096).unwrap();
        sealed.place(40);
        sealed.place(10);
        let mut bytes = Vec::new();
        sealed.encode(10, 1, &mut bytes);
        assert_eq!(bytes.len() as u64, sealed.frame_bytes());
        let frame = sealed.into_frame();
        assert_eq!((frame.first, frame.end), (10, 15));
        assert_eq!(frame.groups[1].positions(), 12..15);
    }
}
