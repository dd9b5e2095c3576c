//! What happened in a scenario? Its facts, figures, four charts, and the decisions behind them.

use std::fmt::Write;

use super::chart::{Chart, Dot, Line};
use super::scale::Scale;
use super::series::Curves;
use super::words::{escaped, or_dash, short, time};
use super::{COLORS, facts, league};
use crate::decisions::Step;
use crate::row::PlanFound;
use crate::suite::{Study, Yardstick};

/// A scenario with what is drawn of everyone's typical run.
pub(super) struct Scene<'a> {
    yardstick: &'a Yardstick,
    /// The best static plan in hindsight; where the oracle is a static plan, that is it.
    still: Option<Curves>,
    curves: Vec<Curves>,
}

impl<'a> Scene<'a> {
    pub(super) const fn new(yardstick: &'a Yardstick) -> Self {
        Self { yardstick, still: None, curves: Vec::new() }
    }

    /// The first is the best static plan, the others compete.
    pub(super) fn add(&mut self, curves: Curves) {
        if self.still.is_none() {
            self.still = Some(curves);
        } else {
            self.curves.push(curves);
        }
    }

    pub(super) fn write(&self, page: &mut String, study: &Study) {
        let scenario = &self.yardstick.entry.scenario;
        let name = escaped(&scenario.name);
        let _ = writeln!(page, "<section class=\"scene\" id=\"s-{name}\"><h3>{name}</h3>");
        let _ = writeln!(page, "<p>{}</p>", escaped(&facts::told(scenario)));
        let rows: Vec<_> = study.rows.iter().filter(|row| row.scenario == scenario.name).collect();
        if let Some(row) = rows.first() {
            for remark in &row.remarks {
                let _ = writeln!(page, "<p class=\"remark\">{}</p>", escaped(remark));
            }
            let _ = writeln!(
                page,
                "<p>Oracle at the beginning: {}, {}/s in the steady half. Best static plan in hindsight: \
                 {}, {}/s over the whole run. Shown: seed {}.</p>",
                row.oracle_plan,
                short(row.oracle_goodput),
                row.best_static_plan,
                short(row.best_static_goodput),
                self.yardstick.typical_seed,
            );
        }
        league::figures(page, &rows);
        page.push_str("<div class=\"charts\">\n");
        self.sizes().write(page);
        self.slots().write(page);
        self.goodput().write(page);
        self.latency().write(page);
        page.push_str("</div>\n");
        self.decisions(page);
        page.push_str("</section>\n");
    }

