//! Which batch is a repeat of which? The one with the same `Idempotency-Key`.
//!
//! A key is `journal-start-end-digest`: the range, for people, and the first 64 bits of a SHA-256,
//! in hexadecimal, over the sink's name, the lane's name and the positions of the items. So the
//! same items sent again by the same sink have the same key, also after a restart and however the
//! rows were read, and a part of them, or the same range with items missing (a partial answer
//! leaves those that failed), has another.

use ring::digest::{Context, SHA256};
use tidegate_event::JournalId;

use crate::contract::Batch;

/// The header that carries the key.
pub const HEADER: &str = "idempotency-key";

/// The key of a batch that the sink of this name sends.
#[must_use]
pub fn of(journal: JournalId, sink: &str, batch: &Batch) -> String {
    let mut digest = Context::new(&SHA256);
    for name in [sink, &batch.lane] {
        // Lengths first: no two pairs of names run together into the same bytes.
        digest.update(&(name.len() as u64).to_be_bytes());
        digest.update(name.as_bytes());
    }
    let mut run = None;
    for slice in &batch.slices {
        let end = slice.first + u64::from(slice.rows.len());
        run = match run {
            // How the rows were read does not count: what touches is one run.
            Some((first, reached)) if reached == slice.first => Some((first, end)),
            ended => {
                positions(&mut digest, ended);
                Some((slice.first, end))
            }
        };
    }
    positions(&mut digest, run);
    let digest = digest.finish();
    let mut first = [0; 8];
    first.copy_from_slice(&digest.as_ref()[..8]);
    let digest = u64::from_be_bytes(first);
    format!("{journal}-{}-{}-{digest:016x}", batch.range.start, batch.range.end)
}

fn positions(digest: &mut Context, run: Option<(u64, u64)>) {
    for position in run.into_iter().filter(|(first, end)| first < end).flat_map(|(a, b)| [a, b]) {
        digest.update(&position.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Slice;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use tidegate_event::{Event, Rows, rows};

    const JOURNAL: JournalId = JournalId::from_u128(0xdecade);

    fn slice(first: u64, count: u32) -> Slice {
        let mut bytes = Vec::new();
        for _ in 0..count {
            rows::encode(&Event::default(), &mut bytes).unwrap();
        }
        Slice { first, rows: Rows::new(bytes.into(), count) }
    }

    fn key(lane: &str, slices: &[(u64, u32)]) -> String {
        let slices = slices.iter().map(|(first, count)| slice(*first, *count)).collect();
        of(JOURNAL, "api", &Batch { lane: lane.into(), range: 0..100, slices })
    }

    #[test]
    fn a_key_names_the_range_and_stays_what_it_is() {
        // A backend keeps keys across our versions: this one must never change.
        assert_eq!(
            key("default", &[(0, 10)]),
            "00000000000000000000000000decade-0-100-ae14de737e79d5f5"
        );
    }

    proptest! {
        /// Invariant: two batches have one key if and only if they hold the same positions of the
        /// same lane, however these are sliced.
        #[test]
        fn a_key_is_of_the_positions(
            one in proptest::collection::vec((0..5u64, 0..5u32), 0..5),
            other in proptest::collection::vec((0..5u64, 0..5u32), 0..5),
            lanes in proptest::array::uniform2("[ab]{1,2}"),
        ) {
            let placed = |gaps: &[(u64, u32)]| {
                let mut next = 0;
                gaps.iter().map(|(gap, count)| {
                    let first = next + gap;
                    next = first + u64::from(*count);
                    (first, *count)
                }).collect::<Vec<_>>()
            };
            let positions = |slices: &[(u64, u32)]| -> BTreeSet<u64> {
                slices.iter().flat_map(|(first, count)| *first..first + u64::from(*count)).collect()
            };
            let (one, other) = (placed(&one), placed(&other));
            let same = positions(&one) == positions(&other) && lanes[0] == lanes[1];
            prop_assert_eq!(key(&lanes[0], &one) == key(&lanes[1], &other), same);
            // And item by item.
            let single: Vec<_> = positions(&one).into_iter().map(|at| (at, 1)).collect();
            prop_assert_eq!(key("a", &one), key("a", &single));
        }
    }

    #[test]
    fn a_sink_and_a_range_have_keys_of_their_own() {
        let batch = |range| Batch { lane: "default".into(), range, slices: vec![slice(0, 5)] };
        assert_ne!(of(JOURNAL, "api", &batch(0..10)), of(JOURNAL, "other", &batch(0..10)));
        assert_ne!(of(JOURNAL, "api", &batch(0..10)), of(JOURNAL, "api", &batch(0..11)));
    }
}
