//! Who leads, and is it good enough? Tables: verdicts, a league for each group, and the figures of
//! one scenario.

use std::fmt::Write;

use super::scene::settled;
use super::words::{escaped, or_dash, short, time};
use crate::claims as measured;
use crate::judge::{Grade, judge};
use crate::league::{Place, places};
use crate::row::Row;
use crate::selection::Group;
use crate::suite::Study;

/// What is asked, and how each controller meets it.
pub(super) fn verdicts(page: &mut String, study: &Study, controllers: &[&str]) {
    let all: Vec<_> = controllers.iter().map(|name| judge(study, name)).collect();
    let Some(first) = all.first().filter(|verdicts| !verdicts.is_empty()) else { return };
    page.push_str(
        "<h2 id=\"verdict\">Is it good enough?</h2>\n<p><em>Floor</em>: below it the work is not \
         finished. <em>Aim</em>: what is meant to be reached. Random backends count most: nobody \
         tuned on them. The scenario that decides stands below each figure.</p>\n\
         <div class=\"wide\"><table class=\"verdicts\"><caption>Floors and aims</caption><thead><tr>\
         <th scope=\"col\">Asked<th scope=\"col\">Floor<th scope=\"col\">Aim",
    );
    for (name, verdicts) in controllers.iter().zip(&all) {
        let floors = verdicts.iter().filter(|verdict| verdict.grade >= Grade::Floor).count();
        let aims = verdicts.iter().filter(|verdict| verdict.grade == Grade::Aim).count();
        let many = verdicts.len();
        let _ = write!(
            page,
            "<th scope=\"col\">{}<small>{floors} of {many} floors<br>{aims} aims</small>",
            escaped(name)
        );
    }
    page.push_str("</thead><tbody>\n");
    for (index, asked) in first.iter().enumerate() {
        let (group, what) = (asked.group, escaped(asked.asked));
        let (floor, aim) = (escaped(&asked.floor), escaped(&asked.aim));
        let _ = write!(page, "<tr><th scope=\"row\">{group}: {what}<td>{floor}<td>{aim}");
        for verdict in all.iter().filter_map(|verdicts| verdicts.get(index)) {
            let (class, sign) = match verdict.grade {
                Grade::Missed => ("bad", "✗"),
                Grade::Floor => ("fair", "✓"),
                Grade::Aim => ("good", "★"),
            };
            let _ = write!(
                page,
                "<td class=\"{class}\"><span title=\"{}\">{sign}</span> {}<small>{}</small>",
                verdict.grade.told(),
                escaped(&verdict.reached),
                escaped(&verdict.decided_by),
            );
        }
        page.push('\n');
    }
    page.push_str(
        "</tbody></table></div>\n<p class=\"key-line\">★ aim met · ✓ floor met · ✗ floor missed</p>\n",
    );
}

/// What earlier systems claim, measured.
pub(super) fn claims(page: &mut String, study: &Study) {
    let figures = measured::figures(study);
    if figures.is_empty() {
        return;
    }
    page.push_str(
        "<h2 id=\"claims\">Claims of earlier systems, measured</h2>\n<div class=\"wide\"><table>\
         <caption>Each claim against a static plan in a scenario of its kind</caption><thead><tr>\
         <th scope=\"col\">Claim<th scope=\"col\">Scenario<th scope=\"col\">Measured\
         <th scope=\"col\">Static plan<th scope=\"col\">Static<th scope=\"col\">Best static<th scope=\"col\">Controller\
         <th scope=\"col\">Ours<th scope=\"col\">Change<th scope=\"col\">Holds</thead><tbody>\n",
    );
    for figure in figures {
        let change = or_dash(figure.change, |change| format!("{:+.0} %", change * 100.0));
        let (class, holds) = if figure.holds { ("good", "yes") } else { ("bad", "no") };
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">{}<td class=\"word\">{}<td class=\"word\">{}<td>{}<td>{}<td>{}\
             <td class=\"word\">{}<td>{}<td>{change}<td class=\"{class}\">{holds}",
            escaped(figure.says),
            figure.scenario,
            figure.measure.title(),
            escaped(figure.fixed.0.trim_start_matches("static ")),
            figure.measure.told(figure.fixed.1),
            figure.measure.told(figure.best),
            escaped(&figure.controller),
            figure.measure.told(figure.ours),
        );
    }
    page.push_str("</tbody></table></div>\n");
}

