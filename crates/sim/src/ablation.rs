//! What does each machine of `joint` earn? The suite with and without it, and the difference.
//!
//! A machine that earns nothing anywhere is code that somebody has to understand for nothing.

use std::io::{self, Write};

use crate::contender::{MACHINES, WITHOUT};
use crate::league::{Place, places};
use crate::row::Row;
use crate::selection::Group;
use crate::suite::Study;
use crate::table::{markdown, optional};

/// `joint`, and `joint` without each of its machines.
#[must_use]
pub fn names() -> Vec<String> {
    let without = MACHINES.iter().map(|(machine, _)| format!("{WITHOUT}{machine}"));
    std::iter::once("joint".to_owned()).chain(without).collect()
}

/// Writes a table for each group: what is lost without each machine, in points of the oracle's
/// goodput. Nothing if `joint` itself was not run.
///
/// # Errors
///
/// Whatever the writer reports.
pub fn write(out: &mut impl Write, study: &Study) -> io::Result<()> {
    for group in Group::ALL {
        let places = places(study, group);
        let Some(whole) = places.iter().find(|place| place.name == "joint") else { continue };
        let mut lines = vec![whole_line(whole)];
        for (machine, _) in MACHINES {
            let name = format!("{WITHOUT}{machine}");
            let found = places.iter().find(|place| place.name == name);
            lines.extend(found.map(|place| line(machine, whole, place)));
        }
        if lines.len() == 1 {
            continue;
        }
        writeln!(out, "### {}\n", group.title())?;
        let heads = ["without", "mean", "worst seed", "late %", "whole run", "earns most in"];
        markdown(out, &heads, &lines)?;
        writeln!(out)?;
    }
    Ok(())
}

fn whole_line(whole: &Place) -> Vec<String> {
    vec![
        "nothing".into(),
        format!("{:.3}", whole.mean),
        optional(whole.least(|row| row.worst_seed_ratio), 3),
        optional(whole.late().map(|late| late * 100.0), 2),
        optional(mean(whole, |row| row.whole_ratio), 3),
        "–".into(),
    ]
}

/// The differences, in points; what a machine earns is what is lost without it.
fn line(machine: &str, whole: &Place, without: &Place) -> Vec<String> {
    let worst = |place: &Place| place.least(|row| row.worst_seed_ratio);
    let late = |place: &Place| place.late();
    let runs = |place: &Place| mean(place, |row| row.whole_ratio);
    let pairs = whole.rows.iter().zip(&without.rows);
    let lost = pairs.filter_map(|(all, less)| {
        Some((points(less.steady_ratio?, all.steady_ratio?), all.scenario.as_str()))
    });
    let most = lost.min_by(|a, b| a.0.total_cmp(&b.0));
    let change = |value: fn(&Place) -> Option<f64>| {
        value(without).zip(value(whole)).map(|(less, all)| points(less, all))
    };
    vec![
        machine.to_owned(),
        signed(Some(points(without.mean, whole.mean))),
        signed(change(worst)),
        signed(change(late)),
        signed(change(runs)),
        most.map_or_else(String::new, |(points, name)| format!("{name} ({points:+.1})")),
    ]
}

fn points(less: f64, all: f64) -> f64 {
    (less - all) * 100.0
}

fn signed(points: Option<f64>) -> String {
    points.map_or_else(|| "–".into(), |points| format!("{points:+.1}"))
}

fn mean(place: &Place, value: fn(&Row) -> Option<f64>) -> Option<f64> {
    let known: Vec<f64> = place.rows.iter().filter_map(|row| value(row)).collect();
    #[expect(clippy::cast_precision_loss, reason = "a few scenarios")]
    let many = known.len() as f64;
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / many)
}
