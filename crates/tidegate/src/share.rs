//! Which lane takes the next slot of a sink? The one that has had least of it for its weight.
//!
//! Lanes of one sink have an engine and a learnt size each, but share what the sink can take at
//! once. Counting batches or items would give a lane of dear batches many times the sink of one of
//! cheap batches, so what is shared is *attempt-seconds*: the time that a slot was held. The rule is
//! start-time fair queueing (Goyal, Vin and Cheng, 1997) over slots: each attempt is charged, by
//! weight, with what an attempt of its lane usually takes, and corrected when it was answered; the
//! waiting lane with the least charge goes first.
//!
//! - *By weight*: lanes that always have something to send hold slots in proportion to their weights,
//!   whatever a batch of theirs costs.
//! - *Work-conserving*: a slot is never kept free while a lane waits.
//! - *Bounded*: a lane that had nothing to send, or was held back by its own plan, is owed at most
//!   one usual attempt for that time; it cannot save up and then shut the others out.
//! - *No starvation*: a waiting lane's charge stands still while those of the others grow.
//!
//! Each shell drives its engine as before, and asks here in between: when [`Engine::poll`] says
//! send, [`Share::ask`]; when it says wait, [`Share::withdraw`]. After an answer comes
//! [`Share::answered`]; then the lane that was answered is driven, so that it is heard before others
//! take its slot, and then whoever [`Share::next`] names, until it names nobody.
//!
//! ```
//! use std::time::Duration;
//! use tidegate::share::Share;
//!
//! let mut share = Share::new(&[3.0, 1.0])?; // the first lane gets three quarters
//! let first = share.ask(0, 1.0).ok_or("the sink is free")?;
//! assert_eq!(share.ask(1, 1.0), None); // one slot, and it is taken
//! share.answered(first, Duration::from_millis(20));
//! assert_eq!(share.next(1.0), Some(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Engine::poll`]: crate::Engine::poll

use std::time::Duration;

use crate::error::{SettingError, within};

/// Most lanes that share a sink.
pub const LANES_MAX: usize = 1024;

/// How much of the last attempt goes into what an attempt usually takes.
const NEWS: f64 = 0.2;

/// The slots of one sink among its lanes.
#[derive(Debug, Clone)]
pub struct Share {
    lanes: Vec<Member>,
    in_flight: u32,
    /// The highest charge at which a slot was given: where a lane that comes back begins.
    turn: f64,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    weight: f64,
    /// Attempt-seconds, by weight, that it was charged with.
    charge: f64,
    /// What an attempt usually takes, in seconds; 0 until the first answer.
    usual: f64,
    waits: bool,
}

/// A slot that a lane holds. It is handed back exactly once.
#[derive(Debug, PartialEq)]
#[must_use = "a slot that is never handed back is lost for ever"]
pub struct Slot {
    lane: usize,
    charged: f64,
}

impl Slot {
    /// Which lane holds it.
    #[must_use]
    pub const fn lane(&self) -> usize {
        self.lane
    }
}

impl Share {
    /// A free sink, shared by lanes of those weights, .01 to 100 each, 1 to [`LANES_MAX`] lanes.
    ///
    /// # Errors
    ///
    /// [`SettingError`] when a weight or the number of lanes is out of its bounds.
    pub fn new(weights: &[f64]) -> Result<Self, SettingError> {
        within("lanes", weights.len(), 1..=LANES_MAX)?;
        for weight in weights {
            within("weight", *weight, 0.01..=100.0)?;
        }
        let member =
            |weight: &f64| Member { weight: *weight, charge: 0.0, usual: 0.0, waits: false };
        Ok(Self { lanes: weights.iter().map(member).collect(), in_flight: 0, turn: 0.0 })
    }

