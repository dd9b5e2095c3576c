//! How is a decision said? In a sentence: what was seen, and what follows.
//!
//! Nothing here is called unless a plan changes: steady batches make no text.

use std::borrow::Cow;
use std::time::Duration;

use super::duel::{Duel, Point};
use super::search::{Axis, Found};
use super::startup::End;
use crate::Sample;
use crate::said::{Count, Time};

type Text = Cow<'static, str>;

pub(super) const IDLE: &str =
    "gave up a comparison: too few attempts were in flight at once to tell";

pub(super) const NOT_FULL: &str =
    "gave up a comparison: batches are not full, so it would tell nothing";

/// A size from its logarithm.
fn size(ln_size: f64) -> Count {
    Count(ln_size.exp().round() as u64)
}

fn percent(gain: f64) -> f64 {
    gain.exp_m1().abs() * 100.0
}

fn better_or_worse(gain: f64) -> String {
    let share = percent(gain);
    if share < 0.5 {
        "as good".to_owned()
    } else if gain > 1.5 {
        "many times faster".to_owned()
    } else if gain > 0.0 {
        format!("{share:.0} % faster")
    } else {
        format!("{share:.0} % slower")
    }
}

pub(super) fn doubled(sample: &Sample) -> Text {
    let (items, took) = (Count(sample.sent.items.into()), Time(sample.latency));
    format!("doubled: a full batch of {items} took {took}, and larger ones still pay").into()
}

pub(super) fn widened(to: f64) -> Text {
    format!("trying {to} in flight: twice as many, to see what concurrency brings").into()
}

pub(super) fn narrowed(to: f64) -> Text {
    format!("trying {to} in flight: half as many, to see whether they do as well").into()
}

pub(super) fn repeated(to: f64, tried: f64) -> Text {
    format!("back to {to} in flight: {tried} seemed better than can be, so it had been disturbed")
        .into()
}

pub(super) fn started(end: &End, tried: f64) -> Text {
    let to = end.concurrency;
    match (end.more, end.fewer) {
        (_, Some(gain)) if tried < to => {
            format!("kept {to} in flight: {tried} was {}", better_or_worse(gain))
        }
        (Some(gain), _) if tried > to => {
            format!("kept {to} in flight: {tried} was {}", better_or_worse(gain))
        }
        _ if to == tried => format!("kept {to} in flight: as many as are allowed, or as few"),
        _ => format!("kept {to} in flight: {tried} brought some more, but not twice as much"),
    }
    .into()
}

pub(super) fn moved(sample: &Sample, to: u32, from: u32, allowed_s: f64) -> Text {
    let verb = if to > from { "raised" } else { "lowered" };
    let (items, took) = (Count(sample.sent.items.into()), Time(sample.latency));
    let allowed = Time(Duration::try_from_secs_f64(allowed_s).unwrap_or_default());
    format!("{verb}: full batches of about {items} take {took}, and {allowed} is aimed at").into()
}

pub(super) fn jumped(sample: &Sample, by: f64, timeouts: u32) -> Text {
    let factor = by.exp();
    let verb = if by < 0.0 { "cut" } else { "raised" };
    if timeouts > 0 {
        let after = Time(sample.latency);
        return format!("{verb} × {factor:.2}: {timeouts} timeouts after {after}").into();
    }
    let speed = if by < 0.0 { "slower" } else { "faster" };
    let took = Time(sample.latency);
    format!("{verb} × {factor:.2}: two rounds in a row were {speed}, the last took {took}").into()
}

pub(super) fn suspected(sample: &Sample, by: f64) -> Text {
    let (factor, took) = (by.exp(), sample.latency);
    format!("cut × {factor:.2} on probation: a round took {took:.1?}, and smaller batches tell why")
        .into()
}

pub(super) fn was_a_stall(size: u32) -> Text {
    format!("back to {size} items: it was a stall, smaller batches took no longer than usual")
        .into()
}

pub(super) fn is_slow(sample: &Sample, by: f64) -> Text {
    let (factor, took) = (by.exp(), sample.latency);
    format!("cut × {factor:.2}: smaller batches were slow as well, the last took {took:.1?}").into()
}

pub(super) const NOT_FULL_IN_DOUBT: &str =
    "goes back to the size before: batches are not full, so smaller ones would tell nothing";

pub(super) fn asked(axis: Axis, base: &Point, other: &Point) -> Text {
    let (c, size) = (other.concurrency, size(other.ln_size));
    match axis {
        Axis::More | Axis::Fewer => {
            format!("trying {c} in flight for a moment, instead of {}", base.concurrency).into()
        }
        Axis::Smaller => {
            format!("trying {size} items for a moment: are smaller ones faster?").into()
        }
        Axis::Larger => {
            format!("trying {size} items for a moment: are larger ones as fast?").into()
        }
    }
}

pub(super) fn switched(duel: &Duel, ln_size: f64) -> Text {
    let Point { ln_size, concurrency } = duel.point(ln_size, duel.is_other());
    let size = size(ln_size);
    if duel.is_other() {
        format!("trying {size} × {concurrency} again").into()
    } else {
        format!("back to {size} × {concurrency}, to compare").into()
    }
}

pub(super) fn found(found: &Found) -> Text {
    let said = better_or_worse(found.gain);
    let (base, other) = (found.base.concurrency, found.other.concurrency);
    let (size, other_size) = (size(found.base.ln_size), size(found.other.ln_size));
    match (found.axis, found.won) {
        (Axis::More | Axis::Fewer, true) => {
            format!("{other} in flight instead of {base}: {said}").into()
        }
        (Axis::More | Axis::Fewer, false) => {
            format!("kept {base} in flight: {other} was {said}").into()
        }
        (_, true) => format!("about {other_size} items instead of {size}: {said}").into(),
        (_, false) => format!("kept about {size} items: {other_size} was {said}").into(),
    }
}

pub(super) fn floor(sample: &Sample, target: Duration, ln_size: f64) -> Text {
    let (took, size, target) = (Time(sample.latency), size(ln_size), Time(target));
    format!(
        "{size} items: small batches take {took} too, so the target of {target} is below \
         what the backend can do"
    )
    .into()
}

pub(super) fn shared(to: f64, from: f64, waiting: f64) -> Text {
    let verb = if to > from { "more" } else { "less" };
    format!("{verb} in flight, {to:.2}: {waiting:.1} operations of others wait at the backend")
        .into()
}

pub(super) fn throttled(concurrency: f64) -> Text {
    format!(
        "kept {concurrency} in flight: a rate limit refuses attempts, so nothing is compared now"
    )
    .into()
}

pub(super) fn too_large(items: u32, most: f64) -> Text {
    let (items, most) = (Count(items.into()), Count(most.round() as u64));
    format!("at most {most} items: {items} were refused as too large").into()
}
