//! What does the comparison say, and how much of it is noise?
//!
//! Pure and computed: who delivered most, by how much, and whether that is more than two equal
//! runs differed by. The plan in use ran twice, first and last, for just that. One pair of runs is
//! little to know noise by, so nothing under [`LEAST`] counts as a difference at all.

use serde::Serialize;

use super::setup::Contender;
use super::table::{Row, label};
use super::words;

/// The least relative difference that is one.
const LEAST: f64 = 0.05;

/// What the comparison says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Verdict {
    /// How much the two runs of the plan in use differed, relative to their mean.
    pub(super) noise: f64,
    /// Relative differences up to this are a draw.
    pub(super) draw: f64,
    /// Events a second that the plan in use delivered, the mean of its runs.
    pub(super) adaptive_per_second: f64,
    /// The fixed size that delivered most.
    pub(super) best_fixed: String,
    /// Events a second that it delivered.
    pub(super) best_fixed_per_second: f64,
    /// `adaptive`, `fixed` or `draw`.
    pub(super) winner: &'static str,
    /// All of it in sentences.
    pub(super) text: String,
}

/// The verdict on these runs; nothing without runs of both kinds.
pub(super) fn verdict(rows: &[Row], rate: f64) -> Option<Verdict> {
    let chosen: Vec<&Row> = rows.iter().filter(|row| row.plan == Contender::Chosen).collect();
    let fixed: Vec<&Row> = rows.iter().filter(|row| row.plan != Contender::Chosen).collect();
    let by_rate = |a: &&&Row, b: &&&Row| a.per_second.total_cmp(&b.per_second);
    let (best, worst) = (fixed.iter().max_by(by_rate)?, fixed.iter().min_by(by_rate)?);
    let (first, last) = (chosen.first()?, chosen.last()?);
    let adaptive = (first.per_second + last.per_second) / 2.0;
    let noise = relative(first.per_second, last.per_second);
    let draw = noise.max(LEAST);
    let apart = relative(adaptive, best.per_second);
    let winner = match apart <= draw {
        true => "draw",
        false if adaptive > best.per_second => "adaptive",
        false => "fixed",
    };
    let told = Told { rate, adaptive, best, worst, apart, draw, winner };
    let text = [told.rates(), told.result(), latency(rows, adaptive, draw), told.noise(noise)];
    Some(Verdict {
        noise,
        draw,
        adaptive_per_second: adaptive,
        best_fixed: label(best.plan),
        best_fixed_per_second: best.per_second,
        winner,
        text: text.join(" "),
    })
}

/// How far apart two figures are, relative to their mean.
fn relative(a: f64, b: f64) -> f64 {
    let mean = (a + b) / 2.0;
    if mean > 0.0 { (a - b).abs() / mean } else { 0.0 }
}

struct Told<'r> {
    rate: f64,
    adaptive: f64,
    best: &'r Row,
    worst: &'r Row,
    apart: f64,
    draw: f64,
    winner: &'static str,
}

impl Told<'_> {
    fn rates(&self) -> String {
        format!(
            "Of {} events a second, adaptive delivered {}, the best fixed size ({}) {} and the \
             worst ({}) {}.",
            words::count(words::whole(self.rate)),
            words::count(words::whole(self.adaptive)),
            label(self.best.plan),
            words::count(words::whole(self.best.per_second)),
            label(self.worst.plan),
            words::count(words::whole(self.worst.per_second)),
        )
    }

    fn result(&self) -> String {
        let (best, percent) = (label(self.best.plan), self.apart * 100.0);
        match self.winner {
            "draw" => format!(
                "Adaptive and {best} are {percent:.0} % apart: a draw, with nobody having chosen a \
                 size for the one."
            ),
            "adaptive" => format!("Adaptive is {percent:.0} % ahead of {best}."),
            _ => format!(
                "Adaptive lost: {best} is {percent:.0} % ahead. Whoever knew that size for this \
                 load and this machine did better."
            ),
        }
    }

    fn noise(&self, noise: f64) -> String {
        format!(
            "Measured once each, load, server and database on one machine; the two runs of \
             adaptive differ by {:.0} %, so differences up to {:.0} % say nothing.",
            noise * 100.0,
            self.draw * 100.0,
        )
    }
}

/// Who was quickest from acceptance to the database among those that delivered most.
fn latency(rows: &[Row], adaptive: f64, draw: f64) -> String {
    let most = rows.iter().map(|row| row.per_second).fold(adaptive, f64::max);
    let kept_up = rows.iter().filter(|row| relative(row.per_second, most) <= draw);
    let quickest = kept_up.min_by(|a, b| a.delivery_ms_p99.total_cmp(&b.delivery_ms_p99));
    quickest.map_or_else(String::new, |row| {
        format!(
            "Of those within {:.0} % of the most, {} had the shortest delivery p99: {}.",
            draw * 100.0,
            label(row.plan),
            words::ms(row.delivery_ms_p99)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::row;
    use super::*;

    fn rows(first: f64, fixed: [f64; 2], last: f64) -> Vec<Row> {
        vec![
            row(Contender::Chosen, first),
            row(Contender::Fixed(10), fixed[0]),
            row(Contender::Fixed(5_000), fixed[1]),
            row(Contender::Chosen, last),
        ]
    }

    fn judged(first: f64, fixed: [f64; 2], last: f64) -> Verdict {
        verdict(&rows(first, fixed, last), 100_000.0).unwrap()
    }

    #[test]
    fn who_delivered_most_won_if_it_is_more_than_noise() {
        let won = judged(96_000.0, [6_000.0, 60_000.0], 94_000.0);
        assert_eq!((won.winner, won.best_fixed.as_str()), ("adaptive", "5,000"));
        assert!(won.text.contains("Adaptive is 45 % ahead of 5,000."), "{}", won.text);
        assert!(won.text.contains("the worst (10) 6,000"), "{}", won.text);

        let lost = judged(60_000.0, [6_000.0, 95_000.0], 61_000.0);
        assert_eq!(lost.winner, "fixed");
        assert!(lost.text.contains("Adaptive lost: 5,000 is 44 % ahead."), "{}", lost.text);
    }

    #[test]
    fn what_two_equal_runs_differ_by_is_no_victory() {
        let draw = judged(80_000.0, [6_000.0, 99_000.0], 100_000.0);
        assert_eq!(draw.winner, "draw");
        assert!((draw.noise - 2.0 / 9.0).abs() < 1e-9);
        assert!(draw.text.contains("differences up to 22 % say nothing"), "{}", draw.text);
        let close = judged(97_000.0, [6_000.0, 99_000.0], 97_000.0);
        assert_eq!((close.winner, close.draw), ("draw", LEAST));
    }

    #[test]
    fn nothing_is_said_of_half_a_comparison() {
        assert_eq!(verdict(&[], 1.0), None);
        assert_eq!(verdict(&[row(Contender::Chosen, 1.0)], 1.0), None);
        assert_eq!(verdict(&[row(Contender::Fixed(1), 1.0)], 1.0), None);
        assert_eq!(judged(0.0, [0.0, 0.0], 0.0).winner, "draw");
    }
}