    /// A lane has a batch to send; `slots` attempts may be in flight at the sink, at least one.
    ///
    /// From now on it is taken to have more to send, until it withdraws. `None`: not now;
    /// [`Self::next`] names it when its turn has come. An unknown lane is never given a slot.
    pub fn ask(&mut self, lane: usize, slots: f64) -> Option<Slot> {
        let turn = self.turn;
        let member = self.lanes.get_mut(lane)?;
        if !std::mem::replace(&mut member.waits, true) {
            let owed = member.usual / member.weight;
            member.charge = member.charge.max(turn - owed);
        }
        if self.next(slots) != Some(lane) {
            return None;
        }
        let member = self.lanes.get_mut(lane)?;
        self.turn = self.turn.max(member.charge);
        let charged = member.usual;
        member.charge += charged / member.weight;
        self.in_flight += 1;
        Some(Slot { lane, charged })
    }

    /// The lane has nothing to send now.
    pub fn withdraw(&mut self, lane: usize) {
        if let Some(member) = self.lanes.get_mut(lane) {
            member.waits = false;
        }
    }

    /// The attempt that held the slot was answered, or given up, after that time.
    #[expect(clippy::needless_pass_by_value, reason = "a slot is handed back once: it is consumed")]
    pub fn answered(&mut self, slot: Slot, took: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Some(member) = self.lanes.get_mut(slot.lane) else { return };
        let took = took.as_secs_f64();
        member.charge += (took - slot.charged) / member.weight;
        let news = if member.usual > 0.0 { NEWS } else { 1.0 };
        member.usual += news * (took - member.usual);
    }

    /// The waiting lane whose turn it is, if one of `slots` is free: of equal charges, the first.
    #[must_use]
    pub fn next(&self, slots: f64) -> Option<usize> {
        if f64::from(self.in_flight) + 1.0 > slots.max(1.0) {
            return None;
        }
        let waiting = self.lanes.iter().enumerate().filter(|(_, member)| member.waits);
        let first = waiting.min_by(|(_, a), (_, b)| a.charge.total_cmp(&b.charge));
        first.map(|(lane, _)| lane)
    }

