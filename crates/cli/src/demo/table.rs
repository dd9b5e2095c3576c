//! How do the runs of the comparison stand beside each other? As a table of 80 columns.

use std::fmt::Write as _;

use serde::Serialize;

use super::plan::SIZES;
use super::setup::Contender;
use super::words;

/// What one run of the comparison measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Row {
    /// Whose size it was.
    #[serde(serialize_with = "label_of")]
    pub(super) plan: Contender,
    /// The batch size at the end.
    pub(super) batch_size: u64,
    /// Events accepted.
    pub(super) accepted: u64,
    /// Events delivered.
    pub(super) delivered: u64,
    /// Events delivered a second before the neighbour came.
    pub(super) calm_per_second: f64,
    /// Events delivered a second while it was there.
    pub(super) neighbour_per_second: f64,
    /// Events delivered a second over the whole run.
    pub(super) per_second: f64,
    /// Half of the attempts took at most this.
    pub(super) attempt_ms_p50: f64,
    /// 99 of 100 attempts took at most this.
    pub(super) attempt_ms_p99: f64,
    /// 99 of 100 events delivered took at most this from acceptance.
    pub(super) delivery_ms_p99: f64,
    /// Attempts over the target.
    pub(super) misses: u64,
    /// Attempts, each a commit.
    pub(super) commits: u64,
    /// Events accepted, but not delivered at the end.
    pub(super) backlog: u64,
    /// The neighbour's transactions.
    pub(super) neighbour_commits: u64,
}

/// Whose size it was, in a word.
pub(super) fn label(plan: Contender) -> String {
    match plan {
        Contender::Fixed(size) => words::count(u64::from(size)),
        Contender::Chosen(name) => name.to_owned(),
    }
}

fn label_of<S: serde::Serializer>(plan: &Contender, serializer: S) -> Result<S::Ok, S::Error> {
    match plan {
        Contender::Fixed(size) => serializer.collect_str(size),
        Contender::Chosen(name) => serializer.serialize_str(name),
    }
}

/// In which order the runs take place: the fixed sizes between two of the plan in use, so that it
/// also shows how much two equal runs differ.
pub(super) fn order(asked: Contender) -> Vec<Contender> {
    let fixed = SIZES.into_iter().map(Contender::Fixed);
    std::iter::once(asked).chain(fixed).chain([asked]).collect()
}

/// The head of the table.
pub(super) fn head(target_ms: f64) -> String {
    let over = words::ms(target_ms);
    format!(
        "                delivered, k/s     attempt, ms delivery  over commits    events\n\
         batch size       calm  nbr.   all    p50    p99  p99, ms {over:>5}              left"
    )
}

/// A line of the table.
pub(super) fn line(row: &Row) -> String {
    let mut line = label(row.plan);
    if !row.plan.is_fixed() {
        // It fits: 20 characters hold the largest size there is.
        let _ = write!(line, " {}", words::count(row.batch_size));
    }
    let k = words::thousands;
    format!(
        "{line:<15} {:>5} {:>5} {:>5} {:>6.1} {:>6.1} {:>8.0} {:>5} {:>7} {:>9}",
        k(row.calm_per_second),
        k(row.neighbour_per_second),
        k(row.per_second),
        row.attempt_ms_p50,
        row.attempt_ms_p99,
        row.delivery_ms_p99,
        words::count(row.misses),
        words::count(row.commits),
        words::count(row.backlog),
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const ASKED: Contender = Contender::Chosen("adaptive");

    pub(crate) fn row(plan: Contender, per_second: f64) -> Row {
        Row {
            plan,
            batch_size: 1_630,
            accepted: 500_000,
            delivered: 480_000,
            calm_per_second: per_second,
            neighbour_per_second: per_second,
            per_second,
            attempt_ms_p50: 4.24,
            attempt_ms_p99: 61.3,
            delivery_ms_p99: 1_310.0,
            misses: 12,
            commits: 12_345,
            backlog: 1_234_567,
            neighbour_commits: 55,
        }
    }

    #[test]
    fn lines_and_head_fit_eighty_columns_and_each_other() {
        let head = head(50.0);
        let line = line(&row(ASKED, 98_300.0));
        assert!(head.lines().all(|line| line.chars().count() <= 80), "{head}");
        let ends = |text: &str| text.trim_end().chars().count();
        assert_eq!(ends(head.lines().last().unwrap()), ends(&line), "{head}\n{line}");
        let words: Vec<_> = line.split_whitespace().collect();
        let expected = [
            "adaptive",
            "1,630",
            "98.3",
            "98.3",
            "98.3",
            "4.2",
            "61.3",
            "1310",
            "12",
            "12,345",
            "1,234,567",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn a_plan_has_a_short_name_for_programs() {
        let name = |plan| serde_json::to_value(row(plan, 1.0)).unwrap()["plan"].clone();
        assert_eq!(name(Contender::Fixed(5_000)), "5000");
        assert_eq!(name(ASKED), "adaptive");
    }
}
