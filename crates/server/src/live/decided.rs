//! Who decided what, and why? What is kept of all lanes, filtered, page by page.

use tidegate::Decision as Made;

use super::contract::DecisionPage;
use super::translate::decision;
use crate::lane::shared::Shared as Lane;

/// What is asked for; what is not given lets all through.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) number: Option<u64>,
    pub(crate) by: Option<&'a str>,
    /// In small letters.
    pub(crate) search: Option<String>,
    pub(crate) from_unix_ms: Option<i64>,
    pub(crate) until_unix_ms: Option<i64>,
    /// Only those before this one.
    pub(crate) before: Option<Mark>,
    pub(crate) limit: usize,
}

/// The place of a decision among all: when it was made, in which lane, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    at: u64,
    lane: usize,
    number: u64,
}

impl Mark {
    /// What [`DecisionPage::next`] says.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (at, lane, number) = (parts.next()?, parts.next()?, parts.next()?);
        let mark =
            Self { at: at.parse().ok()?, lane: lane.parse().ok()?, number: number.parse().ok()? };
        parts.next().is_none().then_some(mark)
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.at, self.lane, self.number)
    }
}

/// A page of the decisions of these lanes, each with its place, the newest first.
pub(crate) fn page<'l>(
    lanes: impl Iterator<Item = (usize, &'l Lane)>,
    wanted: &Wanted<'_>,
) -> DecisionPage {
    let (mut found, mut kept, mut total) = (Vec::new(), 0, 0);
    for (place, lane) in lanes {
        // Copied under the lock, looked through without it: a search must not hold up the lane.
        let (first, made) = {
            let engine = lane.engine();
            let history = engine.history();
            let made: Vec<Made> = history.iter().cloned().collect();
            total += history.total();
            (history.total() - made.len() as u64, made)
        };
        kept += made.len() as u64;
        for (number, made) in (first..).zip(made) {
            if fits(lane, number, &made, wanted) {
                let mark = Mark { at: made.at.as_nanos(), lane: place, number };
                found.push((mark, lane, made));
            }
        }
    }
    let matching = found.len() as u64;
    found.retain(|(mark, ..)| wanted.before.is_none_or(|before| *mark < before));
    found.sort_by(|(one, ..), (other, ..)| other.cmp(one));
    let more = found.len() > wanted.limit;
    found.truncate(wanted.limit);
    let next = found.last().filter(|_| more).map(|(mark, ..)| mark.to_string());
    let decisions = found.iter().map(|(mark, lane, made)| decision(lane, mark.number, made));
    DecisionPage { decisions: decisions.collect(), matching, kept, total, next }
}

fn fits(lane: &Lane, number: u64, made: &Made, wanted: &Wanted<'_>) -> bool {
    let at = lane.clock.unix_millis(made.at);
    wanted.number.is_none_or(|of| of == number)
        && wanted.by.is_none_or(|by| by == made.by)
        && wanted.from_unix_ms.is_none_or(|from| at >= from)
        && wanted.until_unix_ms.is_none_or(|until| at < until)
        && wanted.search.as_deref().is_none_or(|text| made.reason.to_lowercase().contains(text))
}
