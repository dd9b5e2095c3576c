//! How does one get from a guess to the right order of magnitude? Twice the size until that brings
//! little, then twice the concurrency until that does; and where that brought nothing, half of it.
//!
//! The size comes first, because a fixed cost that dominates hides what concurrency does, and because
//! of two plans with as many items in flight the one with fewer and larger batches is the calmer. It
//! stops where two doublings bring less than a fifth of what they could, or where the target is no
//! longer far: the doublings of concurrency after that take the longer, the larger the batches are.
//! The rest of the way is the size's own.

use super::arm::Arm;
use crate::Moment;

/// The way so far.
#[derive(Debug, Clone)]
pub(super) struct Startup {
    phase: Phase,
    arm: Arm,
    /// The sum of the logarithms of the arm's latencies.
    ln_sum: f64,
    skip: f64,
    /// Until the first answer: the round that leaves first finds cold connections.
    cold: bool,
    /// Batches that were not full, of this plan.
    partial: f64,
    /// What a doubling of concurrency that was not kept brought, as a logarithm.
    more: Option<f64>,
    /// How often a measure may still be repeated.
    repeats: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// Doubling the size, with the rates of the last two.
    Grow([Option<f64>; 2]),
    /// Doubling the concurrency: the rate before, the concurrency before, and what the doubling
    /// before this one paid, as a logarithm, if there was one.
    Widen(f64, f64, Option<f64>),
    /// Measuring once more what a doubling is held against, with what the one before it paid.
    Repeat(Option<f64>),
    /// Halving it, where doubling brought nothing: the rate and the concurrency before.
    Narrow(f64, f64),
}

/// What to do after a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Next {
    /// Go on.
    Go,
    /// Double the size.
    Grow,
    /// Take this concurrency, and go on.
    Widen(f64),
    /// Take this concurrency, half of the one before, and go on.
    Narrow(f64),
    /// The same, because what the one before is held against was disturbed.
    Repeat(f64),
    /// It is over.
    Done(End),
}

/// Where it ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct End {
    /// The concurrency to take.
    pub(super) concurrency: f64,
    /// What more in flight brought, as a logarithm, if they were tried and not kept.
    pub(super) more: Option<f64>,
    /// Likewise of half as many.
    pub(super) fewer: Option<f64>,
}

/// Two doublings of the size that bring less than this, as a logarithm, bring little.
const LITTLE: f64 = 0.25;
/// A doubling of concurrency that brings this, as a logarithm, is kept.
const MUCH: f64 = 0.35;
/// A doubling of concurrency may double the latency: the size grows only while that and as much
/// again stays below what is allowed, as a logarithm.
const ROOM: f64 = 1.0;
/// Nearer to what is allowed than this, as a logarithm, a rate tells whether larger batches pay.
const TOLD: f64 = 2.3;
/// Batches that take less, in seconds, are mostly at the mercy of the scheduler: what they say of
/// concurrency is chance.
const BRIEF: f64 = 0.006;
/// A rate with this error, as a logarithm, is sure enough.
const SURE: f64 = 0.08;
/// So many batches at most, where it is in doubt.
const MANY: f64 = 48.0;
/// One that brings this is kept in half.
const SOME: f64 = 0.12;
/// So many measures are repeated at most.
const REPEATS: u32 = 2;
/// Half as many that bring this more, as a logarithm, are kept: with fewer in flight batches may be
/// larger. Of one alone more is asked, because nothing overlaps with it.
const FEWER: f64 = -0.04;
const ALONE: f64 = 0.05;

/// What the startup needs to know of a batch.
pub(super) struct Answer {
    /// Items delivered in time.
    pub(super) items: f64,
    pub(super) seconds: f64,
    /// When it was answered.
    pub(super) at: Moment,
    /// The logarithm of what is allowed, in seconds.
    pub(super) ln_allowed: f64,
    /// Whether the size is as large as it may be.
    pub(super) at_bound: bool,
    pub(super) concurrency: f64,
    pub(super) concurrency_max: f64,
}

/// A doubling of concurrency: rates and what the doubling before paid as logarithms, the
/// concurrency before, the error of the rate, and how far the latency is below what is allowed.
struct Doubled {
    before: f64,
    was: f64,
    paid: Option<f64>,
    rate: f64,
    error: f64,
    room: f64,
}

impl Startup {
    pub(super) fn new() -> Self {
        let phase = Phase::Grow([None, None]);
        Self {
            phase,
            arm: Arm::default(),
            ln_sum: 0.0,
            skip: 0.0,
            cold: true,
            partial: 0.0,
            more: None,
            repeats: REPEATS,
        }
    }

