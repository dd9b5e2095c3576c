//! How does a figure look over time? As bars of eighths of a character, a column a slot.
//!
//! Pure, and of text alone, so that it can be tested without a terminal. The span in which the
//! neighbour was there has its own colour, and a name on the axis for those who see none.

use std::ops::Range;

use ratatui::style::{Color, Style, Stylize as _};
use ratatui::text::{Line, Span};

use super::words::{self, float};

/// Colours that are readable on light and on dark ground.
pub(super) const CALM: Color = Color::Cyan;
pub(super) const NEIGHBOUR: Color = Color::Magenta;

const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// Steps of round numbers within a power of ten.
const STEPS: [f64; 9] = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];

/// The next round number from `most` upwards, at least 1.
pub(super) fn ceiling(most: f64) -> f64 {
    let most = most.max(1.0);
    let power = 10f64.powf(most.log10().floor());
    STEPS.into_iter().map(|step| step * power).find(|top| *top >= most).unwrap_or(most)
}

/// Bars of `height` lines, the highest first; `top` fills them.
pub(super) fn bars(
    values: &[Option<f64>],
    top: f64,
    height: usize,
    marked: &Range<usize>,
) -> Vec<Line<'static>> {
    let row = |row: usize| {
        let cells = values.iter().enumerate().map(|(at, value)| {
            let color = if marked.contains(&at) { NEIGHBOUR } else { CALM };
            Span::styled(cell(*value, top, height, row), Style::new().fg(color))
        });
        Line::from_iter(cells)
    };
    (0..height).rev().map(row).collect()
}

/// What stands in the `row`-th line from below.
fn cell(value: Option<f64>, top: f64, height: usize, row: usize) -> &'static str {
    let Some(value) = value else { return " " };
    let eighths = words::whole(value / top * float(8 * height as u64));
    // What is there is seen, however little it is.
    let eighths = eighths.max(u64::from(value > 0.0));
    let here = eighths.saturating_sub(8 * row as u64).min(8);
    usize::try_from(here).ok().and_then(|here| EIGHTHS.get(here)).unwrap_or(&" ")
}

/// The axis below: a line to `end`, with the neighbour's span marked by its name if there is room.
pub(super) fn axis(columns: usize, marked: &Range<usize>, end: &str) -> Line<'static> {
    let end = format!(" {end}");
    let length = columns.saturating_sub(end.len());
    let marked = marked.start.min(length)..marked.end.min(length);
    let name = " neighbour ";
    let room = marked.len();
    let bold = match room >= name.len() {
        true => format!("{name:━^room$}"),
        false => "━".repeat(room),
    };
    Line::from_iter([
        Span::raw("─".repeat(marked.start)).dim(),
        Span::raw(bold).fg(NEIGHBOUR).bold(),
        Span::raw("─".repeat(length.saturating_sub(marked.end.max(marked.start)))).dim(),
        Span::raw(end).dim(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &Line<'_>) -> String {
        line.spans.iter().map(|span| span.content.as_ref()).collect()
    }

    #[test]
    fn ceilings_are_round() {
        let tops = [0.0, 1.0, 1_630.0, 98_300.0, 100_000.0, 100_001.0].map(ceiling);
        assert_eq!(tops, [1.0, 1.0, 2_000.0, 100_000.0, 100_000.0, 150_000.0]);
    }

    #[test]
    fn bars_grow_by_eighths() {
        let values = [Some(0.0), Some(0.01), Some(4.0), Some(12.0), Some(16.0), Some(99.0), None];
        let lines: Vec<_> = bars(&values, 16.0, 2, &(0..0)).iter().map(text).collect();
        assert_eq!(lines, ["   ▄██ ", " ▁▄███ "]);
    }

    #[test]
    fn the_axis_is_as_long_as_the_bars_and_names_the_neighbour() {
        let axis = |columns, marked| text(&axis(columns, &marked, "9 s"));
        assert_eq!(axis(34, 8..23), "────────━━ neighbour ━━─────── 9 s");
        assert_eq!(axis(9, 2..3), "──━── 9 s");
        assert_eq!(axis(8, 2..9), "──━━ 9 s");
        assert_eq!(axis(7, 0..0), "─── 9 s");
        assert_eq!(axis(1, 0..1), " 9 s");
    }
}
