//! `cursors`: what has each lane delivered?
//!
//! | bytes | field |
//! |---|---|
//! | 4 | magic `TGJC` |
//! | 4 | version, 1 |
//! | 16 | journal id |
//! | 4 | number of lanes |
//! | … | for each lane: name length (2), name, low-water mark (8), number of ranges above it (4), and for each its first position (8) and the position after its last (8) |
//! | 4 | CRC of everything before |
//!
//! The file is a hint: it may be older than the truth, which is the sink's own record. A lane that
//! starts from an old cursor is given items again and skips them by that record. So it is written
//! behind the deliveries, and a lost or broken one costs work, never an item.

use std::collections::BTreeMap;

use tidegate_event::JournalId;

use super::{Fields, checked, seal};
use crate::cursor::Cursor;
use crate::ranges::RangeSet;

pub(crate) const NAME: &str = "cursors";
/// Far more than any sane number of lanes and ranges needs.
pub(crate) const BYTES_MAX: u64 = 64 << 20;
const VERSION: u32 = 1;
const MAGIC: [u8; 4] = *b"TGJC";

/// The cursors by lane name.
pub(crate) type Cursors = BTreeMap<String, Cursor>;

pub(crate) fn encode(id: JournalId, cursors: &Cursors) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&id.as_u128().to_le_bytes());
    out.extend_from_slice(&count(cursors.len()).to_le_bytes());
    for (name, cursor) in cursors {
        out.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&cursor.low().to_le_bytes());
        out.extend_from_slice(&count(cursor.above().ranges()).to_le_bytes());
        for range in cursor.above().iter() {
            out.extend_from_slice(&range.start.to_le_bytes());
            out.extend_from_slice(&range.end.to_le_bytes());
        }
    }
    seal(&mut out);
    out
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// `None` if the content is broken, of another version, or of another journal.
pub(crate) fn decode(bytes: &[u8], id: JournalId) -> Option<Cursors> {
    let mut fields = Fields(checked(bytes)?);
    let ours =
        fields.bytes(4)? == MAGIC && fields.u32()? == VERSION && fields.u128()? == id.as_u128();
    let lanes = fields.u32().filter(|_| ours)?;
    let mut cursors = Cursors::new();
    for _ in 0..lanes {
        let length = fields.u16()?;
        let name = std::str::from_utf8(fields.bytes(length as usize)?).ok()?;
        let low = fields.position()?;
        let mut above = RangeSet::new();
        for _ in 0..fields.u32()? {
            above.insert(fields.position()?..fields.position()?);
        }
        cursors.insert(name.to_owned(), Cursor::restore(low, above));
    }
    fields.0.is_empty().then_some(cursors)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Invariant: cursors read back as they were written; one changed byte is noticed.
        #[test]
        fn cursors_round_trip(
            lanes in prop::collection::btree_map("[a-z/]{1,12}", (0u64..50, prop::collection::vec((0u64..90, 1u64..5), 0..6)), 0..5),
            at in any::<prop::sample::Index>(), flip in 1u8..,
        ) {
            let id = JournalId::from_u128(42);
            let cursors: Cursors = lanes
                .into_iter()
                .map(|(name, (low, above))| {
                    let above = above.into_iter().map(|(first, n)| first..first + n).collect();
                    (name, Cursor::restore(low, above))
                })
                .collect();
            let mut bytes = encode(id, &cursors);
            prop_assert_eq!(decode(&bytes, id), Some(cursors));
            prop_assert_eq!(decode(&bytes, JournalId::from_u128(43)), None);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert_eq!(decode(&bytes, id), None);
        }
    }
}
