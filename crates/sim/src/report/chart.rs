//! How does a chart look? An SVG: axes with units, one line a controller, the oracle dashed, and
//! dots for decisions. Its numbers can be read back by the script, so nothing is written twice.

use std::fmt::Write;

use super::scale::Scale;
use super::words::{escaped, short};

/// The drawing, in the units of its view box.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;

/// A chart of something over time.
pub(super) struct Chart<'a> {
    /// What is drawn, with its unit: the chart's heading.
    pub(super) title: &'a str,
    /// The unit for the reader that points at it.
    pub(super) unit: &'a str,
    /// What a listener hears.
    pub(super) label: String,
    pub(super) scale: Scale,
    pub(super) duration_s: f64,
    pub(super) lines: Vec<Line<'a>>,
    pub(super) dots: Vec<Dot>,
    /// Moments at which the scenario changes.
    pub(super) changes_s: &'a [f64],
    /// A value that is a limit (the target).
    pub(super) limit: Option<f64>,
}

/// A line of a chart.
pub(super) struct Line<'a> {
    /// Its name where it is read.
    pub(super) name: &'a str,
    /// Its classes: colour, and what hides it.
    pub(super) class: String,
    /// Seconds and value; a gap where there is no value.
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// A decision.
pub(super) struct Dot {
    pub(super) at_s: f64,
    pub(super) value: f64,
    pub(super) class: String,
    pub(super) says: String,
}

impl Chart<'_> {
    fn x(&self, at_s: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (at_s / self.duration_s).clamp(0.0, 1.0)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * self.scale.place(value)
    }

    pub(super) fn write(&self, page: &mut String) {
        let Scale { low, high, log } = self.scale;
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        let _ = writeln!(
            page,
            "<figure class=\"chart\"><figcaption>{}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             role=\"img\" aria-label=\"{}\" data-unit=\"{}\" data-seconds=\"{}\" data-low=\"{low}\" \
             data-high=\"{high}\" data-log=\"{}\" data-box=\"{LEFT} {right} {TOP} {bottom}\">",
            escaped(self.title),
            escaped(&self.label),
            escaped(self.unit),
            self.duration_s,
            u8::from(log),
        );
        self.axes(page);
        for line in &self.lines {
            let path = self.path(line);
            let (class, name) = (&line.class, escaped(line.name));
            let _ = writeln!(page, "<path class=\"{class}\" data-name=\"{name}\" d=\"{path}\"/>");
        }
        for dot in &self.dots {
            let _ = writeln!(
                page,
                "<circle class=\"{}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.6\"><title>{}</title></circle>",
                dot.class,
                self.x(dot.at_s),
                self.y(dot.value),
                escaped(&dot.says),
            );
        }
        page.push_str("</svg></figure>\n");
    }

    fn axes(&self, page: &mut String) {
        let right = WIDTH - RIGHT;
        let bottom = HEIGHT - BOTTOM;
        let mut grid = String::new();
        for tick in self.scale.ticks() {
            let y = self.y(tick);
            let _ = write!(grid, "M{LEFT} {y:.1}H{right}");
            let _ = writeln!(
                page,
                "<text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                y + 3.5,
                short(tick)
            );
        }
        let _ = writeln!(page, "<path class=\"grid\" d=\"{grid}\"/>");
        let seconds = Scale { low: 0.0, high: self.duration_s, log: false };
        for tick in seconds.even(6.0) {
            let (x, y) = (self.x(tick), HEIGHT - 7.0);
            let anchor = if tick >= self.duration_s * 0.99 { "end" } else { "middle" };
            let unit = if tick <= 0.0 { "" } else { " s" };
            let _ = writeln!(
                page,
                "<text class=\"tick\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{}{unit}</text>",
                short(tick)
            );
        }
        for change in self.changes_s {
            let x = self.x(*change);
            let _ = writeln!(page, "<path class=\"change\" d=\"M{x:.1} {TOP}V{bottom}\"/>");
        }
        if let Some(limit) = self.limit {
            let y = self.y(limit);
            let _ = writeln!(page, "<path class=\"limit\" d=\"M{LEFT} {y:.1}H{right}\"/>");
        }
    }

    fn path(&self, line: &Line) -> String {
        let mut path = String::new();
        let mut pen_down = false;
        for (at_s, value) in &line.points {
            let Some(value) = value else {
                pen_down = false;
                continue;
            };
            let pen = if pen_down { 'L' } else { 'M' };
            let _ = write!(path, "{pen}{:.1} {:.1}", self.x(*at_s), self.y(*value));
            pen_down = true;
        }
        path
    }
}
