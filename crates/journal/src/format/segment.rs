//! A segment: a block with its header, then frames.
//!
//! The first 4,096 bytes hold the header twice, at 0 and at 2,048, so that one bad sector does not
//! make a whole segment unreadable by losing its salt. The rest of the block is zero. Frames begin
//! at 4,096; the 4,096 bytes there are zero in a segment that has no frame yet.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `TGJS` |
//! | 4 | 4 | version, 1 |
//! | 8 | 16 | journal id |
//! | 24 | 8 | epoch in which the segment was made |
//! | 32 | 8 | sequence number, the same as in its name |
//! | 40 | 8 | salt, drawn at random for each use of the file |
//! | 48 | 8 | capacity: frames end at or before this offset |
//! | 56 | 4 | zero |
//! | 60 | 4 | CRC of bytes 0..60 |
//!
//! The header names no position on purpose: it is written, synced and named ahead of need, when
//! nobody knows yet where the segment before it will end. The first frame tells.

use tidegate_event::JournalId;

use super::{Fields, checked, seal};

/// Where frames begin.
pub(crate) const FRAMES_AT: u64 = 4096;
/// What is written to make a file a segment: the header block, and zeros where frames begin.
pub(crate) const PREFIX_BYTES: usize = 8192;
/// The highest version this program reads, and the one it writes.
pub(crate) const VERSION: u32 = 1;
const MAGIC: [u8; 4] = *b"TGJS";
const HEADER_BYTES: usize = 64;
const COPY_AT: usize = 2048;

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) id: JournalId,
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
    pub(crate) salt: u64,
    pub(crate) capacity: u64,
}

/// Why a header could not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unusable {
    Corrupt,
    Version(u32),
}

impl SegmentHeader {
    /// The first [`PREFIX_BYTES`] of the file.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut header = Vec::with_capacity(PREFIX_BYTES);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&self.id.as_u128().to_le_bytes());
        header.extend_from_slice(&self.epoch.to_le_bytes());
        header.extend_from_slice(&self.sequence.to_le_bytes());
        header.extend_from_slice(&self.salt.to_le_bytes());
        header.extend_from_slice(&self.capacity.to_le_bytes());
        header.extend_from_slice(&[0; 4]);
        seal(&mut header);
        let copy = header.clone();
        header.resize(COPY_AT, 0);
        header.extend_from_slice(&copy);
        header.resize(PREFIX_BYTES, 0);
        header
    }

    /// Reads whichever copy is intact.
    pub(crate) fn decode(prefix: &[u8]) -> Result<Self, Unusable> {
        let read_copy = |at: usize| {
            let bytes = prefix.get(at..at + HEADER_BYTES).ok_or(Unusable::Corrupt)?;
            decode_copy(checked(bytes).ok_or(Unusable::Corrupt)?)
        };
        read_copy(0).or_else(|first| read_copy(COPY_AT).map_err(|_| first))
    }
}

fn decode_copy(content: &[u8]) -> Result<SegmentHeader, Unusable> {
    let mut fields = Fields(content);
    let version = match (fields.bytes(4), fields.u32()) {
        (Some(magic), Some(version)) if magic == MAGIC => version,
        _ => return Err(Unusable::Corrupt),
    };
    if version != VERSION {
        return Err(Unusable::Version(version));
    }
    let read = |fields: &mut Fields<'_>| {
        Some(SegmentHeader {
            id: JournalId::from_u128(fields.u128()?),
            epoch: fields.u64()?,
            sequence: fields.u64()?,
            salt: fields.u64()?,
            capacity: fields.u64()?,
        })
    };
    read(&mut fields).ok_or(Unusable::Corrupt)
}

/// The name of the segment with this sequence number.
pub(crate) fn name(sequence: u64) -> String {
    format!("{sequence:016x}.seg")
}

/// The sequence number in a segment's name (or in one with another ending).
pub(crate) fn sequence_of(name: &str, ending: &str) -> Option<u64> {
    let digits = name.strip_suffix(ending)?;
    (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SegmentHeader = SegmentHeader {
        id: JournalId::from_u128(7),
        epoch: 3,
        sequence: 9,
        salt: 0xfeed,
        capacity: 1 << 20,
    };

    #[test]
    fn either_copy_is_enough() {
        let mut bytes = HEADER.encode();
        assert_eq!(bytes.len(), PREFIX_BYTES);
        assert_eq!(SegmentHeader::decode(&bytes), Ok(HEADER));
        bytes[20] ^= 1;
        assert_eq!(SegmentHeader::decode(&bytes), Ok(HEADER));
        bytes[COPY_AT + 20] ^= 1;
        assert_eq!(SegmentHeader::decode(&bytes), Err(Unusable::Corrupt));
        assert_eq!(SegmentHeader::decode(&[]), Err(Unusable::Corrupt));
    }

    #[test]
    fn names_read_back_and_order_by_sequence() {
        assert_eq!(sequence_of(&name(0xabc), ".seg"), Some(0xabc));
        assert_eq!(sequence_of("abc.seg", ".seg"), None);
        assert!(name(9) < name(10));
    }
}
