//! What waits to be sent? Counts with the moment at which they arrived.
//!
//! The patterns are the simulator's own, so that a case here and a scenario there mean the same.
//! A saturated source always has more than a batch; its items arrive when they are taken, so that
//! only the latency of attempts says anything. A source may be slow and then saturated.

use std::collections::VecDeque;

use anyhow::{Context as _, bail, ensure};
use tidegate::Moment;
use tidegate::engine::{Cut, Queue};
use tidegate_sim::arrivals::{Process, TICK};
use tidegate_sim::scenario::Arrivals;

use crate::rows::ITEM_BYTES;

/// Items that a saturated source shows: more than any batch.
const PLENTY: u64 = 10_000_000;

/// When does what arrive?
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Source {
    /// The pattern, as in the simulator.
    pub arrivals: Arrivals,
    /// From when on there is always more than can be taken, in seconds; 0 is from the beginning.
    pub saturated_from_s: Option<f64>,
}

impl Source {
    /// Always more than can be taken.
    pub(crate) const SATURATED: Self =
        Self { arrivals: Arrivals::Saturated, saturated_from_s: Some(0.0) };

    /// Whether items wait because they arrived, at any time: then delivery latency means something.
    pub(crate) fn is_saturated(&self) -> bool {
        self.saturated_from_s == Some(0.0)
    }
}

/// `saturated`, `constant:RATE`, `sine:MEAN,AMPLITUDE,PERIOD_S`, `spikes:BASE,PEAK,EVERY_S,FOR_S`,
/// `ramp:FROM,TO,OVER_S`, `burst:LOW,HIGH,HOLD_S` or `then-saturated:RATE,FROM_S`.
impl std::str::FromStr for Source {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (name, numbers) = text.split_once(':').unwrap_or((text, ""));
        let numbers: Vec<f64> = numbers
            .split(',')
            .filter(|number| !number.is_empty())
            .map(|number| {
                number
                    .trim()
                    .parse()
                    .with_context(|| format!("{number:?} in {text:?} is no number"))
            })
            .collect::<anyhow::Result<_>>()?;
        let sound = numbers.iter().all(|number| (0.0..=1e9).contains(number));
        ensure!(sound, "{text:?}: every number must be between 0 and 1e9");
        let arrivals = match (name, numbers.as_slice()) {
            ("saturated", []) => return Ok(Self::SATURATED),
            ("then-saturated", [rate, from_s]) => {
                let arrivals = Arrivals::Constant { rate: *rate };
                return Ok(Self { arrivals, saturated_from_s: Some(*from_s) });
            }
            ("constant", [rate]) => Arrivals::Constant { rate: *rate },
            ("sine", [mean, amplitude, period_s]) => {
                ensure!(*period_s >= 0.01, "{text:?}: the period must be at least .01 s");
                Arrivals::Sine { mean: *mean, amplitude: *amplitude, period_s: *period_s }
            }
            ("spikes", [base, peak, every_s, for_s]) => {
                ensure!(*every_s >= 0.01, "{text:?}: spikes must be at least .01 s apart");
                let (base, peak, every_s, for_s) = (*base, *peak, *every_s, *for_s);
                Arrivals::Spikes { base, peak, every_s, for_s, first_s: 0.0 }
            }
            ("ramp", [from, to, over_s]) => {
                ensure!(*over_s >= 0.01, "{text:?}: a ramp must take at least .01 s");
                Arrivals::Ramp { from: *from, to: *to, over_s: *over_s }
            }
            ("burst", [low, high, hold_s]) => {
                ensure!(*hold_s >= 0.01, "{text:?}: a rate must be held for at least .01 s");
                Arrivals::Burst { low: *low, high: *high, hold_s: *hold_s }
            }
            _ => bail!(
                "{text:?} is no source: saturated, constant:RATE, sine:MEAN,AMPLITUDE,PERIOD_S, \
                 spikes:BASE,PEAK,EVERY_S,FOR_S, ramp:FROM,TO,OVER_S, burst:LOW,HIGH,HOLD_S or \
                 then-saturated:RATE,FROM_S"
            ),
        };
        Ok(Self { arrivals, saturated_from_s: None })
    }
}

/// Items that arrived together: when, and how many.
pub(crate) type Chunk = (Moment, u64);

/// The queue of one lane.
#[derive(Debug)]
pub(crate) struct Waiting {
    process: Option<Process>,
    /// Up to when arrivals are counted.
    counted: Moment,
    saturated_from: Option<Moment>,
    chunks: VecDeque<Chunk>,
    items: u64,
}

impl Waiting {
    /// The empty queue of that source; `seed` decides when exactly items come.
    pub(crate) fn new(source: &Source, seed: u64) -> Self {
        let from = source.saturated_from_s;
        let saturated_from =
            from.map(|from_s| Moment::ZERO + std::time::Duration::from_secs_f64(from_s));
        Self {
            process: Process::new(source.arrivals, 1.0, seed),
            counted: Moment::ZERO,
            saturated_from,
            chunks: VecDeque::new(),
            items: 0,
        }
    }

