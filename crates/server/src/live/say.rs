//! What is it doing now? One sentence, from what is known at this moment. Pure.
//!
//! What keeps a lane from delivering comes first, then what a guard does, then what was decided: a
//! decision of the last few seconds is news, an older one is the reason why the plan is held.

use super::contract::{BreakerState, LaneState, Plan};
use super::words::{about, time, trimmed, whole};

/// How long a decision is news, in seconds.
const NEWS: f64 = 5.0;
/// A backlog is worth a word when it takes longer than this, in seconds.
const BEHIND: f64 = 2.0;
/// A larger share of attempts over the target is worth a word; a stall now and then is none.
const LATE: f64 = 0.1;

/// What is known of a lane.
#[derive(Debug, Clone)]
pub(super) struct Seen<'a> {
    pub(super) state: LaneState,
    /// What the sink said, if it takes nothing.
    pub(super) why: Option<&'a str>,
    pub(super) breaker: BreakerState,
    /// Seconds until the breaker lets a probe go.
    pub(super) open_for: f64,
    /// Why the breaker is as it is.
    pub(super) breaker_reason: Option<&'a str>,
    pub(super) controller: &'a str,
    pub(super) plan: Plan,
    /// Whether a guard holds the plan down.
    pub(super) braking: bool,
    /// The last decision: by whom, why, and how many seconds ago.
    pub(super) last: Option<(&'a str, &'a str, f64)>,
    pub(super) backlog: u64,
    pub(super) in_per_second: f64,
    pub(super) out_per_second: f64,
    /// Mean items of an attempt.
    pub(super) items_per_attempt: Option<f64>,
    /// The share of attempts that took longer than the target, 0 to 1.
    pub(super) late: f64,
}

/// The sentence on a lane, without a full stop.
pub(super) fn lane(seen: &Seen<'_>) -> String {
    let why = seen.why.unwrap_or("it did not say why");
    match seen.state {
        LaneState::Starting => return "asking the sink what it has already".to_owned(),
        LaneState::Stopped => return "stopped".to_owned(),
        LaneState::Blocked => return format!("standing still: {why}"),
        LaneState::Detached => {
            return "detached: the sink had filled its share of the journal, and nothing is kept for \
                    it until it takes a batch again"
                .to_owned();
        }
        LaneState::Draining => {
            return format!("delivering what is left, {} events", whole(seen.backlog));
        }
        LaneState::Running | LaneState::Retrying => {}
    }
    let waiting = waiting(seen.backlog);
    match seen.breaker {
        BreakerState::Open => {
            let because = seen.breaker_reason.unwrap_or(why);
            let wait = time(seen.open_for.max(0.0));
            return format!("waiting {wait} before it tries again: {because}{waiting}");
        }
        BreakerState::HalfOpen if seen.backlog > 0 => {
            return format!("probing with small batches: {}", seen.breaker_reason.unwrap_or(why));
        }
        BreakerState::HalfOpen | BreakerState::Closed => {}
    }
    if seen.state == LaneState::Retrying {
        return format!("trying again: {why}{waiting}");
    }
    holding(seen) + &late(seen.late, "; ") + &behind(seen)
}

/// The plan, and why it is what it is.
fn holding(seen: &Seen<'_>) -> String {
    let terms = terms(&seen.plan);
    if seen.out_per_second <= 0.0 && seen.backlog == 0 {
        return format!("idle: nothing arrives; ready with {terms}");
    }
    match seen.last {
        Some((by, reason, _)) if seen.braking => {
            format!("held down to {terms} by the guard {by}: {reason}")
        }
        Some((_, reason, ago)) if ago < NEWS => format!("now {terms}: {reason}"),
        Some((_, reason, _)) => format!("holding {terms}: {reason}"),
        None if seen.controller == "fixed" => {
            format!("holding {terms}: the plan is fixed by the configuration")
        }
        None => match seen.items_per_attempt {
            Some(items) if items < 0.9 * f64::from(seen.plan.batch_size) => {
                let items = about(items);
                format!("holding {terms}: batches leave with {items}, since no more arrives")
            }
            _ => format!("holding {terms}: nothing seen so far speaks against the first plan"),
        },
    }
}

fn waiting(backlog: u64) -> String {
    match backlog {
        0 => String::new(),
        1 => "; 1 event waits".to_owned(),
        many => format!("; {} events wait", whole(many)),
    }
}

/// How many attempts are late, if that is worth a word; with what stands before it.
fn late(share: f64, before: &str) -> String {
    if share <= LATE {
        return String::new();
    }
    format!("{before}{:.0} % of attempts take longer than the target", share * 100.0)
}

