//! How does the story look on a terminal? Figures, two charts, and the last decisions.
//!
//! Drawn with the terminal's own colours and few accents, for light and dark ground alike. It
//! fits 80 × 24; what there is more goes to the charts and to decisions.

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Stylize as _};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Paragraph, Wrap};

use super::caption::caption;
use super::chart::{self, CALM, NEIGHBOUR};
use super::plan::Phase;
use super::slots::column;
use super::story::{Move, Story};
use super::words::{self, float};

/// Columns left of a chart, for its scale.
const GUTTER: u16 = 9;

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, story: &Story) {
    let area = frame.area();
    let moves = if area.height >= 34 { 8 } else { 3 };
    // A line of distance above each heading, where there is room for it.
    let gap = u16::from(area.height >= 28);
    let caption_lines = if area.width >= 110 { 2 } else { 3 };
    let rows = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(caption_lines),
        Constraint::Length(4),
        Constraint::Length(1 + gap),
        Constraint::Fill(1),
        Constraint::Length(1 + gap),
        Constraint::Fill(1),
        Constraint::Length(1),
        Constraint::Length(1 + gap),
        Constraint::Length(moves),
    ]);
    let [title, text, numbers, size_title, sizes, rate_title, rates, axis, moves_title, moves] =
        rows.areas(area);
    frame.render_widget(headline(story, title.width), title);
    frame.render_widget(Paragraph::new(caption(story)).wrap(Wrap { trim: true }), text);
    frame.render_widget(figures(story), numbers);

    let columns = usize::from(area.width.saturating_sub(GUTTER));
    let marked = marked(story, columns);
    frame.render_widget(heading("batch size, events", gap), size_title);
    chart(frame, sizes, &story.batch_sizes(columns), &marked);
    frame.render_widget(heading("delivered, events a second", gap), rate_title);
    chart(frame, rates, &story.deliveries(columns), &marked);
    let [begin, line] = beside(axis);
    let width = usize::from(GUTTER).saturating_sub(1);
    frame.render_widget(Line::from(format!("{:>width$}", "0 s")).dim(), begin);
    frame.render_widget(chart::axis(columns, &marked, &words::about(story.span())), line);
    frame.render_widget(heading("decisions, the last first", gap), moves_title);
    let lines = story.moves().take(usize::from(moves.height)).map(decision);
    frame.render_widget(Text::from_iter(lines), moves);
}

fn headline(story: &Story, width: u16) -> Line<'static> {
    let name = "tidegate demo";
    let (elapsed, length) = (words::seconds(story.elapsed()), words::about(story.length));
    let time = format!("{elapsed} of {length}");
    let (what, color) = match story.phase() {
        Phase::Neighbour => ("with a neighbour", NEIGHBOUR),
        Phase::Draining => ("delivering what is left", CALM),
        Phase::Before | Phase::After => ("alone with the database", CALM),
    };
    // A small terminal has no room for where the dashboard is.
    let used = name.len() + what.len() + 3 + time.len();
    let at = format!(" · {}", story.dashboard);
    let at = Some(at).filter(|at| used + at.chars().count() < usize::from(width));
    let at = at.unwrap_or_default();
    let gap = usize::from(width).saturating_sub(used + at.chars().count()).max(1);
    Line::from_iter([
        Span::raw(name).bold(),
        Span::raw(" · "),
        Span::raw(what).fg(color).bold(),
        Span::raw(at),
        Span::raw(" ".repeat(gap)),
        Span::raw(time),
    ])
}

fn heading(text: &'static str, gap: u16) -> Text<'static> {
    let mut lines = vec![Line::default(); usize::from(gap)];
    lines.push(Line::from(text).bold());
    Text::from(lines)
}

/// A label and a value, in a field of its own.
fn field(label: &str, value: String) -> [Span<'static>; 3] {
    let pad = 20usize.saturating_sub(label.len() + 1 + value.chars().count()).max(2);
    [Span::raw(format!("{label} ")).dim(), Span::raw(value).bold(), Span::raw(" ".repeat(pad))]
}

fn figures(story: &Story) -> Text<'static> {
    let lane = story.now.lane();
    let (accepted, delivered) = story.rates();
    let latency = |of: Option<super::watch::Percentiles>| {
        of.map_or_else(
            || ("–".to_owned(), "–".to_owned()),
            |of| (words::ms(of.p50), words::ms(of.p99)),
        )
    };
    let line = |name: &'static str, fields: [[Span<'static>; 3]; 3]| {
        let name = Span::raw(format!("{name:<GUTTER$}", GUTTER = usize::from(GUTTER)));
        Line::from_iter(std::iter::once(name).chain(fields.into_iter().flatten()))
    };
    let (attempt, delivery) = (latency(lane.attempt_latency_ms), latency(lane.delivery_latency_ms));
    let over = format!("over {}", words::ms(story.target_ms));
    let missed = format!("{} of {}", words::count(lane.misses), words::count(lane.attempts));
    Text::from(vec![
        line(
            "plan",
            [
                field("batch", words::count(lane.plan.batch_size)),
                field("concurrency", format!("{}", lane.plan.concurrency)),
                field("linger", format!("{:.0} ms", lane.plan.linger_ms)),
            ],
        ),
        line(
            "events",
            [
                field("in", words::rate(accepted)),
                field("out", words::rate(delivered)),
                field("backlog", words::count(lane.backlog)),
            ],
        ),
        line("attempt", [field("p50", attempt.0), field("p99", attempt.1), field(&over, missed)]),
        line(
            "delivery",
            [
                field("p50", delivery.0),
                field("p99", delivery.1),
                field("over the last 10 to 20 s", String::new()),
            ],
        ),
    ])
}

