//! All lanes at once: the sentence, the totals, a row for each lane, and the last decisions.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style, Stylize as _};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Cell, Paragraph, Row, Table, TableState, Wrap};
use tidegate_server::live::contract::{BreakerState, LaneState, Level, Tick, Usage};

use super::{Mood, Paint, decision, words};
use crate::top::folded::folded;
use crate::top::state::{Known, Seen, State};

/// Columns in the order of their worth: heading, width, and the value of a lane.
type Column = (&'static str, u16, fn(&Seen<'_>) -> (String, Mood));

const COLUMNS: [Column; 12] = [
    ("state", 9, state),
    ("out/s", 6, |lane| plain(words::short(lane.now.out_per_second))),
    ("plan", 10, |lane| plain(words::plan(&lane.now.plan))),
    ("p99", 7, p99),
    ("backlog", 7, backlog),
    ("in/s", 6, |lane| plain(words::short(lane.now.in_per_second))),
    ("err/s", 6, errors),
    ("breaker", 9, breaker),
    ("oldest", 7, oldest),
    ("p50", 7, |lane| plain(lane.now.attempt_ms.map_or_else(dash, |of| words::ms(of.p50)))),
    ("target", 7, |lane| plain(words::ms(lane.facts.target_ms))),
    ("out, last minute", 24, |lane| plain(words::spark(lane.charts.out.iter(), 24))),
];

fn plain(text: String) -> (String, Mood) {
    (text, Mood::Plain)
}

fn dash() -> String {
    "–".to_owned()
}

fn state(lane: &Seen<'_>) -> (String, Mood) {
    let mood = match lane.now.state {
        LaneState::Running => Mood::Good,
        LaneState::Starting | LaneState::Draining => Mood::Plain,
        LaneState::Retrying => Mood::Warn,
        LaneState::Blocked | LaneState::Detached | LaneState::Stopped => Mood::Bad,
    };
    (words::state(lane.now.state).to_owned(), mood)
}

/// Latency against the target.
fn p99(lane: &Seen<'_>) -> (String, Mood) {
    let Some(of) = lane.now.attempt_ms else { return plain(dash()) };
    let mood = if of.p95 > lane.facts.target_ms {
        Mood::Bad
    } else if of.p99 > lane.facts.target_ms {
        Mood::Warn
    } else {
        Mood::Plain
    };
    (words::ms(of.p99), mood)
}

#[expect(clippy::cast_precision_loss, reason = "a comparison for people")]
fn backlog(lane: &Seen<'_>) -> (String, Mood) {
    let seconds = lane.now.backlog as f64 / lane.now.out_per_second.max(1.0);
    let mood = if seconds > 60.0 { Mood::Warn } else { Mood::Plain };
    (words::count(lane.now.backlog), mood)
}

fn errors(lane: &Seen<'_>) -> (String, Mood) {
    let errors = lane.now.errors_per_second;
    (words::short(errors), if errors > 0.0 { Mood::Warn } else { Mood::Plain })
}

fn oldest(lane: &Seen<'_>) -> (String, Mood) {
    plain(lane.now.oldest_seconds.map_or_else(dash, |seconds| words::ms(seconds * 1e3)))
}

fn breaker(lane: &Seen<'_>) -> (String, Mood) {
    match lane.outage.map(|sink| sink.breaker) {
        Some(BreakerState::Open) => ("open".to_owned(), Mood::Bad),
        Some(BreakerState::HalfOpen) => ("half-open".to_owned(), Mood::Warn),
        Some(BreakerState::Closed) => ("closed".to_owned(), Mood::Plain),
        None => plain(dash()),
    }
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State, known: &Known, paint: &Paint) {
    let tick = &known.tick;
    let lanes = u16::try_from(known.lanes.len()).unwrap_or(u16::MAX).saturating_add(1);
    let says = if area.height >= 14 { 2 } else { 1 };
    let totals = totals(tick, paint, area.width);
    let wanted = u16::try_from(totals.len()).unwrap_or(1);
    let figures = if area.height >= 12 { wanted } else { wanted.min(1) };
    // Decisions get a third, or what the lanes leave.
    let rest = area.height.saturating_sub(says + figures);
    let table = lanes.min(rest.saturating_sub(rest / 3)).max(2.min(rest));
    let [sentence, figures, table, heading, decisions] = Layout::vertical([
        Constraint::Length(says),
        Constraint::Length(figures),
        Constraint::Length(table),
        Constraint::Length(1),
        Constraint::Fill(1),
    ])
    .areas(area);
    let mood = if tick.troubles.is_empty() { Mood::Plain } else { Mood::Warn };
    let says = Paragraph::new(Line::from(paint.span(tick.says.clone(), mood).bold()));
    frame.render_widget(says.wrap(Wrap { trim: true }), sentence);
    frame.render_widget(Text::from(totals), figures);
    lanes_table(frame, table, state, known, paint);
    if decisions.height > 0 {
        frame.render_widget(Line::from("why plans moved, the last first").dim(), heading);
        let width = usize::from(decisions.width);
        let with_lane = known.lanes.len() > 1;
        let folded = folded(known.decisions(None));
        let lines = folded.iter().take(usize::from(decisions.height));
        let lines: Vec<_> = lines.map(|of| decision(known, of, with_lane, width)).collect();
        let none = Line::from("        nothing was decided so far").dim();
        let lines = if lines.is_empty() { vec![none] } else { lines };
        frame.render_widget(Text::from(lines), decisions);
    }
}

