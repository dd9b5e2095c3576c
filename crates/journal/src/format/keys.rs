//! `keys`: which keys had the requests in segments that are gone?
//!
//! | bytes | field |
//! |---|---|
//! | 4 | magic `TGJK` |
//! | 4 | version, 1 |
//! | 16 | journal id |
//! | 4 | number of keys |
//! | … | for each: digest (16), body digest (8), time in milliseconds since 1970 (8), its first position (8) and the position after its last (8), in the order of positions |
//! | 4 | CRC of everything before |
//!
//! It is replaced, durably, before a segment is freed, and holds every remembered key below the
//! position up to which segments may be. Those requests are delivered, so the file never knows a
//! request that a power loss could take back, also with durability `written`. Without keys there
//! is no file; a broken one costs the memory of those keys, and is reported.

use tidegate_event::JournalId;

use super::{Fields, checked, seal};
use crate::keys::RequestKey;
use crate::keys::window::Kept;

pub(crate) const NAME: &str = "keys";
pub(crate) const VERSION: u32 = 1;
/// The most keys that a window may be set to.
pub(crate) const KEYS_MAX: usize = 10_000_000;
const HEADER_BYTES: usize = 28;
const ENTRY_BYTES: usize = 48;
pub(crate) const BYTES_MAX: u64 = (HEADER_BYTES + ENTRY_BYTES * KEYS_MAX + 4) as u64;
const MAGIC: [u8; 4] = *b"TGJK";

pub(crate) fn encode(id: JournalId, keys: &[Kept]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES + keys.len() * ENTRY_BYTES + 4);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&id.as_u128().to_le_bytes());
    out.extend_from_slice(&u32::try_from(keys.len()).unwrap_or(u32::MAX).to_le_bytes());
    for Kept { key: RequestKey { digest, body, at }, positions } in keys {
        out.extend_from_slice(&digest.to_le_bytes());
        out.extend_from_slice(&body.to_le_bytes());
        out.extend_from_slice(&at.to_le_bytes());
        out.extend_from_slice(&positions.start.to_le_bytes());
        out.extend_from_slice(&positions.end.to_le_bytes());
    }
    seal(&mut out);
    out
}

/// `Err(version)` if it is intact but of a version not known here; `Ok(None)` if it is broken or
/// of another journal.
pub(crate) fn decode(bytes: &[u8], id: JournalId) -> Result<Option<Vec<Kept>>, u32> {
    let Some(mut fields) = checked(bytes).map(Fields) else { return Ok(None) };
    if fields.bytes(4) != Some(MAGIC.as_slice()) {
        return Ok(None);
    }
    match fields.u32() {
        Some(VERSION) => {}
        Some(other) => return Err(other),
        None => return Ok(None),
    }
    let ours = fields.u128() == Some(id.as_u128());
    let Some(count) = fields.u32().filter(|_| ours) else { return Ok(None) };
    let read = |fields: &mut Fields<'_>| {
        let key = RequestKey { digest: fields.u128()?, body: fields.u64()?, at: fields.u64()? };
        Some(Kept { key, positions: fields.position()?..fields.position()? })
    };
    let keys = (0..count).map(|_| read(&mut fields)).collect::<Option<Vec<Kept>>>();
    Ok(keys.filter(|_| fields.0.is_empty()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Invariant: keys read back as they were written; one changed byte is noticed.
        #[test]
        fn keys_round_trip(
            keys in prop::collection::vec((any::<u128>(), any::<u64>(), any::<u64>(), 0u64..9, 1u64..9), 0..5),
            at in any::<prop::sample::Index>(), flip in 1u8..,
        ) {
            let id = JournalId::from_u128(42);
            let kept = |(digest, body, at, first, items)| {
                Kept { key: RequestKey { digest, body, at }, positions: first..first + items }
            };
            let keys: Vec<Kept> = keys.into_iter().map(kept).collect();
            let mut bytes = encode(id, &keys);
            prop_assert_eq!(decode(&bytes, id), Ok(Some(keys)));
            prop_assert_eq!(decode(&bytes, JournalId::from_u128(43)), Ok(None));
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert_eq!(decode(&bytes, id), Ok(None));
        }
    }

    #[test]
    fn a_newer_version_is_refused_by_name() {
        let mut bytes = encode(JournalId::from_u128(1), &[]);
        bytes.truncate(bytes.len() - 4);
        bytes[4] = 2;
        seal(&mut bytes);
        assert_eq!(decode(&bytes, JournalId::from_u128(1)), Err(2));
    }
}
