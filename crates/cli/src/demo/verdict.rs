//! What does the comparison say, and how much of it is noise?
//!
//! Pure and computed: who delivered most, by how much, and whether that is more than two equal
//! runs differed by. The plan that was asked for ran twice, first and last, for just that. One
//! pair of runs is little to know noise by, so nothing under [`LEAST`] counts as a difference.

use serde::Serialize;

use super::setup::Contender;
use super::table::{Row, label};
use super::words::{self, float};

/// The least relative difference that is one.
const LEAST: f64 = 0.10;

/// What the comparison says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Verdict {
    /// By how much the better of the two runs of the plan that was asked for was ahead.
    pub(super) noise: f64,
    /// Being ahead by up to this is a draw.
    pub(super) draw: f64,
    /// Events a second that this plan delivered, the mean of its runs.
    pub(super) asked_per_second: f64,
    /// The fixed size that delivered most.
    pub(super) best_fixed: String,
    /// Events a second that it delivered.
    pub(super) best_fixed_per_second: f64,
    /// `asked`, `fixed` or `draw`.
    pub(super) winner: &'static str,
    /// All of it in sentences.
    pub(super) text: String,
}

/// The verdict on these runs; nothing without runs of both kinds.
pub(super) fn verdict(rows: &[Row], rate: f64) -> Option<Verdict> {
    let of = |fixed| rows.iter().filter(move |row| row.plan.is_fixed() == fixed);
    let by_rate = |a: &&Row, b: &&Row| a.per_second.total_cmp(&b.per_second);
    let (best, worst) = (of(true).max_by(by_rate)?, of(true).min_by(by_rate)?);
    let asked = Asked::of(of(false).next()?, of(false).next_back()?);
    let noise = ahead(asked.rates.0, asked.rates.1);
    let draw = noise.max(LEAST);
    let apart = ahead(asked.per_second, best.per_second);
    let winner = match apart <= draw {
        true => "draw",
        false if asked.per_second > best.per_second => "asked",
        false => "fixed",
    };
    let text = [
        rates(rate, &asked, best, worst),
        result(&asked, best, apart, winner),
        latency(&asked, best),
        format!(
            "Load, server and database share one machine, and each fixed size ran once: as the two \
             runs of {} are {} apart, being ahead by up to {} is no difference.",
            label(asked.plan),
            percent(noise),
            percent(draw)
        ),
        beaten(of(true).filter(|row| {
            asked.per_second > row.per_second && ahead(asked.per_second, row.per_second) > draw
        })),
    ];
    Some(Verdict {
        noise,
        draw,
        asked_per_second: asked.per_second,
        best_fixed: label(best.plan),
        best_fixed_per_second: best.per_second,
        winner,
        text: text.join(" ").trim_end().to_owned(),
    })
}

/// Which fixed sizes the plan that was asked for is ahead of beyond doubt.
fn beaten<'r>(rows: impl Iterator<Item = &'r Row>) -> String {
    let names: Vec<String> = rows.map(|row| label(row.plan)).collect();
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => format!("It is ahead of {only} by more than that."),
        Some((last, rest)) => {
            format!("It is ahead of {} and {last} by more than that.", rest.join(", "))
        }
    }
}

/// The two runs of the plan that was asked for, as one.
struct Asked {
    plan: Contender,
    rates: (f64, f64),
    per_second: f64,
    delivery_ms_p99: f64,
    misses: u64,
    commits: u64,
}

impl Asked {
    fn of(first: &Row, last: &Row) -> Self {
        Self {
            plan: first.plan,
            rates: (first.per_second, last.per_second),
            per_second: (first.per_second + last.per_second) / 2.0,
            // The mean, not the better of the two: the others had one chance only.
            delivery_ms_p99: (first.delivery_ms_p99 + last.delivery_ms_p99) / 2.0,
            misses: first.misses + last.misses,
            commits: first.commits + last.commits,
        }
    }
}

