//! Who leads? One Markdown table for each group of scenarios, a line a controller, the best first.

use std::io::{self, Write};

use crate::judge::{Grade, judge};
use crate::row::Row;
use crate::selection::Group;
use crate::suite::Study;
use crate::table::{markdown, optional};

/// Scenarios up to which each has a column of its own.
const COLUMNS: usize = 9;

/// A controller's place in a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Place<'a> {
    /// The controller's name.
    pub name: &'a str,
    /// Its rows, in the order of the scenarios.
    pub rows: Vec<&'a Row>,
    /// Mean over the scenarios of the steady ratio.
    pub mean: f64,
}

/// The places in a group, the best first; nobody if none of its scenarios was run. In a scenario of
/// the claims the static plans do not compete.
#[must_use]
pub fn places(study: &Study, group: Group) -> Vec<Place<'_>> {
    let mut places: Vec<Place> = Vec::new();
    let rows = study.rows.iter().filter(|row| row.group == group);
    for row in rows.filter(|row| !row.controller.starts_with("static ")) {
        match places.iter_mut().find(|place| place.name == row.controller) {
            Some(place) => place.rows.push(row),
            None => places.push(Place { name: &row.controller, rows: vec![row], mean: 0.0 }),
        }
    }
    for place in &mut places {
        let known: Vec<f64> = place.rows.iter().filter_map(|row| row.steady_ratio).collect();
        #[expect(clippy::cast_precision_loss, reason = "a few scenarios")]
        let many = known.len().max(1) as f64;
        place.mean = known.iter().sum::<f64>() / many;
    }
    places.sort_by(|a, b| b.mean.total_cmp(&a.mean));
    places
}

impl Place<'_> {
    /// The least of what the rows have of it.
    #[must_use]
    pub fn least(&self, value: fn(&Row) -> Option<f64>) -> Option<f64> {
        self.rows.iter().filter_map(|row| value(row)).reduce(f64::min)
    }

    /// The largest share of late items.
    #[must_use]
    pub fn late(&self) -> Option<f64> {
        self.rows.iter().map(|row| row.miss_ratio).reduce(f64::max)
    }
}

/// Writes the league of each group, and how many floors and aims each controller meets.
///
/// # Errors
///
/// Whatever the writer reports.
pub fn write(out: &mut impl Write, study: &Study, controllers: &[&str]) -> io::Result<()> {
    for group in Group::ALL {
        let places = places(study, group);
        if places.is_empty() {
            continue;
        }
        writeln!(out, "### {}\n", group.title())?;
        league(out, &places)?;
        writeln!(out)?;
    }
    floors(out, study, controllers)
}

fn league(out: &mut impl Write, places: &[Place]) -> io::Result<()> {
    let mut scenarios: Vec<&str> = Vec::new();
    for row in places.iter().flat_map(|place| &place.rows) {
        if !scenarios.contains(&row.scenario.as_str()) {
            scenarios.push(&row.scenario);
        }
    }
    if scenarios.len() > COLUMNS {
        scenarios.clear();
    }
    let lines: Vec<_> = places.iter().map(|place| line(place, &scenarios)).collect();
    let mut heads =
        vec!["controller", "seeds", "mean", "least", "worst seed", "÷ static", "late %"];
    heads.extend(&scenarios);
    markdown(out, &heads, &lines)
}

fn line(place: &Place, scenarios: &[&str]) -> Vec<String> {
    let mut line = vec![
        place.name.to_owned(),
        place.rows.first().map_or(0, |row| row.seeds).to_string(),
        format!("{:.3}", place.mean),
        optional(place.least(|row| row.steady_ratio), 3),
        optional(place.least(|row| row.worst_seed_ratio), 3),
        optional(place.least(|row| row.vs_best_static), 3),
        optional(place.late().map(|late| late * 100.0), 1),
    ];
    let of = |name: &&str| place.rows.iter().find(|row| row.scenario == **name);
    line.extend(scenarios.iter().map(|name| optional(of(name).and_then(|r| r.steady_ratio), 3)));
    line
}

fn floors(out: &mut impl Write, study: &Study, controllers: &[&str]) -> io::Result<()> {
    let mut lines = Vec::new();
    for controller in controllers {
        let verdicts = judge(study, controller);
        let met = |grade: Grade| verdicts.iter().filter(|verdict| verdict.grade >= grade).count();
        let (floors, aims) = (met(Grade::Floor), met(Grade::Aim));
        if !verdicts.is_empty() {
            lines.push((floors, aims, verdicts.len(), *controller));
        }
    }
    lines.sort_by_key(|&(floors, aims, ..)| std::cmp::Reverse((floors, aims)));
    let line = |(floors, aims, of, name): (usize, usize, usize, &str)| {
        vec![name.to_owned(), floors.to_string(), aims.to_string(), of.to_string()]
    };
    let lines: Vec<_> = lines.into_iter().map(line).collect();
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "### Floors and aims\n")?;
    markdown(out, &["controller", "floors met", "aims met", "of"], &lines)
}