/// The columns in which the neighbour was there.
fn marked(story: &Story, columns: usize) -> Range<usize> {
    story.neighbour.as_ref().map_or(0..0, |(span, _)| {
        let from = column(span.start, story.span(), columns);
        from..column(span.end, story.span(), columns).max(from) + 1
    })
}

/// The scale, and what it belongs to.
fn beside(area: Rect) -> [Rect; 2] {
    Layout::horizontal([Constraint::Length(GUTTER), Constraint::Fill(1)]).areas(area)
}

fn chart(frame: &mut Frame<'_>, area: Rect, values: &[Option<f64>], marked: &Range<usize>) {
    let [scale, plot] = beside(area);
    let most = values.iter().flatten().fold(0.0_f64, |most, value| most.max(*value));
    let top = chart::ceiling(most);
    let height = usize::from(plot.height);
    frame.render_widget(Text::from(chart::bars(values, top, height, marked)), plot);
    let width = usize::from(GUTTER).saturating_sub(1);
    let label =
        |value: f64| Line::from(format!("{:>width$}", words::count(words::whole(value)))).dim();
    let mut labels = vec![Line::default(); height];
    if let Some(last) = labels.last_mut() {
        *last = label(0.0);
    }
    if let Some(first) = labels.first_mut() {
        *first = label(top);
    }
    // A scale between its ends, where there is room for one.
    if height >= 5
        && !height.is_multiple_of(2)
        && let Some(middle) = labels.get_mut(height / 2)
    {
        *middle = label(top * float(height as u64 / 2) / float(height as u64 - 1));
    }
    frame.render_widget(Text::from(labels), scale);
}

fn decision(one: &Move) -> Line<'static> {
    let (arrow, color) =
        if one.to > one.from { ("▲", Color::Green) } else { ("▼", Color::Red) };
    // The direction stands beside it already.
    let reason = one.reason.split_once(": ").map_or(one.reason.as_str(), |(_, reason)| reason);
    let times = format!("{}×", words::count(one.times));
    let sizes = format!("{} → {}", words::count(one.from), words::count(one.to));
    Line::from_iter([
        Span::raw(format!("{:>7} ", words::seconds(one.at))).dim(),
        Span::raw(arrow).fg(color),
        Span::raw(format!("{times:>5} {sizes:<15} ")),
        Span::raw(reason.to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::story::tests::sample;
    use super::*;

    fn drawn(story: &Story, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, story)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..height).map(|y| row(y).trim_end().to_owned()).collect()
    }

    fn has(lines: &[String], text: &str) {
        assert!(lines.iter().any(|line| line.contains(text)), "{text} is not in\n{lines:#?}");
    }

    #[test]
    fn a_small_terminal_shows_every_figure() {
        let lines = drawn(&sample(), 80, 24);
        for text in [
            "tidegate demo · with a neighbour · http://127.0.0.1:8080/",
            "10.0 s of 25 s",
            "A neighbour has come",
            "batch 153",
            "concurrency 1",
            "in 100,000/s",
            "backlog 1,200",
            "p50 4.2 ms",
            "p99 61 ms",
            "over 50 ms 100 of 10,000",
            "p99 1.31 s",
            "━━━━━━",
            "▼  11× 500 → 153",
            "▲  40× 100 → 500",
        ] {
            has(&lines, text);
        }
        assert!(lines.iter().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn a_large_one_has_larger_charts() {
        let bars = |lines: &[String]| lines.iter().filter(|line| line.contains('█')).count();
        let (small, large) = (drawn(&sample(), 80, 24), drawn(&sample(), 140, 40));
        assert!(bars(&large) > bars(&small), "{large:#?}");
        has(&large, "─ neighbour ━─");
        has(&large, "─ 25 s");
    }

    #[test]
    fn no_size_and_no_story_is_too_small_to_draw() {
        for (width, height) in [(1, 1), (10, 5), (40, 12), (300, 100)] {
            drawn(&sample(), width, height);
            drawn(&Story::default(), width, height);
        }
    }
}
