//! Why did it come out so? A picture of one run: goodput and misses, attempt latency against the
//! target, and the plan, over the same seconds.
//!
//! Where the middle of the run was disturbed, that part lies on a grey ground.

use std::fmt::Write as _;

use tidegate::Decision;

use crate::figures::{figures, quantile};
use crate::record::{Run, Target};
use crate::trace::Disturbed;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 70.0;
const PANEL: f64 = 110.0;
const GAP: f64 = 34.0;
const TOP: f64 = 40.0;
/// Bins of time in a picture.
const BINS: u32 = 160;

/// A picture under way.
struct Picture {
    out: String,
    seconds: f64,
}

/// A panel: where its lower edge is, and the value at its upper edge.
#[derive(Clone, Copy)]
struct Panel {
    base: f64,
    most: f64,
}

impl Panel {
    fn y(self, value: f64) -> f64 {
        self.base - PANEL * (value / self.most).clamp(0.0, 1.0)
    }
}

/// The picture of a run of `seconds`, under that title.
pub(crate) fn svg(
    title: &str,
    run: &Run,
    seconds: f64,
    target: Target,
    disturbed: Disturbed,
) -> String {
    let height = TOP + 4.0 * (PANEL + GAP);
    let mut picture = Picture { out: String::new(), seconds };
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        picture.out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
         <rect width=\"{}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"16\" y=\"22\" font-size=\"15\">{title}</text>",
        WIDTH + LEFT + 16.0,
        WIDTH + LEFT + 16.0,
    );
    if let Some((from, to)) = disturbed {
        let (x, width) = (picture.x(from), picture.x(to) - picture.x(from));
        let _ = writeln!(
            picture.out,
            "<rect x=\"{x:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"#eee\"/>",
            height - TOP - GAP / 2.0
        );
    }
    picture.rates(run);
    picture.latencies(run, target);
    let sizes = plan_steps(run, |plan| f64::from(plan.batch_size));
    picture.steps(2, "batch size", &sizes);
    let concurrencies = plan_steps(run, |plan| plan.concurrency);
    picture.steps(3, "batches in flight", &concurrencies);
    picture.out + "</svg>\n"
}

fn plan_steps(run: &Run, of: fn(&tidegate::Plan) -> f64) -> Vec<(f64, f64)> {
    let changes = run.decisions.iter().map(|one: &Decision| (one.at.as_secs_f64(), of(&one.to)));
    std::iter::once((0.0, of(&run.first))).chain(changes).collect()
}

impl Picture {
    fn x(&self, at_s: f64) -> f64 {
        LEFT + WIDTH * (at_s / self.seconds).clamp(0.0, 1.0)
    }

    fn spans(&self) -> impl Iterator<Item = (f64, f64)> + use<> {
        let width = self.seconds / f64::from(BINS);
        (0..BINS).map(move |bin| (f64::from(bin) * width, f64::from(bin + 1) * width))
    }

    /// A panel with its frame, its name and the value of its upper edge.
    fn panel(&mut self, place: u8, name: &str, most: f64, unit: &str) -> Panel {
        let most = if most > 0.0 { most } else { 1.0 };
        let base = TOP + PANEL + f64::from(place) * (PANEL + GAP);
        let top = base - PANEL;
        let digits = if most < 10.0 { 1 } else { 0 };
        let _ = writeln!(
            self.out,
            "<path d=\"M{LEFT} {top}V{base}H{}\" fill=\"none\" stroke=\"#999\"/>\n\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{most:.digits$}{unit}</text>\n\
             <text x=\"{}\" y=\"{base}\" text-anchor=\"end\">0</text>\n\
             <text x=\"{}\" y=\"{}\" fill=\"#555\">{name}</text>",
            LEFT + WIDTH,
            LEFT - 6.0,
            top + 10.0,
            LEFT - 6.0,
            LEFT + 6.0,
            top - 5.0,
        );
        Panel { base, most }
    }

    fn line(&mut self, points: &[(f64, f64)], color: &str) {
        let mut path = String::new();
        for (x, y) in points {
            let letter = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{letter}{x:.1} {y:.1}");
        }
        let _ = writeln!(
            self.out,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.5\"/>"
        );
    }

