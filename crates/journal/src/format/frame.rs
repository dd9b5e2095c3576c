//! A frame: one accepted request, or a gap between positions.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 3 | magic `TGF` |
//! | 3 | 1 | version: 1, or 2 for kind 2 |
//! | 4 | 1 | kind: 0 items, 1 gap, 2 items with a request key |
//! | 5 | 1 | zero |
//! | 6 | 2 | number of groups, *g* (gap: 0) |
//! | 8 | 4 | bytes of the request key, if any, and the group table: *t* (gap: 0) |
//! | 12 | 4 | bytes of the payload, *p* |
//! | 16 | 8 | position of the first item |
//! | 24 | 8 | position after the last item |
//! | 32 | 8 | position at which this frame's commit began |
//! | 40 | 4 | CRC of everything behind the header but the padding (gap: not checked) |
//! | 44 | 4 | CRC of bytes 0..44 and the segment's salt |
//! | 48 | *t* | kind 2: request key: digest (16), body digest (8), time in milliseconds since 1970 (8); then the group table: *g* times items (4), bytes (4), class length (1), class |
//! | 48+*t* | *p* | the groups' rows, one after the other |
//! | | 0–7 | zeros up to a multiple of 8 |
//!
//! There are two CRCs so that the one over the group table and the payload — nearly all of the
//! bytes — can be computed by the producer's thread instead of the one writer's, and so that
//! looking for a header in megabytes of anything costs 48 bytes a try, whatever stands there.
//! Positions and the commit's beginning make a frame self-describing: after a bad spot the next
//! valid header says which positions are missing, and whether they were in its own commit, which
//! may never have been acknowledged.

use tidegate_event::Position;

use super::Fields;
use crate::keys::RequestKey;

/// Size of the fixed part, and the least number of zero bytes behind a commit.
pub(crate) const HEADER_BYTES: usize = 48;
/// Frames begin at multiples of this.
pub(crate) const ALIGN: usize = 8;
/// The largest group table entry: 4 + 4 + 1 + 255.
const ENTRY_BYTES_MAX: usize = 264;
/// What every frame begins with, before its version.
const MAGIC: [u8; 3] = *b"TGF";
/// The version of frames without a request key, and of those with one.
const PLAIN: u8 = 1;
const KEYED: u8 = 2;
/// The size of a request key.
pub(crate) const KEY_BYTES: usize = 32;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Items,
    Gap,
    /// Items of a request with a key, which stands before the group table.
    KeyedItems,
}

impl Kind {
    /// Bytes between the header and the group table.
    pub(crate) fn key_bytes(self) -> usize {
        if self == Self::KeyedItems { KEY_BYTES } else { 0 }
    }
}

/// Whether a frame of a known version may begin with these bytes.
pub(crate) fn may_begin(bytes: &[u8]) -> bool {
    bytes.strip_prefix(&MAGIC).is_some_and(|rest| matches!(rest.first(), Some(&(PLAIN | KEYED))))
}

/// The fixed part of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) groups: u16,
    pub(crate) table_bytes: u32,
    pub(crate) payload_bytes: u32,
    pub(crate) first: Position,
    pub(crate) end: Position,
    pub(crate) commit: Position,
    pub(crate) body_crc: u32,
}

/// One entry of the group table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) items: u32,
    pub(crate) bytes: u32,
    pub(crate) class: &'a [u8],
}

/// The size of a frame, padding included.
pub(crate) fn frame_bytes(table_bytes: usize, payload_bytes: usize) -> u64 {
    (HEADER_BYTES + table_bytes + payload_bytes).next_multiple_of(ALIGN) as u64
}

impl Header {
    /// A gap over positions `first..end` that fills exactly `bytes` (a multiple of 8, at least a
    /// header).
    pub(crate) fn gap(first: Position, end: Position, commit: Position, bytes: u64) -> Self {
        let payload_bytes =
            u32::try_from(bytes.saturating_sub(HEADER_BYTES as u64)).unwrap_or(u32::MAX);
        let (kind, groups, table_bytes, body_crc) = (Kind::Gap, 0, 0, 0);
        Self { kind, groups, table_bytes, payload_bytes, first, end, commit, body_crc }
    }