/// The figures of all lanes together and of the host, in as many lines as they need.
fn totals(tick: &Tick, paint: &Paint, width: u16) -> Vec<Line<'static>> {
    let all = &tick.totals;
    let field = |name: &str, value: String, mood: Mood| {
        let name = Span::raw(format!("{name} ")).dim();
        vec![name, paint.span(value, mood).bold()]
    };
    let usage = |name: &str, of: &Usage| {
        let mood = match of.level {
            Level::Ok => Mood::Plain,
            Level::Warn => Mood::Warn,
            Level::Critical => Mood::Bad,
        };
        let arrow = match of.trend_per_minute {
            trend if trend > 0.01 => "↑",
            trend if trend < -0.01 => "↓",
            _ => "",
        };
        field(name, format!("{}{arrow}", words::percent(of.share)), mood)
    };
    let if_any = |count: f64| if count > 0.0 { Mood::Warn } else { Mood::Plain };
    let letters = tick.dead_letters.items;
    let fields = [
        field("in", format!("{}/s", words::short(all.accepted_per_second)), Mood::Plain),
        field("out", format!("{}/s", words::short(all.delivered_per_second)), Mood::Plain),
        field("backlog", words::count(all.backlog), Mood::Plain),
        field("errors", format!("{}/s", words::short(all.errors_per_second)), {
            if_any(all.errors_per_second)
        }),
        field("dead", words::count(letters), if letters > 0 { Mood::Warn } else { Mood::Plain }),
        usage("cpu", &tick.resources.host_cpu),
        usage("mem", &tick.resources.host_memory),
        usage("disk", &tick.resources.disk),
        usage("journal", &tick.resources.journal),
        field("sync", tick.journal.sync_mean_ms.map_or_else(dash, words::ms), Mood::Plain),
        field("rss", words::bytes(tick.resources.process_memory_bytes), Mood::Plain),
    ];
    let (mut lines, mut used) = (vec![Vec::new()], 0);
    for field in fields {
        let length: usize = field.iter().map(Span::width).sum::<usize>() + 2;
        if used + length > usize::from(width) && used > 0 {
            lines.push(Vec::new());
            used = 0;
        }
        used += length;
        if let Some(line) = lines.last_mut() {
            line.extend(field);
            line.push(Span::raw("  "));
        }
    }
    lines.into_iter().map(Line::from).collect()
}

fn lanes_table(frame: &mut Frame<'_>, area: Rect, state: &State, known: &Known, paint: &Paint) {
    let names = known.lanes.iter().map(|lane| lane.key.chars().count()).max().unwrap_or(4);
    let name = u16::try_from(names).unwrap_or(u16::MAX).clamp(4, (area.width / 3).max(8));
    let mut room = area.width.saturating_sub(name);
    let columns: Vec<&Column> = COLUMNS
        .iter()
        .take_while(|(_, width, _)| {
            let fits = room > *width;
            room = room.saturating_sub(width + 1);
            fits
        })
        .collect();
    let header = columns.iter().map(|(heading, width, _)| {
        let width = usize::from(*width);
        Cell::from(format!("{:>width$}", words::cut(heading, width)))
    });
    let header = Row::new(std::iter::once(Cell::from("lane")).chain(header)).dim();
    let rows = (0..known.lanes.len()).filter_map(|at| known.lane(at)).map(|lane| {
        let key = words::cut(&lane.facts.key, usize::from(name));
        let cells = columns.iter().map(|(_, width, value)| {
            let (text, mood) = value(&lane);
            let width = usize::from(*width);
            Cell::from(format!("{:>width$}", words::cut(&text, width))).style(paint.style(mood))
        });
        Row::new(std::iter::once(Cell::from(key)).chain(cells))
    });
    let widths = std::iter::once(name).chain(columns.iter().map(|(_, width, _)| *width));
    let table = Table::new(rows, widths.map(Constraint::Length))
        .header(header)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut chosen = TableState::new().with_selected(state.chosen);
    frame.render_stateful_widget(table, area, &mut chosen);
}