    /// Counts what arrived up to `now`.
    pub(crate) fn arrive(&mut self, now: Moment) {
        let Some(process) = &mut self.process else { return };
        while self.counted + TICK <= now {
            self.counted += TICK;
            let items = process.tick(self.counted);
            if items > 0 {
                self.chunks.push_back((self.counted, items));
                self.items += items;
            }
        }
        if self.is_saturated(now) {
            self.process = None;
        }
    }

    /// When something may arrive next, if the queue has to be looked at for it.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.process.as_ref().map(|_| self.counted + TICK)
    }

    fn is_saturated(&self, now: Moment) -> bool {
        self.saturated_from.is_some_and(|from| from <= now)
    }

    /// What the engine sees.
    pub(crate) fn seen(&self, now: Moment) -> Queue {
        let more = if self.is_saturated(now) { PLENTY } else { 0 };
        let items = self.items + more;
        let first = self.chunks.front().map(|(at, _)| *at);
        Queue { items, bytes: items * ITEM_BYTES, oldest: first.or((items > 0).then_some(now)) }
    }

    /// Takes what the engine wants off the head.
    pub(crate) fn cut(&mut self, now: Moment, cut: Cut) -> Vec<Chunk> {
        let fit = (cut.bytes_max / ITEM_BYTES).max(1);
        let mut room = u64::from(cut.items_max).min(fit);
        let mut batch = Vec::new();
        while room > 0 {
            let Some((at, items)) = self.chunks.front_mut() else { break };
            let taken = room.min(*items);
            batch.push((*at, taken));
            *items -= taken;
            room -= taken;
            self.items -= taken;
            if *items == 0 {
                self.chunks.pop_front();
            }
        }
        if room > 0 && self.is_saturated(now) {
            batch.push((now, room));
        }
        batch
    }

    /// Puts a batch that was not delivered back to the head.
    pub(crate) fn put_back(&mut self, batch: &[Chunk]) {
        for chunk in batch.iter().rev() {
            self.chunks.push_front(*chunk);
            self.items += chunk.1;
        }
    }

    /// Items that arrived and wait.
    pub(crate) const fn items(&self) -> u64 {
        self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidegate::FlushReason;

    fn at(ms: u64) -> Moment {
        Moment::ZERO + TICK * u32::try_from(ms).unwrap()
    }

    fn cut(items_max: u32) -> Cut {
        Cut { items_max, bytes_max: 1 << 30, reason: FlushReason::Size }
    }

    #[test]
    fn patterns_are_read_and_refused_with_what_is_wrong() {
        let (base, peak, every_s, for_s, first_s) = (1e3, 5e3, 10.0, 1.0, 0.0);
        let spikes = Arrivals::Spikes { base, peak, every_s, for_s, first_s };
        let read: Source = "spikes:1000,5000,10,1".parse().unwrap();
        assert_eq!(read, Source { arrivals: spikes, saturated_from_s: None });
        assert!("saturated".parse::<Source>().unwrap().is_saturated());
        assert!(!"then-saturated:500,3".parse::<Source>().unwrap().is_saturated());
        for (text, why) in [
            ("constant", "is no source"),
            ("constant:many", "is no number"),
            ("constant:-1", "between 0 and 1e9"),
            ("constant:NaN", "between 0 and 1e9"),
            ("sine:1,2,0", "at least .01 s"),
            ("tide", "is no source"),
        ] {
            let error = text.parse::<Source>().unwrap_err();
            assert!(format!("{error:#}").contains(why), "{text}: {error:#}");
        }
    }

    #[test]
    fn slow_then_saturated_serves_those_that_waited_first() {
        let source: Source = "then-saturated:1000,0.1".parse().unwrap();
        let mut waiting = Waiting::new(&source, 1);
        waiting.arrive(at(50));
        let came = waiting.items();
        assert!((20..80).contains(&came), "{came}");
        assert_eq!(waiting.seen(at(50)).items, came);
        waiting.arrive(at(100));
        let came = waiting.items();
        assert!(waiting.seen(at(100)).items > 1_000_000);
        let batch = waiting.cut(at(100), cut(1_000));
        assert_eq!(batch.iter().map(|(_, items)| items).sum::<u64>(), 1_000);
        assert_eq!(batch.last().unwrap(), &(at(100), 1_000 - came));
        assert_eq!((waiting.items(), waiting.next()), (0, None));
    }

    proptest! {
        /// Invariant: whatever is cut and put back, every item that arrived is in one place.
        #[test]
        fn no_item_is_lost_or_doubled(steps in proptest::collection::vec((1..500u32, any::<bool>()), 1..50)) {
            let source: Source = "constant:50000".parse().unwrap();
            let mut waiting = Waiting::new(&source, 7);
            let mut taken = 0;
            let mut process = Process::new(source.arrivals, 1.0, 7).unwrap();
            let mut arrived = 0;
            for (ms, (size, back)) in (1..).zip(steps) {
                arrived += process.tick(at(ms));
                waiting.arrive(at(ms));
                let batch = waiting.cut(at(ms), cut(size));
                let items: u64 = batch.iter().map(|(_, items)| items).sum();
                prop_assert!(items <= u64::from(size));
                if back { waiting.put_back(&batch) } else { taken += items }
                prop_assert_eq!(taken + waiting.items(), arrived);
            }
        }
    }
}