    fn rates(&mut self, run: &Run) {
        let bins: Vec<_> = self.spans().map(|span| (span, figures(&run.attempts, span))).collect();
        let missed = |one: &crate::figures::Figures| one.delivered - one.goodput;
        let most = bins.iter().map(|(_, one)| one.delivered).fold(0.0, f64::max);
        let panel = self.panel(0, "delivered, k/s: in time (blue), late (red)", most / 1e3, "");
        for ((from, to), one) in &bins {
            let (x, width) = (self.x(*from), self.x(*to) - self.x(*from));
            let middle = panel.y(one.goodput / 1e3);
            let top = panel.y((one.goodput + missed(one)) / 1e3);
            let _ = writeln!(
                self.out,
                "<rect x=\"{x:.1}\" y=\"{middle:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"#3b82c4\"/>\n\
                 <rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"#d9480f\"/>",
                panel.base - middle,
                middle - top,
            );
        }
    }

    fn latencies(&mut self, run: &Run, target: Target) {
        let allowed = target.latency.as_secs_f64() * 1e3;
        let panel = self.panel(
            1,
            "attempt latency, ms: median (blue), longest (grey), target (red)",
            2.0 * allowed,
            "",
        );
        let (mut medians, mut longest) = (Vec::new(), Vec::new());
        for (from, to) in self.spans() {
            let inside = run.attempts.iter().filter(|one| {
                let at = one.answered().as_secs_f64();
                at >= from && at < to
            });
            let mut all: Vec<f64> = inside.map(|one| one.latency.as_secs_f64() * 1e3).collect();
            all.sort_by(f64::total_cmp);
            if !all.is_empty() {
                medians.push((self.x(from), panel.y(quantile(&all, 0.5))));
                longest.push((self.x(from), panel.y(quantile(&all, 1.0))));
            }
        }
        self.line(&longest, "#bbb");
        self.line(&medians, "#3b82c4");
        let y = panel.y(allowed);
        self.line(&[(LEFT, y), (LEFT + WIDTH, y)], "#d9480f");
    }

    /// A value that holds until the next.
    fn steps(&mut self, place: u8, name: &str, steps: &[(f64, f64)]) {
        let most = steps.iter().map(|(_, value)| *value).fold(0.0, f64::max);
        let panel = self.panel(place, name, most, "");
        let mut points: Vec<(f64, f64)> = Vec::new();
        for (at_s, value) in steps {
            let (x, y) = (self.x(*at_s), panel.y(*value));
            if let Some((_, before)) = points.last().copied() {
                points.push((x, before));
            }
            points.push((x, y));
        }
        if let Some((_, last)) = points.last().copied() {
            points.push((LEFT + WIDTH, last));
        }
        self.line(&points, "#222");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Attempt, Latency, histogram};
    use std::time::Duration;
    use tidegate::{Epoch, Moment, Outcome, Plan, Sent};

    #[test]
    fn a_picture_shows_the_run_and_what_disturbed_it() {
        let plan = |batch_size| Plan {
            batch_size,
            concurrency: 2.0,
            pace: None,
            linger: Duration::ZERO,
            epoch: Epoch(0),
        };
        let sent = Sent {
            at: Moment::ZERO,
            epoch: Epoch(0),
            target: 100,
            items: 100,
            bytes: 0,
            in_flight: 1,
            full: true,
        };
        let latency = Duration::from_millis(10);
        let at = Moment::ZERO + Duration::from_millis(500);
        let change = Decision { at, by: "aimd", reason: "".into(), from: plan(100), to: plan(200) };
        let run = Run {
            attempts: vec![Attempt { sent, latency, outcome: Outcome::Ok, timely: 100, missed: 0 }],
            decisions: vec![change],
            delivery: histogram(),
            queued: 0,
            first: plan(100),
            last: plan(200),
        };
        let target = Target { latency: Duration::from_millis(50), of: Latency::Attempt };
        let picture = svg("a <b", &run, 1.0, target, Some((0.3, 0.6)));
        assert!(picture.contains("a &lt;b") && picture.contains("fill=\"#eee\""));
        // The size steps up in the middle: half its panel before, the whole of it after.
        let base = TOP + PANEL + 2.0 * (PANEL + GAP);
        let (half, full) = (base - PANEL / 2.0, base - PANEL);
        let middle = LEFT + WIDTH / 2.0;
        let steps = format!("M{LEFT:.1} {half:.1}L{middle:.1} {half:.1}L{middle:.1} {full:.1}");
        assert!(picture.contains(&steps), "{steps} in {picture}");
    }
}
