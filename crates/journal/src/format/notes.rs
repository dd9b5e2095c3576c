//! `notes`: which batches were on their way, and what has become of them?
//!
//! | bytes | field |
//! |---|---|
//! | 4 | magic `TGJN` |
//! | 4 | version, 1 |
//! | 16 | journal id |
//! | 4 | CRC of the three fields before |
//! | … | blocks, each written by one call |
//! | … | zeros up to the end of the file |
//!
//! A block is the length of its records (4), their CRC (4), and the records:
//!
//! | kind | record |
//! |---|---|
//! | 1 lane | kind (1), number (2), length of the name (2), name: what the number means from here on |
//! | 2 begun | kind (1), lane number (2), first position (8), position after the last (8) |
//! | 3 done | as begun |
//!
//! *Begun* opens a batch and takes the place of every open one that it overlaps: a batch is cut
//! anew only after a definite refusal. *Done* closes every open batch that it overlaps, and its
//! positions are delivered. A batch that is open at the end was in doubt when the journal stopped.
//!
//! # Invariants
//! 1. The first block says all that is still of use from before: every lane, what it has
//!    delivered, its open batches. So a file that is full is replaced by a new one, whole.
//! 2. A file is made full of real zeros, and no byte of it is written twice: a block never covers
//!    an older one, and the first length that is 0 or does not hold is the end.
//! 3. With durability `fsync` a *begun* is durable before its batch is attempted. A *done* is only
//!    written: if the power takes it, the batch is repeated, as it was.
//! 4. After a failed write or sync nothing more is written to that file; a new one is made.

use std::collections::BTreeMap;
use std::ops::Range;

use tidegate_event::{JournalId, Position};

use super::{Fields, checked, seal};
use crate::notes::open::OpenBatches;
use crate::ranges::RangeSet;

pub(crate) const NAME: &str = "notes";
pub(crate) const VERSION: u32 = 1;
/// Far more than the notes of all lanes can have.
pub(crate) const BYTES_MAX: u64 = 64 << 20;
const MAGIC: [u8; 4] = *b"TGJN";
const HEAD_BYTES: usize = 4 + 4 + 16 + 4;
const LANE: u8 = 1;
const BEGUN: u8 = 2;
const DONE: u8 = 3;

/// What the notes say of one lane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LaneNoted {
    pub(crate) open: OpenBatches,
    pub(crate) delivered: RangeSet,
}

/// What the notes say, by the lane's name.
pub(crate) type Noted = BTreeMap<String, LaneNoted>;

/// What every file begins with.
pub(crate) fn head(id: JournalId) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD_BYTES);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&id.as_u128().to_le_bytes());
    seal(&mut out);
    out
}

/// Records that wait to be written as one block.
#[derive(Debug, Default)]
pub(crate) struct Block(Vec<u8>);

impl Block {
    pub(crate) fn lane(&mut self, number: u16, name: &str) {
        self.0.push(LANE);
        self.0.extend_from_slice(&number.to_le_bytes());
        self.0.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
        self.0.extend_from_slice(name.as_bytes());
    }

    pub(crate) fn begun(&mut self, lane: u16, batch: &Range<Position>) {
        self.record(BEGUN, lane, batch);
    }

    pub(crate) fn done(&mut self, lane: u16, range: &Range<Position>) {
        self.record(DONE, lane, range);
    }

    fn record(&mut self, kind: u8, lane: u16, range: &Range<Position>) {
        self.0.push(kind);
        self.0.extend_from_slice(&lane.to_le_bytes());
        self.0.extend_from_slice(&range.start.to_le_bytes());
        self.0.extend_from_slice(&range.end.to_le_bytes());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes its records have.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Appends the block as it stands in the file.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&u32::try_from(self.0.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&crc32fast::hash(&self.0).to_le_bytes());
        out.extend_from_slice(&self.0);
    }
}

/// Reads the file up to its first block that does not hold. `Err` is the version of a later
/// program; a file that is broken or of another journal says nothing.
pub(crate) fn decode(bytes: &[u8], id: JournalId) -> Result<Noted, u32> {
    let Some((head, blocks)) = bytes.split_at_checked(HEAD_BYTES) else { return Ok(Noted::new()) };
    match read_head(head, id) {
        Some(VERSION) => {}
        Some(later) if later > VERSION => return Err(later),
        _ => return Ok(Noted::new()),
    }
    let (mut noted, mut names) = (Noted::new(), BTreeMap::new());
    let mut rest = Fields(blocks);
    while let Some(records) = next_block(&mut rest) {
        if apply(records, &mut names, &mut noted).is_none() {
            break;
        }
    }
    Ok(noted)
}

