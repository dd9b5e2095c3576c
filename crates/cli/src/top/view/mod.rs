//! How does it look? An overview of all lanes, and one lane with its decisions.
//!
//! Drawn with the terminal's own colours and few accents. What does not fit is left out in the
//! order of its worth: columns first, then lines; from 30 × 8 on something useful is there.

mod lane;
mod overview;
mod paint;
pub(super) mod words;

use std::time::Duration;

use super::folded::Folded;
use super::state::{Known, State, View};
pub(super) use paint::{Mood, Paint};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Stylize as _;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

/// Without a tick for so long, what is shown is old.
const STALE: Duration = Duration::from_secs(1);

/// Draws all of it.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    state: &State,
    paint: &Paint,
    url: &str,
    silent: Duration,
) {
    let [title, body, keys] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)])
            .areas(frame.area());
    frame.render_widget(headline(state, paint, url, silent, title.width), title);
    match state.shown() {
        None => waiting(frame, body, state, url),
        Some(known) => match state.view {
            View::Overview => overview::draw(frame, body, state, known, paint),
            View::Lane => lane::draw(frame, body, state, known, paint),
        },
    }
    frame.render_widget(key_line(state, keys.width), keys);
    if state.help {
        help(frame);
    }
}

fn waiting(frame: &mut Frame<'_>, area: Rect, state: &State, url: &str) {
    let why = state.down.as_deref().unwrap_or("asking the server");
    let text = format!("{url}\n\n{why}\n\nIt is asked again until it answers (q quits).");
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
}

/// Version, server, and how fresh it is.
fn headline(
    state: &State,
    paint: &Paint,
    url: &str,
    silent: Duration,
    width: u16,
) -> Line<'static> {
    let (said, mood) = match (&state.down, state.is_still()) {
        (Some(why), _) => (format!("disconnected: {why}"), Mood::Bad),
        (None, true) => ("standing still (space goes on)".to_owned(), Mood::Warn),
        (None, false) if state.known.is_none() => ("connecting".to_owned(), Mood::Warn),
        (None, false) if silent > STALE => {
            (format!("nothing heard for {}", words::time(silent.as_secs_f64())), Mood::Warn)
        }
        (None, false) => match &state.remark {
            Some(remark) => (remark.clone(), Mood::Warn),
            None => ("live".to_owned(), Mood::Good),
        },
    };
    let about = state.shown().map(|known| {
        let up = words::time(known.tick.uptime_seconds);
        format!(" {} · up {up}", known.server.version)
    });
    let left = format!("tidegate{}", about.unwrap_or_default());
    let place = format!(" · {url}");
    let room = usize::from(width);
    let said = words::cut(&said, room.saturating_sub(left.chars().count() + 2));
    let used = left.chars().count() + said.chars().count();
    let place = if used + place.chars().count() + 2 <= room { place } else { String::new() };
    let gap = room.saturating_sub(used + place.chars().count()).max(1);
    Line::from_iter([
        Span::raw(left).bold(),
        Span::raw(place).dim(),
        Span::raw(" ".repeat(gap)),
        paint.span(said, mood),
    ])
}

/// The keys that do something here, as many as fit.
fn key_line(state: &State, width: u16) -> Line<'static> {
    let keys: &[(&str, &str)] = match state.view {
        View::Overview => &[
            ("q", "quit"),
            ("↑↓", "choose"),
            ("enter", "lane"),
            ("space", "stand still"),
            ("?", "help"),
        ],
        View::Lane => &[
            ("q", "quit"),
            ("esc", "back"),
            ("↑↓", "decisions"),
            ("tab", "next lane"),
            ("space", "stand still"),
            ("?", "help"),
        ],
    };
    let (mut spans, mut used) = (Vec::new(), 0);
    for (key, does) in keys {
        let length = key.chars().count() + does.chars().count() + 3;
        if used + length > usize::from(width) + 2 {
            break;
        }
        used += length;
        spans.extend([Span::raw(*key).bold(), Span::raw(format!(" {does}  ")).dim()]);
    }
    Line::from(spans)
}

fn help(frame: &mut Frame<'_>) {
    let lines = [
        "q, Ctrl-C     quit",
        "↑ ↓ or k j    choose a lane; in a lane: scroll its decisions",
        "Enter, →      the lane    Esc, ←   back",
        "Tab, ⇧Tab     the next lane, the one before",
        "g G           the first, the last",
        "space         stand still, go on",
        "",
        "Rates are means over the last second, latencies of the last",
        "2.5 to 5 seconds. Latencies over the target are marked.",
        "Any key closes this.",
    ];
    let area = frame.area();
    let (width, height) = (64.min(area.width), 12.min(area.height));
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    frame.render_widget(Clear, place);
    let text = Text::from_iter(lines.map(Line::from));
    frame.render_widget(Paragraph::new(text).block(Block::bordered().title(" Keys ")), place);
}

/// Decisions on a line: when, where, what, how many, why.
fn decision(known: &Known, of: &Folded<'_>, with_lane: bool, width: usize) -> Line<'static> {
    let made = of.last;
    #[expect(clippy::cast_precision_loss, reason = "an age for a person")]
    let ago = (known.tick.at_unix_ms - made.at_unix_ms).max(0) as f64 / 1e3;
    let ago = format!("{:>7} ", words::time(ago));
    let lane = if with_lane { format!("{} ", made.lane) } else { String::new() };
    let plan = words::step(of.from, &made.to);
    let count = if of.count > 1 { format!(" in {} steps", of.count) } else { String::new() };
    let used = [&ago, &lane, &plan, &count].map(|text| text.chars().count()).iter().sum::<usize>();
    let room = width.saturating_sub(used + 2);
    Line::from_iter([
        Span::raw(ago).dim(),
        Span::raw(lane),
        Span::raw(plan).bold(),
        Span::raw(count).dim(),
        Span::raw("  "),
        Span::raw(words::cut(&made.reason, room)).dim(),
    ])
}