/// The league of a group: a line a controller, the best first, a column a scenario.
pub(super) fn table(page: &mut String, study: &Study, group: Group) {
    let places = places(study, group);
    if places.is_empty() {
        return;
    }
    let title = group.title();
    let _ = writeln!(
        page,
        "<h2 id=\"league-{group:?}\">League: {}</h2>\n<p>Steady half over the oracle, mean over the seeds; \
         the best controller first.</p>\n<div class=\"wide\"><table class=\"league\"><caption>{title}: \
         timely goodput ÷ oracle</caption><thead><tr><th scope=\"col\">Controller<th scope=\"col\">Mean\
         <th scope=\"col\">Least<th scope=\"col\">Worst seed<th scope=\"col\">Whole run ÷ best static, least\
         <th scope=\"col\">Late items, most",
        title.to_lowercase()
    );
    let mut scenarios: Vec<&str> = Vec::new();
    for row in places.iter().flat_map(|place| &place.rows) {
        if !scenarios.contains(&row.scenario.as_str()) {
            scenarios.push(&row.scenario);
        }
    }
    for scenario in &scenarios {
        let name = escaped(scenario);
        let _ = write!(page, "<th scope=\"col\" class=\"turn\"><a href=\"#s-{name}\">{name}</a>");
    }
    page.push_str("</thead><tbody>\n");
    for place in &places {
        line(page, place, &scenarios);
    }
    page.push_str("</tbody></table></div>\n");
}

fn line(page: &mut String, place: &Place, scenarios: &[&str]) {
    let late = place.late();
    let _ = write!(page, "<tr><th scope=\"row\">{}", escaped(place.name));
    cell(page, Some(place.mean));
    cell(page, place.least(|row| row.steady_ratio));
    cell(page, place.least(|row| row.worst_seed_ratio));
    cell(page, place.least(|row| row.vs_best_static));
    let _ = write!(page, "<td>{}", or_dash(late, |late| format!("{:.1} %", late * 100.0)));
    for scenario in scenarios {
        let row = place.rows.iter().find(|row| row.scenario == *scenario);
        cell(page, row.and_then(|row| row.steady_ratio));
    }
    page.push('\n');
}

fn cell(page: &mut String, ratio: Option<f64>) {
    let class = match ratio {
        Some(ratio) if ratio >= 0.97 => "good",
        Some(ratio) if ratio >= 0.93 => "fair",
        Some(ratio) if ratio >= 0.8 => "poor",
        Some(_) => "bad",
        None => "",
    };
    let _ = write!(page, "<td class=\"{class}\">{}", or_dash(ratio, |ratio| format!("{ratio:.3}")));
}

/// Everyone's figures in one scenario.
pub(super) fn figures(page: &mut String, rows: &[&Row]) {
    page.push_str(
        "<div class=\"wide\"><table><thead><tr><th scope=\"col\">Controller<th scope=\"col\">Goodput\
         <th scope=\"col\">Steady<th scope=\"col\">Whole run<th scope=\"col\">Worst seed\
         <th scope=\"col\">÷ best static<th scope=\"col\">Settling<th scope=\"col\">worst\
         <th scope=\"col\">Late<th scope=\"col\">p99<th scope=\"col\">429s<th scope=\"col\">Jain</thead><tbody>\n",
    );
    for row in rows {
        let _ = write!(
            page,
            "<tr><th scope=\"row\">{}<td>{}/s",
            escaped(&row.controller),
            short(row.goodput)
        );
        cell(page, row.steady_ratio);
        cell(page, row.whole_ratio);
        cell(page, row.worst_seed_ratio);
        cell(page, row.vs_best_static);
        let _ = writeln!(
            page,
            "<td>{}<td>{}<td>{:.2} %<td>{}<td>{:.1}/min<td>{}",
            settled(row.settle_seconds_median),
            settled(row.settle_seconds_worst),
            row.miss_ratio * 100.0,
            or_dash(row.p99_seconds, time),
            row.refusals_per_minute,
            or_dash(row.jain, |jain| format!("{jain:.2}")),
        );
    }
    page.push_str("</tbody></table></div>\n");
}
