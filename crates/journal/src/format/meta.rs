//! `meta`: who is this journal, which opening is this, and which positions are taken?
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `TGJM` |
//! | 4 | 4 | version, 1 |
//! | 8 | 16 | journal id |
//! | 24 | 8 | epoch: 1 at the first opening, one more at each |
//! | 32 | 8 | floor: positions below it may have been used, whatever the segments say |
//! | 40 | 1 | 1 if the journal was closed in order, so that the floor is exactly its end |
//! | 41 | 19 | zero |
//! | 60 | 4 | CRC of bytes 0..60 |
//!
//! The floor is why a position never names two items. With durability `written` a power loss can
//! take back frames whose items a sink already has; their positions, given out again, would make
//! the sink drop new items as repeats. So positions are set aside durably, many at a time, before
//! they are used. With `fsync` the segments themselves are that record.

use tidegate_event::{JournalId, Position};

use super::{Fields, checked, seal};

pub(crate) const NAME: &str = "meta";
pub(crate) const BYTES: u64 = 64;
pub(crate) const VERSION: u32 = 1;
const MAGIC: [u8; 4] = *b"TGJM";

/// The content of `meta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) id: JournalId,
    pub(crate) epoch: u64,
    pub(crate) floor: Position,
    pub(crate) closed: bool,
}

impl Meta {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.id.as_u128().to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.floor.to_le_bytes());
        out.push(u8::from(self.closed));
        out.resize(60, 0);
        seal(&mut out);
        out
    }

    /// `Err(version)` if it is intact but of a version not known here; `Ok(None)` if not intact.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<Self>, u32> {
        let Some(mut fields) = checked(bytes).map(Fields) else { return Ok(None) };
        if fields.bytes(4) != Some(MAGIC.as_slice()) {
            return Ok(None);
        }
        match fields.u32() {
            Some(VERSION) => {}
            Some(other) => return Err(other),
            None => return Ok(None),
        }
        let read = |fields: &mut Fields<'_>| {
            Some(Self {
                id: JournalId::from_u128(fields.u128()?),
                epoch: fields.u64()?,
                floor: fields.position()?,
                closed: fields.u8()? == 1,
            })
        };
        Ok(read(&mut fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_and_refuses_what_is_broken_or_new() {
        let meta = Meta { id: JournalId::from_u128(5), epoch: 2, floor: 77, closed: true };
        let bytes = meta.encode();
        assert_eq!(bytes.len() as u64, BYTES);
        assert_eq!(Meta::decode(&bytes), Ok(Some(meta)));
        assert_eq!(Meta::decode(&bytes[..63]), Ok(None));
        let mut newer = bytes[..60].to_vec();
        newer[4] = 2;
        seal(&mut newer);
        assert_eq!(Meta::decode(&newer), Err(2));
    }
}
