//! Which decisions are one to a person? Those in a row of one lane that move the same way.
//!
//! A rule that moves by small steps decides a hundred times a second; a list of them hides all others.

use tidegate_server::live::contract::{Decision, Plan};

/// Decisions in a row that are alike.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Folded<'a> {
    /// The newest of them: its reason is told.
    pub(super) last: &'a Decision,
    /// The plan before the oldest.
    pub(super) from: &'a Plan,
    pub(super) count: u64,
}

/// Folds decisions, the newest first; those of other lanes in between do not matter.
pub(super) fn folded<'a>(decisions: impl Iterator<Item = &'a Decision>) -> Vec<Folded<'a>> {
    let mut all: Vec<Folded<'a>> = Vec::new();
    for made in decisions {
        let newer = all.iter_mut().rev().find(|one| one.last.lane == made.lane);
        match newer {
            Some(newer) if is_alike(newer.last, made) => {
                newer.from = &made.from;
                newer.count += 1;
            }
            _ => all.push(Folded { last: made, from: &made.from, count: 1 }),
        }
    }
    all
}

/// The same who, the same way, and the same beginning of the reason.
fn is_alike(one: &Decision, other: &Decision) -> bool {
    let way = |made: &Decision| {
        let size = made.to.batch_size.cmp(&made.from.batch_size);
        (size, made.to.concurrency.partial_cmp(&made.from.concurrency))
    };
    let begins = |made: &Decision| made.reason.split([' ', ':']).next().map(str::to_owned);
    one.by == other.by && way(one) == way(other) && begins(one) == begins(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(lane: &str, from: u32, to: u32, reason: &str) -> Decision {
        let plan = |batch_size| Plan { batch_size, concurrency: 1.0, pace: None, linger_ms: 0.0 };
        Decision {
            id: String::new(),
            lane: lane.into(),
            number: 0,
            at_unix_ms: 0,
            by: "aimd".into(),
            reason: reason.into(),
            from: plan(from),
            to: plan(to),
        }
    }

    #[test]
    fn steps_of_a_lane_the_same_way_are_one() {
        let all = [
            made("a", 120, 130, "raised by 10: 3"),
            made("b", 5, 6, "raised by 1"),
            made("a", 110, 120, "raised by 10: 2"),
            made("a", 100, 110, "raised by 10: 1"),
            made("a", 111, 100, "lowered × 0.9"),
            made("b", 4, 5, "doubled"),
        ];
        let folded = folded(all.iter());
        let told = folded.iter().map(|one| (&*one.last.lane, one.from.batch_size, one.count));
        let told: Vec<_> = told.collect();
        assert_eq!(told, [("a", 100, 3), ("b", 5, 1), ("a", 111, 1), ("b", 4, 1)]);
        assert_eq!(folded[0].last.reason, "raised by 10: 3");
    }
}
