//! `meta`: who is this journal, which opening is this, and which positions are taken?
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `TGJM` |
//! | 4 | 4 | version, 2; version 1 is read as well |
//! | 8 | 16 | journal id |
//! | 24 | 8 | epoch: 1 at the first opening, one more at each |
//! | 32 | 8 | floor: positions below it may have been used, whatever the segments say |
//! | 40 | 1 | 0: open, or not closed in order; 1: closed, no frame kept; 2: closed, frames kept |
//! | 41 | 7 | zero |
//! | 48 | 8 | with 2: the position after the last frame |
//! | 56 | 4 | zero |
//! | 60 | 4 | CRC of bytes 0..60 |
//!
//! Version 2 says that frames with a request key may be there: a program that knows only version 1
//! would take them for damage, so it has to refuse the journal by this.
//!
//! The floor is why a position never names two items. With durability `written` a power loss can
//! take back frames whose items a sink already has; their positions, given out again, would make
//! the sink drop new items as repeats. So positions are set aside durably, many at a time, before
//! they are used. With `fsync` the segments themselves are that record.

use tidegate_event::{JournalId, Position};

use super::{Fields, checked, seal};

pub(crate) const NAME: &str = "meta";
pub(crate) const BYTES: u64 = 64;
pub(crate) const VERSION: u32 = 2;
const MAGIC: [u8; 4] = *b"TGJM";

/// The content of `meta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) id: JournalId,
    pub(crate) epoch: u64,
    pub(crate) floor: Position,
    pub(crate) state: State,
}

/// Whether the journal was closed in order, and where its segments ended then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Closed { end: Option<Position> },
}

impl Meta {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.id.as_u128().to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.floor.to_le_bytes());
        let (state, end) = match self.state {
            State::Open => (0, 0),
            State::Closed { end: None } => (1, 0),
            State::Closed { end: Some(end) } => (2, end),
        };
        out.push(state);
        out.resize(48, 0);
        out.extend_from_slice(&end.to_le_bytes());
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
            Some(1..=VERSION) => {}
            Some(other) => return Err(other),
            None => return Ok(None),
        }
        let read = |fields: &mut Fields<'_>| {
            Some(Self {
                id: JournalId::from_u128(fields.u128()?),
                epoch: fields.u64()?,
                floor: fields.position()?,
                state: read_state(fields)?,
            })
        };
        Ok(read(&mut fields))
    }
}

fn read_state(fields: &mut Fields<'_>) -> Option<State> {
    let state = fields.u8()?;
    fields.bytes(7)?;
    let end = fields.position()?;
    match state {
        0 => Some(State::Open),
        1 => Some(State::Closed { end: None }),
        2 => Some(State::Closed { end: Some(end) }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_and_refuses_what_is_broken_or_new() {
        let mut bytes = Vec::new();
        for end in [Some(70), None] {
            let state = State::Closed { end };
            let meta = Meta { id: JournalId::from_u128(5), epoch: 2, floor: 77, state };
            bytes = meta.encode();
            assert_eq!(bytes.len() as u64, BYTES);
            assert_eq!(Meta::decode(&bytes), Ok(Some(meta)));
        }
        assert_eq!(Meta::decode(&bytes[..63]), Ok(None));
        let mut newer = bytes[..60].to_vec();
        newer[4] = 3;
        seal(&mut newer);
        assert_eq!(Meta::decode(&newer), Err(3));
        let mut older = bytes[..60].to_vec();
        older[4] = 1;
        seal(&mut older);
        assert_eq!(Meta::decode(&older), Meta::decode(&bytes));
    }
}