    /// Attempts in flight at the sink.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Whether the lane waits for a slot.
    #[must_use]
    pub fn is_waiting(&self, lane: usize) -> bool {
        self.lanes.get(lane).is_some_and(|member| member.waits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A lane of attempts that take that long, and from when until when it has something to send.
    #[derive(Debug, Clone)]
    struct Load {
        weight: f64,
        ms: u64,
        from: u64,
        until: u64,
    }

    fn always(weight: f64, ms: u64) -> Load {
        Load { weight, ms, from: 0, until: u64::MAX }
    }

    /// What came of it: milliseconds in slots of each lane, the longest wait of each, and how often
    /// a slot was free although a lane waited.
    struct Outcome {
        held: Vec<u64>,
        waited: Vec<u64>,
        idle: u64,
    }

    /// Runs the lanes for that many milliseconds, one millisecond at a time.
    fn play(loads: &[Load], slots: u32, ms: u64) -> Outcome {
        let weights: Vec<f64> = loads.iter().map(|load| load.weight).collect();
        let mut share = Share::new(&weights).unwrap();
        let mut flying: Vec<(u64, u64, Slot)> = Vec::new();
        let mut outcome =
            Outcome { held: vec![0; loads.len()], waited: vec![0; loads.len()], idle: 0 };
        let mut since = vec![None; loads.len()];
        for now in 0..ms {
            let (done, left): (Vec<_>, Vec<_>) =
                flying.into_iter().partition(|(end, _, _)| *end <= now);
            flying = left;
            for (end, began, slot) in done {
                share.answered(slot, Duration::from_millis(end - began));
            }
            let has_work = |load: &Load| (load.from..load.until).contains(&now);
            let mut turns: Vec<usize> = (0..loads.len()).collect();
            while let Some(lane) = turns.pop().or_else(|| share.next(slots.into())) {
                let load = &loads[lane];
                if !has_work(load) {
                    share.withdraw(lane);
                    since[lane] = None;
                    continue;
                }
                while let Some(slot) = share.ask(lane, slots.into()) {
                    flying.push((now + load.ms, now, slot));
                    outcome.held[lane] += load.ms.min(ms - now);
                    let began = since[lane].take().unwrap_or(now);
                    outcome.waited[lane] = outcome.waited[lane].max(now - began);
                }
                since[lane].get_or_insert(now);
            }
            let waits = (0..loads.len()).any(|lane| share.is_waiting(lane));
            outcome.idle += u64::from(waits && share.in_flight() < slots);
            assert!(share.in_flight() <= slots);
        }
        outcome
    }

    fn lanes() -> impl Strategy<Value = Vec<Load>> {
        proptest::collection::vec((0.5..8.0_f64, 1..120_u64), 2..6)
            .prop_map(|lanes| lanes.into_iter().map(|(weight, ms)| always(weight, ms)).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Invariant: lanes that always have something to send hold slots in proportion to their
        /// weights, whatever their attempts take, and no slot is free meanwhile.
        #[test]
        fn shares_converge_to_the_weights(loads in lanes(), slots in 1..5_u32) {
            let ms = 60_000;
            let outcome = play(&loads, slots, ms);
            let total: f64 = loads.iter().map(|load| load.weight).sum();
            for (load, held) in loads.iter().zip(&outcome.held) {
                let fair = load.weight / total * f64::from(slots) * 60_000.0;
                #[expect(clippy::cast_precision_loss, reason = "a minute")]
                let off = (*held as f64 - fair).abs();
                // A lane is never ahead or behind by more than a few of the longest attempts.
                prop_assert!(off < 6.0 * 120.0 * f64::from(slots), "{held} {fair} {loads:?}");
            }
            prop_assert_eq!(outcome.idle, 0);
        }

        /// Invariant: a waiting lane waits no longer than its share of the longest attempts asks for.
        #[test]
        fn nobody_starves(loads in lanes(), slots in 1..5_u32) {
            let outcome = play(&loads, slots, 20_000);
            let total: f64 = loads.iter().map(|load| load.weight).sum();
            let longest = loads.iter().map(|load| load.ms).max().unwrap_or(1);
            for (load, waited) in loads.iter().zip(&outcome.waited) {
                #[expect(clippy::cast_precision_loss, reason = "a few seconds")]
                let (waited, longest) = (*waited as f64, longest as f64);
                let bound = longest * 4.0 * (1.0 + total / load.weight);
                prop_assert!(waited <= bound, "{waited} > {bound} of {load:?} in {loads:?}");
            }
        }
    }

    #[test]
    fn an_idle_lanes_share_goes_to_the_others_and_is_not_saved_up() {
        let late = Load { from: 10_000, ..always(1.0, 5) };
        let outcome = play(&[always(1.0, 5), late.clone()], 2, 10_000);
        assert_eq!((outcome.held[1], outcome.idle), (0, 0));
        assert_eq!(outcome.held[0], 20_000);
        // After it came, both hold the same: it was not owed the ten seconds before.
        let outcome = play(&[always(1.0, 5), late], 2, 20_000);
        let after = outcome.held[0] - 20_000;
        assert!(after.abs_diff(outcome.held[1]) < 60, "{after} {}", outcome.held[1]);
    }

    #[test]
    fn dear_and_cheap_batches_hold_the_same_time_and_not_the_same_number() {
        let outcome = play(&[always(1.0, 2), always(1.0, 200)], 4, 60_000);
        let ratio = outcome.held[0] * 100 / outcome.held[1];
        assert!((97..=103).contains(&ratio), "{:?}", outcome.held);
    }

    #[test]
    fn odd_weights_and_unknown_lanes_are_refused() {
        let error = Share::new(&[1.0, f64::NAN]).unwrap_err();
        assert_eq!(error.to_string(), "weight is NaN, but must be between 0.01 and 100");
        assert!(Share::new(&[]).is_err());
        let mut share = Share::new(&[1.0]).unwrap();
        assert_eq!(share.ask(1, 4.0), None);
        // Less than a slot is a slot; the engine is who makes it rest.
        assert!(share.ask(0, 0.2).is_some() && share.ask(0, f64::NAN).is_none());
    }
}