    /// Begins the round again: the plan is another one, for whatever reason.
    pub(super) fn again(&mut self, concurrency: f64) {
        // One at a time has no neighbours of before.
        let skip = if concurrency > 1.0 { concurrency.ceil() } else { 0.0 };
        (self.arm, self.ln_sum, self.skip) = (Arm::default(), 0.0, skip);
    }

    /// What concurrency to keep if it has to end now.
    pub(super) const fn kept(&self, concurrency: f64) -> f64 {
        match self.phase {
            Phase::Grow(_) | Phase::Widen(..) | Phase::Repeat(_) => concurrency,
            Phase::Narrow(_, was) => was,
        }
    }

    /// A batch was not full: the source is slow, and time tells nothing. Returns the end, if that
    /// has become usual while concurrency was in question.
    pub(super) fn not_full(&mut self, concurrency: f64) -> Option<End> {
        self.again(concurrency);
        self.partial += 1.0;
        let to = match self.phase {
            Phase::Grow(_) => return None,
            Phase::Repeat(_) => concurrency,
            Phase::Widen(_, was, _) | Phase::Narrow(_, was) => was,
        };
        let usual = self.partial > 2.0 * concurrency;
        usual.then_some(End { concurrency: to, more: self.more, fewer: None })
    }

    /// A full batch was answered.
    pub(super) fn push(&mut self, answer: &Answer) -> Next {
        if std::mem::take(&mut self.cold) {
            self.again(answer.concurrency);
        }
        if self.skip > 0.0 {
            self.skip -= 1.0;
            self.arm.open(answer.at);
            return Next::Go;
        }
        self.arm.push(answer.at, answer.items, answer.seconds);
        let c = answer.concurrency;
        let round = c.ceil().max(1.0);
        // The mean of logarithms: one slow batch shall not decide.
        self.ln_sum += answer.seconds.max(1e-6).ln();
        let room = answer.ln_allowed - self.ln_sum / self.arm.batches();
        let tight = room < 0.3;
        let needed = match self.phase {
            _ if tight => round.max(2.0),
            Phase::Grow(_) => round.max(3.0),
            Phase::Widen(..) | Phase::Narrow(..) | Phase::Repeat(_) => (2.0 * round).max(4.0),
        };
        // Whole rounds: attempts that left together are answered together.
        if self.arm.batches() < needed || self.arm.batches() % round != 0.0 {
            return Next::Go;
        }
        let rate = self.arm.ln_rate();
        let error = self.arm.variance_given(0.1).sqrt();
        match self.phase {
            Phase::Grow([before, last]) => {
                // Far below the target noise is all there is to see, and a doubling is harmless.
                let told = room < TOLD && answer.ln_allowed - room > BRIEF.ln();
                let flat = told && before.is_some_and(|b| rate - b + 1.4 * error < LITTLE);
                let grows = !flat && room > ROOM && !answer.at_bound;
                // The doubling of concurrency is held against this rate: a few batches more; and one
                // slow round at the beginning shall not decide.
                let doubt = error > SURE || last.is_none();
                if !grows && !tight && doubt && self.arm.batches() < 12.0 {
                    return Next::Go;
                }
                if grows {
                    self.phase = Phase::Grow([last, Some(rate)]);
                    self.again(c);
                    return Next::Grow;
                }
                self.widen(rate, answer, None)
            }
            Phase::Repeat(paid) => {
                if error > SURE && !tight && self.arm.batches() < 12.0 {
                    return Next::Go;
                }
                self.widen(rate, answer, paid)
            }
            Phase::Widen(before, was, paid) => {
                let gain = rate - before;
                let in_doubt = (gain - MUCH).abs() < 2.0 * error + 0.1 && error > SURE / 2.0;
                let most = (c / was).ln() + 2.0 * error;
                if in_doubt && gain <= most && !tight && self.arm.batches() < needed.max(MANY) {
                    return Next::Go;
                }
                self.widened(&Doubled { before, was, paid, rate, error, room }, answer)
            }
            Phase::Narrow(before, was) => {
                let gain = rate - before;
                let enough = if c < 2.0 { ALONE + error } else { FEWER };
                let in_doubt = (gain - enough).abs() < 2.0 * error && error > SURE / 2.0;
                if in_doubt && self.arm.batches() < MANY / 2.0 {
                    return Next::Go;
                }
                if gain > enough { self.narrow(rate, c) } else { self.done(was, Some(gain)) }
            }
        }
    }