    fn chart(
        &self,
        title: &'a str,
        unit: &'a str,
        scale: fn(&[f64]) -> Scale,
        value: fn(&Curves) -> &Vec<Option<f64>>,
        oracle: Vec<(f64, Option<f64>)>,
    ) -> Chart<'_> {
        let mut lines = vec![Line { name: "oracle", class: "oracle".into(), points: oracle }];
        for curves in &self.curves {
            let points = curves.at_s.iter().copied().zip(value(curves).iter().copied()).collect();
            lines.push(Line { name: &curves.name, class: class(curves), points });
        }
        let all = lines.iter().flat_map(|line| &line.points);
        let values: Vec<f64> = all.filter_map(|(_, value)| *value).collect();
        let scenario = &self.yardstick.entry.scenario;
        Chart {
            title,
            unit,
            label: self.label(title, value),
            scale: scale(&values),
            duration_s: scenario.duration_s,
            lines,
            dots: Vec::new(),
            changes_s: &scenario.changes_s,
            limit: None,
        }
    }

    /// What a listener hears: everyone's value at the end.
    fn label(&self, title: &str, value: fn(&Curves) -> &Vec<Option<f64>>) -> String {
        let mut label = format!("{title} over time in {}.", self.yardstick.entry.scenario.name);
        for curves in &self.curves {
            if let Some(last) = value(curves).iter().rev().flatten().next() {
                let _ = write!(label, " {} ends at {}.", curves.name, short(*last));
            }
        }
        label
    }

    /// The oracle's plan at each moment that is drawn.
    fn plans(&self, value: fn(PlanFound) -> f64) -> Vec<(f64, Option<f64>)> {
        let times = self.still.iter().flat_map(|still| &still.at_s);
        let plan = |at_s: f64| self.yardstick.oracle.plan_at(at_s);
        times.map(|at_s| (*at_s, plan(*at_s).map(|best| value(best.into())))).collect()
    }

    fn sizes(&self) -> Chart<'_> {
        let mut chart = self.chart(
            "Batch size, items",
            "items",
            |values| Scale::log(values.iter().copied()),
            |curves| &curves.size,
            self.plans(|plan| f64::from(plan.batch_size)),
        );
        chart.dots = self.dots(|plan| f64::from(plan.batch_size));
        chart
    }

    fn slots(&self) -> Chart<'_> {
        self.chart(
            "Attempts in flight",
            "in flight",
            |values| Scale::linear(values.iter().copied()),
            |curves| &curves.concurrency,
            self.plans(|plan| plan.concurrency),
        )
    }

    fn goodput(&self) -> Chart<'_> {
        let oracle = &self.yardstick.oracle;
        let still = self.still.iter().flat_map(|still| still.at_s.iter().zip(&still.goodput));
        let timed = |(at_s, ran): (&f64, &Option<f64>)| {
            let from = (at_s - 0.05).max(0.0);
            (*at_s, oracle.goodput(from, at_s + 0.05).or(*ran))
        };
        self.chart(
            "Timely goodput, items a second",
            "items/s",
            |values| Scale::linear(values.iter().copied()),
            |curves| &curves.goodput,
            still.map(timed).collect(),
        )
    }

    fn latency(&self) -> Chart<'_> {
        let target = self.yardstick.entry.scenario.target.latency_ms / 1e3;
        let mut chart = self.chart(
            "Latency, mean over the items, seconds; dashed: the target",
            "s",
            |values| Scale::log(values.iter().copied()),
            |curves| &curves.latency_s,
            Vec::new(),
        );
        // The target is always in the picture.
        let Scale { low, high, .. } = chart.scale;
        chart.scale =
            Scale { low: low.min(target * 0.8), high: high.max(target * 1.25), log: true };
        chart.limit = Some(target);
        chart
    }

    fn dots(&self, value: fn(PlanFound) -> f64) -> Vec<Dot> {
        let dot = |curves: &Curves, step: &Step| Dot {
            at_s: step.until_s,
            value: value(step.to),
            class: class(curves),
            says: format!(
                "{:.2} s, {}: {} → {}, {}",
                step.until_s, step.by, step.from, step.to, step.reason
            ),
        };
        let all = self.curves.iter();
        all.flat_map(|curves| curves.steps.iter().map(move |step| dot(curves, step))).collect()
    }

    fn decisions(&self, page: &mut String) {
        for curves in self.curves.iter().filter(|curves| !curves.steps.is_empty()) {
            let shown = if curves.steps.len() < curves.steps_total {
                format!(", the {} that moved most of {}", curves.steps.len(), curves.steps_total)
            } else {
                String::new()
            };
            let _ = writeln!(
                page,
                "<details class=\"{}\"><summary>Decisions of {} ({}{shown})</summary><div class=\"wide\">\
                 <table><thead><tr><th scope=\"col\">Time<th scope=\"col\">Who<th scope=\"col\">From\
                 <th scope=\"col\">To<th scope=\"col\">Times<th scope=\"col\" class=\"why\">Why</thead><tbody>",
                hides(curves),
                escaped(&curves.name),
                curves.decisions,
            );
            for step in &curves.steps {
                let _ = writeln!(
                    page,
                    "<tr><td>{:.2} s<td>{}<td>{}<td>{}<td>{}<td class=\"why\">{}",
                    step.until_s,
                    escaped(step.by),
                    step.from,
                    step.to,
                    step.count,
                    escaped(&step.reason),
                );
            }
            page.push_str("</tbody></table></div></details>\n");
        }
    }
}

/// Colour, and what hides it. A static plan of a claim has none of the controllers' colours.
fn class(curves: &Curves) -> String {
    let class = |color: usize| format!("c{} k{color}", color % COLORS);
    curves.color.map_or_else(|| "still".into(), class)
}

fn hides(curves: &Curves) -> String {
    curves.color.map_or_else(String::new, |color| format!("k{color}"))
}

/// A time that may never have come.
pub(super) fn settled(seconds: Option<f64>) -> String {
    or_dash(seconds, time)
}