/// By how much the larger of two rates is ahead; what is below one a second counts as one.
fn ahead(a: f64, b: f64) -> f64 {
    a.max(b).max(1.0) / a.min(b).max(1.0) - 1.0
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn rates(rate: f64, asked: &Asked, best: &Row, worst: &Row) -> String {
    let whole = |rate| words::count(words::whole(rate));
    format!(
        "Of {} events a second, {} delivered {}, the best fixed size ({}) {} and the worst ({}) {}.",
        whole(rate),
        label(asked.plan),
        whole(asked.per_second),
        label(best.plan),
        whole(best.per_second),
        label(worst.plan),
        whole(worst.per_second),
    )
}

fn result(asked: &Asked, best: &Row, apart: f64, winner: &str) -> String {
    let (asked, best, apart) = (label(asked.plan), label(best.plan), percent(apart));
    match winner {
        "draw" => format!("So {asked} and {best} are {apart} apart, which is within the noise."),
        "asked" => format!("So {asked} is {apart} ahead of {best}."),
        _ => format!(
            "So {asked} lost: {best} is {apart} ahead, and whoever knew that size for this load \
             and this machine did better."
        ),
    }
}

/// What the two best did to latency. Nobody wins it: single tails are too noisy for that.
fn latency(asked: &Asked, best: &Row) -> String {
    let over = |misses, commits: u64| percent(float(misses) / float(commits.max(1)));
    format!(
        "Delivery p99 was {} with {} and {} with {}; {} and {} of their attempts were over the \
         target.",
        words::ms(asked.delivery_ms_p99),
        label(asked.plan),
        words::ms(best.delivery_ms_p99),
        label(best.plan),
        over(asked.misses, asked.commits),
        over(best.misses, best.commits),
    )
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::{ASKED, row};
    use super::*;

    fn rows(first: f64, fixed: [f64; 2], last: f64) -> Vec<Row> {
        vec![
            row(ASKED, first),
            row(Contender::Fixed(10), fixed[0]),
            row(Contender::Fixed(5_000), fixed[1]),
            row(ASKED, last),
        ]
    }

    fn judged(first: f64, fixed: [f64; 2], last: f64) -> Verdict {
        verdict(&rows(first, fixed, last), 100_000.0).unwrap()
    }

    #[test]
    fn who_delivered_most_won_if_it_is_more_than_noise() {
        let won = judged(96_000.0, [6_000.0, 60_000.0], 94_000.0);
        assert_eq!((won.winner, won.best_fixed.as_str()), ("asked", "5,000"));
        assert!(won.text.contains("So adaptive is 58.3 % ahead of 5,000."), "{}", won.text);
        assert!(
            won.text.ends_with("It is ahead of 10 and 5,000 by more than that."),
            "{}",
            won.text
        );
        assert!(won.text.contains("the worst (10) 6,000"), "{}", won.text);

        let lost = judged(60_000.0, [6_000.0, 95_000.0], 61_000.0);
        assert_eq!(lost.winner, "fixed");
        assert!(lost.text.contains("So adaptive lost: 5,000 is 57.0 % ahead"), "{}", lost.text);
    }

    #[test]
    fn what_two_equal_runs_differ_by_is_no_victory() {
        let draw = judged(80_000.0, [6_000.0, 99_000.0], 100_000.0);
        assert_eq!(draw.winner, "draw");
        assert!((draw.noise - 0.25).abs() < 1e-9);
        assert!(draw.text.contains("ahead by up to 25.0 % is no difference"), "{}", draw.text);
        assert!(draw.text.ends_with("It is ahead of 10 by more than that."), "{}", draw.text);
        let close = judged(97_000.0, [6_000.0, 99_000.0], 97_000.0);
        assert_eq!((close.winner, close.draw), ("draw", LEAST));
    }

    #[test]
    fn nothing_is_said_of_half_a_comparison() {
        assert_eq!(verdict(&[], 1.0), None);
        assert_eq!(verdict(&[row(ASKED, 1.0)], 1.0), None);
        assert_eq!(verdict(&[row(Contender::Fixed(1), 1.0)], 1.0), None);
        let nothing = judged(0.0, [0.0, 0.0], 0.0);
        assert_eq!(nothing.winner, "draw");
        assert!(nothing.text.ends_with("is no difference."), "{}", nothing.text);
    }
}