    /// What a doubling of concurrency brought is sure enough.
    fn widened(&mut self, doubled: &Doubled, answer: &Answer) -> Next {
        let &Doubled { before, was, paid, rate, error, room } = doubled;
        let gain = rate - before;
        // So many times as many deliver at most so many times as much. If it seems more, something
        // stood still while the ones before were measured.
        if gain > (answer.concurrency / was).ln() + 2.0 * error && self.repeats > 0 {
            self.repeats -= 1;
            self.phase = Phase::Repeat(paid);
            self.again(was);
            return Next::Repeat(was);
        }
        if gain > MUCH + error && room > 0.0 {
            return self.widen(rate, answer, Some(gain));
        }
        if gain > SOME + 2.0 * error {
            let some = (was * 1.4).ceil().min(answer.concurrency_max);
            return self.done(some, None);
        }
        self.more = Some(gain);
        if let Some(paid) = paid {
            return self.done(was, Some(-paid));
        }
        self.narrow(before, was)
    }

    fn widen(&mut self, rate: f64, answer: &Answer, paid: Option<f64>) -> Next {
        let (c, most) = (answer.concurrency, answer.concurrency_max);
        let twice = (2.0 * c).min(most);
        if c < 1.0 || twice < 1.2 * c {
            return match paid {
                Some(paid) => self.done(c, Some(-paid)),
                None => self.narrow(rate, c),
            };
        }
        (self.phase, self.partial) = (Phase::Widen(rate, c, paid), 0.0);
        self.again(twice);
        Next::Widen(twice)
    }

    const fn done(&self, concurrency: f64, fewer: Option<f64>) -> Next {
        Next::Done(End { concurrency, more: self.more, fewer })
    }

    /// Tries half as many.
    fn narrow(&mut self, rate: f64, c: f64) -> Next {
        if c < 2.0 {
            return self.done(c, None);
        }
        let half = (c / 2.0).ceil();
        (self.phase, self.partial) = (Phase::Narrow(rate, c), 0.0);
        self.again(half);
        Next::Narrow(half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays against a backend of that many cores, 2 ms and 20 µs an item, with 60 ms allowed.
    fn play(cores: f64, most: f64) -> (f64, f64, u32) {
        play_from(1.0, cores, most, None)
    }

    /// The same from so many in flight on, where the backend stands still once, after that many
    /// batches, as long as ten of them take.
    fn play_from(first: f64, cores: f64, most: f64, stalled: Option<u32>) -> (f64, f64, u32) {
        let (mut size, mut c, mut startup) = (10.0, first, Startup::new());
        let mut now = 0.0;
        for batches in 1..10_000 {
            let slowdown = f64::max(1.0, c / cores);
            let seconds: f64 = (0.002 + 20e-6 * size) * slowdown;
            now += seconds / c;
            if stalled == Some(batches) {
                now += 10.0 * seconds;
            }
            let answer = Answer {
                items: size,
                seconds,
                at: Moment::ZERO + std::time::Duration::from_secs_f64(now),
                ln_allowed: 0.06f64.ln(),
                at_bound: false,
                concurrency: c,
                concurrency_max: most,
            };
            match startup.push(&answer) {
                Next::Go => {}
                Next::Grow => size *= 2.0,
                Next::Widen(to) | Next::Narrow(to) | Next::Repeat(to) => c = to,
                Next::Done(end) => return (size, end.concurrency, batches),
            }
        }
        panic!("a startup without an end");
    }

    #[test]
    fn it_finds_the_order_of_magnitude_in_few_batches() {
        let (size, c, batches) = play(1.0, 64.0);
        assert!((160.0..=1280.0).contains(&size) && c == 1.0, "{size} {c}");
        assert!(batches < 60, "{batches}");
        assert_eq!(play(4.0, 64.0).1, 4.0);
        assert_eq!(play(16.0, 64.0).1, 16.0);
        assert_eq!(play(64.0, 8.0).1, 8.0);
        // Half-way between two doublings it takes half of the last.
        assert_eq!(play(5.5, 64.0).1, 6.0);
    }

    #[test]
    fn a_stall_on_the_way_does_not_make_more_in_flight_look_good() {
        for at in 1..60 {
            let (_, c, _) = play_from(4.0, 4.0, 64.0, Some(at));
            assert!((2.0..=5.0).contains(&c), "{c} after a stall at batch {at}");
        }
    }
}