/// How far behind it is, if that is worth a word.
#[expect(clippy::cast_precision_loss, reason = "a time for a person")]
fn behind(seen: &Seen<'_>) -> String {
    let backlog = seen.backlog as f64;
    let Seen { in_per_second, out_per_second, .. } = *seen;
    if out_per_second <= 0.0 && seen.backlog >= u64::from(seen.plan.batch_size.max(1)) {
        return format!("; {} events wait, and none leaves at the moment", whole(seen.backlog));
    }
    if out_per_second <= 0.0 || backlog < out_per_second * BEHIND {
        return String::new();
    }
    let events = whole(seen.backlog);
    let gains = out_per_second - in_per_second;
    if gains > 0.02 * out_per_second {
        return format!("; {events} events behind, about {} to go", time(backlog / gains));
    }
    if gains < -0.02 * out_per_second {
        let more = about(-gains);
        return format!("; {events} events behind, and {more} more each second than leave");
    }
    format!("; {events} events behind")
}

/// A plan as people say it: `1,420 × 4`.
pub(super) fn terms(plan: &Plan) -> String {
    let concurrency = trimmed(plan.concurrency, 2);
    let mut said = format!("{} × {concurrency}", whole(u64::from(plan.batch_size)));
    if let Some(pace) = plan.pace {
        said += &format!(", at most {} attempts a second", about(pace));
    }
    said
}

/// What was said of a lane.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) name: String,
    pub(super) says: String,
    /// It delivers or could, and is not far behind.
    pub(super) is_well: bool,
    pub(super) out_per_second: f64,
    /// The share of attempts that took longer than the target, 0 to 1.
    pub(super) late: f64,
}

/// What is known of everything.
#[derive(Debug, Clone)]
pub(super) struct All<'a> {
    /// What keeps events from being taken or delivered.
    pub(super) troubles: &'a [String],
    pub(super) lanes: &'a [Told],
    pub(super) accepted_per_second: f64,
    pub(super) delivered_per_second: f64,
    pub(super) backlog: u64,
}

/// The sentence on everything, without a full stop.
pub(super) fn all(seen: &All<'_>) -> String {
    let (well, ill): (Vec<_>, Vec<_>) = seen.lanes.iter().partition(|lane| lane.is_well);
    let rate = about(seen.delivered_per_second);
    match (ill.as_slice(), seen.troubles.first()) {
        ([Told { name, says, .. }, rest @ ..], _) => {
            let more = match rest.len() {
                0 => String::new(),
                1 => " and 1 more lane".to_owned(),
                more => format!(" and {more} more lanes"),
            };
            let taken = about(well.iter().map(|lane| lane.out_per_second).sum());
            let meanwhile = match well.len() {
                0 => String::new(),
                1 => format!("; the other lane takes {taken} events a second"),
                others => format!("; the {others} others take {taken} events a second"),
            };
            format!("`{name}`{more}: {says}{meanwhile}")
        }
        ([], Some(trouble)) => trouble.clone(),
        ([], None) if idle(seen) => match seen.lanes {
            [Told { says, .. }] => says.clone(),
            lanes => format!("idle: nothing arrives; {} lanes are ready", lanes.len()),
        },
        ([], None) => {
            let accepted = about(seen.accepted_per_second);
            match seen.lanes {
                [Told { says, .. }] => format!("{accepted} events a second in, {rate} out; {says}"),
                lanes => {
                    let through = format!("{rate} out through {} lanes", lanes.len());
                    let said = match lanes.iter().max_by(|a, b| a.late.total_cmp(&b.late)) {
                        Some(worst) if worst.late > LATE => {
                            late(worst.late, &format!("; `{}`: ", worst.name))
                        }
                        _ => ", all well".to_owned(),
                    };
                    let waiting = waiting(seen.backlog);
                    format!("{accepted} events a second in, {through}{said}{waiting}")
                }
            }
        }
    }
}