/// The version, if the head is whole and of this journal.
fn read_head(head: &[u8], id: JournalId) -> Option<u32> {
    let mut fields = Fields(checked(head)?);
    let is_ours = fields.bytes(4)? == MAGIC;
    let version = fields.u32()?;
    (is_ours && fields.u128()? == id.as_u128()).then_some(version)
}

fn next_block<'a>(rest: &mut Fields<'a>) -> Option<&'a [u8]> {
    let length = rest.u32().filter(|length| *length > 0)?;
    let crc = rest.u32()?;
    let records = rest.bytes(usize::try_from(length).ok()?)?;
    (crc32fast::hash(records) == crc).then_some(records)
}

fn apply(records: &[u8], names: &mut BTreeMap<u16, String>, noted: &mut Noted) -> Option<()> {
    let mut fields = Fields(records);
    while let Some(kind) = fields.u8() {
        let number = fields.u16()?;
        if kind == LANE {
            let length = fields.u16()?;
            let name = std::str::from_utf8(fields.bytes(length.into())?).ok()?;
            names.insert(number, name.to_owned());
            continue;
        }
        let range = fields.position()?..fields.position()?;
        let lane = noted.entry(names.get(&number)?.clone()).or_default();
        match kind {
            BEGUN => drop(lane.open.begin(range)),
            DONE => {
                lane.open.close(&range);
                lane.delivered.insert(range);
            }
            _ => return None,
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Record {
        Begun(u16, Range<u64>),
        Done(u16, Range<u64>),
    }

    fn records() -> impl Strategy<Value = Vec<Vec<Record>>> {
        let range = (0u64..80, 1u64..20).prop_map(|(at, n)| at..at + n);
        let record = (any::<bool>(), 0u16..3, range).prop_map(|(begun, lane, range)| match begun {
            true => Record::Begun(lane, range),
            false => Record::Done(lane, range),
        });
        prop::collection::vec(prop::collection::vec(record, 1..5), 0..8)
    }

    /// The file, where each block ends in it, and what it says up to there.
    fn written(blocks: &[Vec<Record>], id: JournalId) -> (Vec<u8>, Vec<(usize, Noted)>) {
        let (mut file, mut noted) = (head(id), Noted::new());
        let mut ends = vec![(file.len(), noted.clone())];
        for (at, records) in blocks.iter().enumerate() {
            let mut block = Block::default();
            if at == 0 {
                (0..3).for_each(|number| block.lane(number, &format!("lane {number}")));
            }
            for record in records {
                let (Record::Begun(number, range) | Record::Done(number, range)) = record;
                let lane = noted.entry(format!("lane {number}")).or_default();
                if matches!(record, Record::Begun(..)) {
                    block.begun(*number, range);
                    lane.open.begin(range.clone());
                } else {
                    block.done(*number, range);
                    lane.open.close(range);
                    lane.delivered.insert(range.clone());
                }
            }
            block.encode(&mut file);
            ends.push((file.len(), noted.clone()));
        }
        (file, ends)
    }

    proptest! {
        /// Invariant: notes read back as they were written; cut off or damaged anywhere, they read
        /// back as they were at the end of some block before that.
        #[test]
        fn notes_read_back_up_to_the_damage(
            blocks in records(), zeros in 0usize..40,
            cut in any::<prop::sample::Index>(), flip in 0u8..,
        ) {
            let id = JournalId::from_u128(42);
            let (file, ends) = written(&blocks, id);
            let mut whole = file.clone();
            whole.resize(file.len() + zeros, 0);
            prop_assert_eq!(&decode(&whole, id).unwrap(), &ends.last().unwrap().1);
            prop_assert_eq!(decode(&whole, JournalId::from_u128(43)).unwrap(), Noted::new());
            let at = cut.index(file.len());
            if flip == 0 {
                whole.truncate(at);
            } else {
                whole[at] ^= flip;
            }
            let before = ends.iter().rfind(|(end, _)| *end <= at);
            let expected = before.map(|(_, noted)| noted.clone()).unwrap_or_default();
            prop_assert_eq!(decode(&whole, id).unwrap(), expected);
        }
    }

    #[test]
    fn a_later_version_is_named() {
        let id = JournalId::from_u128(1);
        let mut file = MAGIC.to_vec();
        file.extend_from_slice(&7u32.to_le_bytes());
        file.extend_from_slice(&id.as_u128().to_le_bytes());
        seal(&mut file);
        assert_eq!(decode(&file, id), Err(7));
    }
}
