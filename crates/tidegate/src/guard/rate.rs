//! How many attempts a second does the backend let through? It says so only by refusing.
//!
//! A rate limit is not congestion: a smaller batch would be refused as well. So each refusal, once
//! for all that were under way, sets a pace from what was let through since the one before; that
//! is held for a while, and then raised by little until the next refusal: by least near the pace that
//! was refused, and by more once it is far above it, since then the limit is another. Each
//! refusal doubles the time for which the pace is held, up to a minute, so that refusals become
//! rare: what was let through over a long time is known exactly.
//!
//! The backend may have saved up tokens while nobody sent. Over a short time that would look like a
//! higher rate, so half of the pause that it asked for counts as time in which it let through.

use std::borrow::Cow;
use std::time::Duration;

use crate::{Moment, Outcome, Sample};

/// The pace that a rate limit allows, as far as refusals tell.
#[derive(Debug, Clone, Default)]
pub struct RateGate {
    pace: Option<f64>,
    /// Attempts let through since the last refusal.
    passed: f64,
    /// When counting began.
    since: Option<Moment>,
    /// Refusals of attempts that left before are the same refusal.
    again_from: Moment,
    hold: Duration,
    raise_at: Option<Moment>,
    /// The pace that was refused last, and those before the last raises.
    refused: Option<f64>,
    before: [f64; 2],
    /// Attempts let through at the last raise.
    passed_then: f64,
    raised_at: Moment,
}

/// A pause that a backend asks for without saying how long.
const PAUSE: Duration = Duration::from_secs(1);
const HOLD: Duration = Duration::from_secs(1);
const HOLD_MAX: Duration = Duration::from_secs(60);
const RAISE_EVERY: Duration = Duration::from_secs(1);
/// Below the rate that was let through, so that the backend's tokens fill up again.
const BELOW: f64 = 0.985;
/// One refusal lowers a pace to no less than this share of it: little may have been sent.
const LEAST: f64 = 0.5;
/// A window shorter than this says little of a rate, in seconds.
const SHORT: f64 = 3.0;
/// In one longer than this, in seconds, the mean says all.
const LONG: f64 = 8.0;

/// A raise after the first refusal, which has told of a burst more than of a rate.
const FIRST: f64 = 0.1;
/// A raise while the pace is far from the one that was refused.
const COARSE: f64 = 0.03;
/// And near it: a bucket that is overdrawn by little lasts long.
const FINE: f64 = 0.005;
/// From this share of the refused pace on it is near.
const NEAR: f64 = 0.88;
/// So far above it nobody has refused: the limit is another now, and is looked for in large steps.
const LIFTED: f64 = 1.06;
const FAR: f64 = 0.06;

impl RateGate {
    /// Attempts a second at most; `None` before the first refusal.
    #[must_use]
    pub const fn pace(&self) -> Option<f64> {
        self.pace
    }

    /// An attempt was answered; a new pace and why, if it was refused.
    pub fn answered(&mut self, sample: &Sample) -> Option<(f64, Cow<'static, str>)> {
        let since = *self.since.get_or_insert(sample.sent.at);
        let Outcome::Throttled { retry_after } = sample.outcome else {
            self.passed += 1.0;
            return None;
        };
        if sample.sent.at < self.again_from {
            return None;
        }
        let pause = retry_after.unwrap_or(PAUSE).min(HOLD_MAX);
        if self.pace.is_none() && self.passed == 0.0 {
            // It tells of no rate: others may have used up what there was. The pause is kept by
            // whoever sends again.
            self.again_from = sample.at + pause;
            self.since = Some(self.again_from);
            return None;
        }
        let seconds = sample.at.since(since).as_secs_f64().max(0.05);
        let to = self.after_refusal(seconds, pause.as_secs_f64());
        self.hold = if self.pace.is_none() { HOLD } else { (self.hold * 2).min(HOLD_MAX) };
        self.refused = self.pace;
        self.pace = Some(to);
        self.again_from = sample.at + pause;
        self.since = Some(self.again_from);
        (self.passed, self.passed_then) = (0.0, 0.0);
        self.before = [to; 2];
        self.raised_at = self.again_from;
        self.raise_at = Some(self.again_from + self.hold);
        let reason = format!(
            "at most {to:.1} attempts a second: a rate limit refused one after {seconds:.1} s"
        );
        Some((to, reason.into()))
    }

    fn after_refusal(&self, seconds: f64, pause: f64) -> f64 {
        let saved = 0.5 * pause.min(seconds);
        let rate = match self.pace {
            // Most of what passed was saved up: between a second's worth and what it was.
            None => self.passed / (seconds * seconds.max(1.0)).sqrt(),
            Some(pace) if seconds < SHORT => {
                (self.passed / (seconds + saved)).clamp(0.7 * pace, 0.95 * pace)
            }
            Some(pace) => {
                let mean = BELOW * self.passed / (seconds + 0.5 * saved);
                let [before, _] = self.before;
                let lately = if seconds < LONG { before.min(1.04 * mean) } else { mean };
                lately.max(mean).clamp(LEAST * pace, BELOW * pace)
            }
        };
        rate.max(crate::bounds::PACE_MIN)
    }

    /// When it wants to be woken.
    #[must_use]
    pub const fn wake_at(&self) -> Option<Moment> {
        self.raise_at
    }