fn idle(seen: &All<'_>) -> bool {
    seen.accepted_per_second <= 0.0 && seen.delivered_per_second <= 0.0 && seen.backlog == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { batch_size: 1420, concurrency: 4.0, pace: None, linger_ms: 0.0 };

    const WELL: Seen<'static> = Seen {
        state: LaneState::Running,
        why: None,
        breaker: BreakerState::Closed,
        open_for: 0.0,
        breaker_reason: None,
        controller: "joint",
        plan: PLAN,
        braking: false,
        last: Some(("joint", "larger batches were slower", 60.0)),
        backlog: 0,
        in_per_second: 1000.0,
        out_per_second: 1000.0,
        items_per_attempt: Some(1420.0),
        late: 0.02,
    };

    #[test]
    fn a_lane_that_is_well_tells_its_plan_and_why() {
        assert_eq!(lane(&WELL), "holding 1,420 × 4: larger batches were slower");
        let fresh = Seen { last: Some(("joint", "larger batches were slower", 1.0)), ..WELL };
        assert_eq!(lane(&fresh), "now 1,420 × 4: larger batches were slower");
        let none = Seen { last: None, controller: "fixed", ..WELL };
        assert_eq!(lane(&none), "holding 1,420 × 4: the plan is fixed by the configuration");
        let fresh = Seen { last: None, items_per_attempt: Some(102.4), ..WELL };
        assert_eq!(
            lane(&fresh),
            "holding 1,420 × 4: batches leave with 102, since no more arrives"
        );
        let late = Seen { late: 0.42, ..WELL };
        assert!(lane(&late).ends_with("; 42 % of attempts take longer than the target"));
        let paced = Plan { concurrency: 0.25, pace: Some(12.0), ..PLAN };
        assert_eq!(terms(&paced), "1,420 × 0.25, at most 12 attempts a second");
        let idle = Seen { out_per_second: 0.0, ..WELL };
        assert_eq!(lane(&idle), "idle: nothing arrives; ready with 1,420 × 4");
        let braking = Seen { braking: true, last: Some(("memory", "95 % is in use", 3.0)), ..WELL };
        assert_eq!(lane(&braking), "held down to 1,420 × 4 by the guard memory: 95 % is in use");
    }

    #[test]
    fn a_lane_that_is_behind_says_how_far() {
        let behind = |backlog, in_per_second| lane(&Seen { backlog, in_per_second, ..WELL });
        assert_eq!(behind(1999, 0.0), lane(&WELL), "two seconds are nothing");
        assert!(behind(12_400, 600.0).ends_with("; 12,400 events behind, about 31 s to go"));
        assert!(behind(12_400, 4000.0).ends_with("behind, and 3,000 more each second than leave"));
        assert!(behind(12_400, 1000.0).ends_with("; 12,400 events behind"));
        let stuck = |backlog| lane(&Seen { backlog, out_per_second: 0.0, ..WELL });
        assert!(stuck(1420).ends_with("; 1,420 events wait, and none leaves at the moment"));
        assert!(stuck(1419).ends_with(&lane(&WELL)), "less than a batch may be under way");
    }

    #[test]
    fn what_keeps_a_lane_from_delivering_comes_first() {
        let open = Seen {
            state: LaneState::Retrying,
            why: Some("connection refused"),
            breaker: BreakerState::Open,
            open_for: 2.0,
            breaker_reason: Some("5 failures in a row, the last one unreachable"),
            backlog: 1_000_000,
            braking: true,
            ..WELL
        };
        assert_eq!(
            lane(&open),
            "waiting 2 s before it tries again: 5 failures in a row, the last one unreachable; \
             1,000,000 events wait"
        );
        let retrying = Seen { breaker: BreakerState::Closed, backlog: 1, ..open.clone() };
        assert_eq!(lane(&retrying), "trying again: connection refused; 1 event waits");
        let probing = Seen { breaker: BreakerState::HalfOpen, ..open.clone() };
        assert!(lane(&probing).starts_with("probing with small batches: 5 failures"));
        let blocked = Seen { state: LaneState::Blocked, why: Some("no room"), ..open };
        assert_eq!(lane(&blocked), "standing still: no room");
        let unsaid = Seen { why: None, ..blocked };
        assert_eq!(lane(&unsaid), "standing still: it did not say why");
    }

    #[test]
    fn everything_is_told_by_its_worst_part() {
        let said = |name: &str, says: &str, is_well| Told {
            name: name.to_owned(),
            says: says.to_owned(),
            is_well,
            out_per_second: 1200.0,
            late: 0.0,
        };
        let one = [said("sqlite/default", "holding 500 × 1: why", true)];
        let well = All {
            troubles: &[],
            lanes: &one,
            accepted_per_second: 1234.5,
            delivered_per_second: 1200.0,
            backlog: 3,
        };
        assert_eq!(all(&well), "1,230 events a second in, 1,200 out; holding 500 × 1: why");
        let two = [one[0].clone(), said("pg/default", "trying again: refused", false)];
        let ill = All { lanes: &two, ..well.clone() };
        assert_eq!(
            all(&ill),
            "`pg/default`: trying again: refused; the other lane takes 1,200 events a second"
        );
        let troubles = ["the journal refuses requests".to_owned()];
        let full = All { troubles: &troubles, ..well.clone() };
        assert_eq!(all(&full), "the journal refuses requests");
        let many = [one[0].clone(), one[0].clone()];
        let all_well = All { lanes: &many, ..well.clone() };
        assert!(all(&all_well).ends_with("through 2 lanes, all well; 3 events wait"));
        let late = [one[0].clone(), Told { late: 0.25, ..one[0].clone() }];
        assert!(all(&All { lanes: &late, ..well.clone() }).ends_with(
            "2 lanes; `sqlite/default`: 25 % of attempts take longer than the target; 3 events wait"
        ));
        let idle =
            All { accepted_per_second: 0.0, delivered_per_second: 0.0, backlog: 0, ..all_well };
        assert_eq!(all(&idle), "idle: nothing arrives; 2 lanes are ready");
    }
}