    /// Reads the fixed part, and the CRC it claims. `None` unless it is plausible in itself.
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Self, u32)> {
        let mut fields = Fields(bytes);
        if fields.bytes(3)? != MAGIC {
            return None;
        }
        let kind = match (fields.u8()?, fields.u8()?) {
            (PLAIN, 0) => Kind::Items,
            (PLAIN, 1) => Kind::Gap,
            (KEYED, 2) => Kind::KeyedItems,
            _ => return None,
        };
        if fields.u8()? != 0 {
            return None;
        }
        let header = Self {
            kind,
            groups: fields.u16()?,
            table_bytes: fields.u32()?,
            payload_bytes: fields.u32()?,
            first: fields.position()?,
            end: fields.position()?,
            commit: fields.position()?,
            body_crc: fields.u32()?,
        };
        let table_min = header.kind.key_bytes();
        let table_max = table_min + header.groups as usize * ENTRY_BYTES_MAX;
        let plausible = (table_min..=table_max).contains(&(header.table_bytes as usize))
            && header.first < header.end
            && header.commit <= header.first;
        Some((header, fields.u32()?)).filter(|_| plausible)
    }

    /// The size of the whole frame, padding included.
    pub(crate) fn frame_bytes(&self) -> u64 {
        frame_bytes(self.table_bytes as usize, self.payload_bytes as usize)
    }

    /// Where the group table begins in the frame.
    pub(crate) fn table_at(&self) -> usize {
        HEADER_BYTES + self.kind.key_bytes()
    }

    /// Where the payload begins in the frame.
    pub(crate) fn payload_at(&self) -> usize {
        HEADER_BYTES + self.table_bytes as usize
    }

    /// Appends the fixed part, with its CRC.
    pub(crate) fn encode(&self, salt: u64, out: &mut Vec<u8>) {
        let at = out.len();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&match self.kind {
            Kind::Items => [PLAIN, 0],
            Kind::Gap => [PLAIN, 1],
            Kind::KeyedItems => [KEYED, 2],
        });
        out.push(0);
        out.extend_from_slice(&self.groups.to_le_bytes());
        out.extend_from_slice(&self.table_bytes.to_le_bytes());
        out.extend_from_slice(&self.payload_bytes.to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.end.to_le_bytes());
        out.extend_from_slice(&self.commit.to_le_bytes());
        out.extend_from_slice(&self.body_crc.to_le_bytes());
        let crc = header_crc(out.get(at..).unwrap_or_default(), salt);
        out.extend_from_slice(&crc.to_le_bytes());
    }
}

/// The CRC over the first 44 bytes of a header.
pub(crate) fn header_crc(header: &[u8], salt: u64) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(header.get(..HEADER_BYTES - 4).unwrap_or_default());
    crc.update(&salt.to_le_bytes());
    crc.finalize()
}

/// Appends one entry; `class` has at most 255 bytes.
pub(crate) fn put_entry(out: &mut Vec<u8>, items: u32, bytes: u32, class: &str) {
    out.extend_from_slice(&items.to_le_bytes());
    out.extend_from_slice(&bytes.to_le_bytes());
    out.push(u8::try_from(class.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(class.as_bytes());
}

/// Appends a request key.
pub(crate) fn put_key(out: &mut Vec<u8>, key: RequestKey) {
    out.extend_from_slice(&key.digest.to_le_bytes());
    out.extend_from_slice(&key.body.to_le_bytes());
    out.extend_from_slice(&key.at.to_le_bytes());
}

/// Reads a request key.
pub(crate) fn key(fields: &mut Fields<'_>) -> Option<RequestKey> {
    Some(RequestKey { digest: fields.u128()?, body: fields.u64()?, at: fields.u64()? })
}

/// Reads the next entry of a table.
pub(crate) fn entry<'a>(fields: &mut Fields<'a>) -> Option<Entry<'a>> {
    let (items, bytes, length) = (fields.u32()?, fields.u32()?, fields.u8()?);
    Some(Entry { items, bytes, class: fields.bytes(length as usize)? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Invariant: what is encoded is read back, and any changed bit, or another salt, is seen.
        #[test]
        fn a_header_round_trips_and_guards_itself(
            first in 0u64..1 << 60, items in 1u32..1 << 30, payload_bytes in any::<u32>(),
            body_crc in any::<u32>(), salt in any::<u64>(), class in "[a-z]{0,40}",
            bit in 0usize..48 * 8, keyed: bool,
        ) {
            let kind = if keyed { Kind::KeyedItems } else { Kind::Items };
            let header = Header {
                kind, groups: 1, table_bytes: (kind.key_bytes() + 9 + class.len()) as u32,
                payload_bytes, first, end: first + u64::from(items), commit: first / 2, body_crc,
            };
            let mut bytes = Vec::new();
            header.encode(salt, &mut bytes);
            let of = RequestKey { digest: salt.into(), body: first, at: salt ^ first };
            if keyed {
                put_key(&mut bytes, of);
            }
            put_entry(&mut bytes, items, 7, &class);
            let (read, crc) = Header::parse(&bytes).unwrap();
            prop_assert_eq!(&read, &header);
            prop_assert_eq!(crc, header_crc(&bytes, salt));
            prop_assert_ne!(crc, header_crc(&bytes, salt ^ 1));
            let mut table = Fields(&bytes[HEADER_BYTES..]);
            if keyed {
                prop_assert_eq!(key(&mut table), Some(of));
            }
            let expected = Entry { items, bytes: 7, class: class.as_bytes() };
            prop_assert_eq!(entry(&mut table), Some(expected));
            bytes[bit / 8] ^= 1 << (bit % 8);
            let survives = Header::parse(&bytes).is_some_and(|(_, crc)| crc == header_crc(&bytes, salt));
            prop_assert!(!survives);
        }

        /// Invariant: no bytes whatever make the parser panic.
        #[test]
        fn garbage_is_refused_quietly(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Header::parse(&bytes);
            let _ = entry(&mut Fields(&bytes));
        }
    }
}