    /// Raises the pace when the time has come and it was used.
    pub fn wake(&mut self, now: Moment) -> Option<(f64, Cow<'static, str>)> {
        if self.raise_at.is_none_or(|at| now < at) {
            return None;
        }
        let (pace, at) = (self.pace?, self.raised_at);
        self.raise_at = Some(now + RAISE_EVERY);
        let used = (self.passed - self.passed_then) / now.since(at).as_secs_f64().max(1e-3);
        (self.passed_then, self.raised_at) = (self.passed, now);
        if used < 0.85 * pace {
            return None;
        }
        let share = match self.refused {
            None => FIRST,
            Some(refused) if pace > LIFTED * refused => FAR,
            Some(refused) if pace > NEAR * refused => FINE,
            Some(_) => COARSE,
        };
        let to = pace * (1.0 + share);
        self.before = [self.before[1], pace];
        self.pace = Some(to);
        let reason = format!(
            "raised to {to:.1} attempts a second: the last {:.0} passed without a refusal",
            self.passed
        );
        Some((to, reason.into()))
    }

    /// Nothing was sent for a while: what passed is counted anew from here.
    pub fn resumed(&mut self, now: Moment) {
        if self.passed == 0.0 {
            self.since = Some(now);
            self.raised_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::tests::sample;
    use proptest::prelude::*;

    /// A token bucket, sent to at the gate's pace (or 200 a second) for that many seconds; returns
    /// attempts and refusals, and the last pace.
    fn play(rate: f64, burst: f64, seconds: f64) -> (u32, u32, f64) {
        play_as(|_| rate, burst, seconds)
    }

    /// The same with a rate that may change.
    fn play_as(rate: impl Fn(f64) -> f64, burst: f64, seconds: f64) -> (u32, u32, f64) {
        let mut gate = RateGate::default();
        let (mut tokens, mut now, mut attempts, mut refused) = (burst, 0.0, 0, 0);
        while now < seconds {
            attempts += 1;
            let taken = tokens >= 1.0;
            let outcome = if taken {
                tokens -= 1.0;
                Outcome::Ok
            } else {
                refused += 1;
                Outcome::Throttled { retry_after: Some(Duration::from_secs(1)) }
            };
            let moment = Moment::ZERO + Duration::from_secs_f64(now);
            let mut one = sample(0, 0, 1, outcome);
            (one.sent.at, one.at) = (moment, moment);
            gate.answered(&one);
            gate.wake(moment);
            let step = 1.0 / gate.pace().unwrap_or(200.0) + if taken { 0.0 } else { 1.0 };
            now += step;
            tokens = (tokens + step * rate(now)).min(burst);
        }
        (attempts, refused, gate.pace().unwrap())
    }

    #[test]
    fn refusals_become_rare_and_the_pace_is_near_the_limit() {
        for (rate, burst) in [(40.0, 10.0), (5.0, 5.0), (40.0, 40.0), (10.0, 20.0)] {
            let (attempts, refused, pace) = play(rate, burst, 60.0);
            let share = f64::from(attempts - refused) / (rate * 60.0);
            assert!(share > 0.85, "{rate} {burst}: {share}");
            assert!(refused <= 10, "{rate} {burst}: {refused} of {attempts}");
            assert!((0.85..1.2).contains(&(pace / rate)), "{rate} {burst}: {pace}");
        }
    }

    #[test]
    fn a_limit_that_is_lifted_is_found_within_two_minutes() {
        let rate = |now: f64| if now < 60.0 { 40.0 } else { 200.0 };
        let (_, _, pace) = play_as(rate, 10.0, 180.0);
        assert!((150.0..230.0).contains(&pace), "{pace}");
    }

    #[test]
    fn what_was_refused_when_nothing_had_passed_sets_no_pace() {
        let throttled = |after| Outcome::Throttled { retry_after: Some(after) };
        let mut gate = RateGate::default();
        for at in [0, 10, 2_000] {
            assert_eq!(gate.answered(&sample(at, 5, 1, throttled(Duration::ZERO))), None);
        }
        assert_eq!(gate.pace(), None);
        // With a pace, a refusal after a long silence does not end it.
        gate.answered(&sample(2_100, 5, 1, Outcome::Ok));
        gate.answered(&sample(2_200, 5, 1, throttled(Duration::ZERO)));
        let pace = gate.pace().unwrap();
        gate.answered(&sample(60_000, 5, 1, throttled(Duration::ZERO)));
        assert!(gate.pace().unwrap() >= LEAST * pace, "{:?} after {pace}", gate.pace());
    }

    proptest! {
        /// Invariant: a pace is positive and finite, whatever is refused and when.
        #[test]
        fn a_pace_is_a_pace(
            answers in proptest::collection::vec((0..5_000u64, 0..3u8, 0..100_000u64), 0..200),
        ) {
            let mut gate = RateGate::default();
            for (at, what, after) in answers {
                let retry_after = (what == 1).then(|| Duration::from_millis(after));
                let outcome = if what == 0 { Outcome::Ok } else { Outcome::Throttled { retry_after } };
                gate.answered(&sample(at, 5, 1, outcome));
                gate.wake(Moment::ZERO + Duration::from_millis(at));
                prop_assert!(gate.pace().is_none_or(|pace| pace.is_finite() && pace > 0.0));
            }
        }
    }
}
