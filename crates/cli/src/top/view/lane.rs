//! One lane: the sentence, the plan within its bounds, latencies, why batches left, the breaker, and
//! every decision with its reason.

use std::collections::BTreeMap;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Stylize as _;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Paragraph, Wrap};
use tidegate_server::live::contract::{BreakerState, Decision, Percentiles};

use super::{Mood, Paint, decision, words};
use crate::top::folded::Folded;
use crate::top::state::{Known, Seen, State};

/// Columns of the names at the left.
const NAMES: usize = 10;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State, known: &Known, paint: &Paint) {
    let Some(lane) = known.lane(state.chosen) else {
        return frame.render_widget(Line::from("this server has no such lane"), area);
    };
    let lines = figures(&lane, known, paint, usize::from(area.width));
    let wanted = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let says = if area.height >= 14 { 3 } else { 2 };
    let figures = wanted.min(area.height.saturating_sub(says + 3));
    let [sentence, figures, heading, decisions] = Layout::vertical([
        Constraint::Length(says),
        Constraint::Length(figures),
        Constraint::Length(1),
        Constraint::Fill(1),
    ])
    .areas(area);
    let title = Span::raw(format!("{} ", lane.facts.key)).bold();
    let who = Span::raw(format!("({}) ", lane.facts.controller)).dim();
    let says = Line::from_iter([title, who, Span::raw(lane.now.says.clone())]);
    frame.render_widget(Paragraph::new(says).wrap(Wrap { trim: true }), sentence);
    frame.render_widget(Text::from(lines), figures);
    let total = lane.now.decisions_total;
    let from = if state.scrolled > 0 {
        format!(", from the {}th", state.scrolled + 1)
    } else {
        String::new()
    };
    let told = format!("why the plan moved, the last first ({total} so far{from})");
    frame.render_widget(Line::from(told).dim(), heading);
    let shown = known.decisions(Some(&lane.facts.key)).skip(state.scrolled);
    let shown = shown.take(usize::from(decisions.height));
    let width = usize::from(decisions.width);
    let lines: Vec<_> = shown.map(|made| decision(known, &one(made), false, width)).collect();
    let none = Line::from("        nothing was decided so far").dim();
    let lines = if lines.is_empty() { vec![none] } else { lines };
    frame.render_widget(Text::from(lines), decisions);
}

/// A decision by itself: here every one is told.
const fn one(made: &Decision) -> Folded<'_> {
    Folded { last: made, from: &made.from, count: 1 }
}

/// A line with its name at the left.
fn line(name: &str, spans: impl IntoIterator<Item = Span<'static>>) -> Line<'static> {
    let name = Span::raw(format!("{name:<NAMES$}")).dim();
    Line::from_iter(std::iter::once(name).chain(spans))
}

/// The plan within its bounds, and what holds it down.
fn plan(lane: &Seen<'_>, paint: &Paint) -> Vec<Span<'static>> {
    let (plan, bounds) = (&lane.now.plan, &lane.facts.bounds);
    let mut spans = vec![
        Span::raw(words::plan(plan)).bold(),
        Span::raw(format!(
            "  size {}…{}, in flight ≤ {}, linger {}",
            bounds.batch_size_min,
            words::count(u64::from(bounds.batch_size_max)),
            words::short(bounds.concurrency_max),
            words::ms(plan.linger_ms),
        )),
    ];
    if let Some(pace) = plan.pace {
        spans.push(paint.span(format!("  ≤ {}/s", words::short(pace)), Mood::Warn));
    }
    if lane.now.braking {
        spans.push(paint.span("  held down by a guard", Mood::Warn));
    }
    spans
}

fn latency(of: Option<Percentiles>) -> String {
    of.map_or_else(
        || "none lately".to_owned(),
        |of| {
            let [p50, p95, p99, max] = [of.p50, of.p95, of.p99, of.max].map(words::ms);
            format!("p50 {p50}  p95 {p95}  p99 {p99}  max {max}")
        },
    )
}

/// What is told of a lane, the most worth first.
fn figures(lane: &Seen<'_>, known: &Known, paint: &Paint, width: usize) -> Vec<Line<'static>> {
    let (now, facts) = (lane.now, lane.facts);
    let room = width.saturating_sub(NAMES + 1).min(60);
    let text = |text: String| [Span::raw(text)];
    let late = now.attempt_ms.is_some_and(|of| of.p95 > facts.target_ms);
    let target = format!("  target {}", words::ms(facts.target_ms));
    let target = paint.span(target, if late { Mood::Bad } else { Mood::Plain });
    let rates = format!(
        "in {}/s  out {}/s  {}/s in {} attempts/s",
        words::short(now.in_per_second),
        words::short(now.out_per_second),
        bytes_of(now.out_bytes_per_second),
        words::short(now.attempts_per_second),
    );
    let waits = format!(
        "backlog {}  queue {} ({})  oldest {}",
        words::count(now.backlog),
        words::count(now.queue_items),
        words::bytes(now.queue_bytes),
        now.oldest_seconds.map_or_else(|| "–".to_owned(), words::time),
    );
    let mut lines = vec![
        line("plan", plan(lane, paint)),
        line("events", text(rates)),
        line("waiting", text(waits)),
        line("attempt", [Span::raw(latency(now.attempt_ms)), target]),
        line("delivery", text(latency(now.delivery_ms))),
        line("answers", text(kinds(&now.outcomes))),
        line("left for", text(format!("{}  now {}", kinds(&now.flushes), now.flushed.join(" ")))),
        line("breaker", breaker(lane, known, paint)),
    ];
    if now.retries > 0 {
        lines.push(line("retries", text(format!("after {}", kinds(&now.retries_after)))));
    }
    if let Some(score) = now.load_score {
        lines.push(line("load", text(format!("{score:.2} of 1"))));
    }
    let charts =
        [("out/s", &lane.charts.out), ("p99", &lane.charts.p99), ("size", &lane.charts.size)];
    for (name, values) in charts {
        lines.push(line(name, text(words::spark(values.iter(), room))));
    }
    lines
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
fn bytes_of(rate: f64) -> String {
    words::bytes(rate.max(0.0) as u64)
}

/// Counts by kind, the largest first.
fn kinds(counts: &BTreeMap<String, u64>) -> String {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let said = counts.iter().map(|(kind, count)| format!("{kind} {}", words::count(**count)));
    let said: Vec<_> = said.collect();
    if said.is_empty() { "none".to_owned() } else { said.join("  ") }
}

fn breaker(lane: &Seen<'_>, known: &Known, paint: &Paint) -> Vec<Span<'static>> {
    let Some(sink) = lane.outage else { return vec![Span::raw("none")] };
    let (state, mood) = match sink.breaker {
        BreakerState::Closed => ("closed", Mood::Good),
        BreakerState::HalfOpen => ("half-open", Mood::Warn),
        BreakerState::Open => ("open", Mood::Bad),
    };
    let mut spans = vec![paint.span(state, mood)];
    if let Some(until) = sink.open_until_unix_ms {
        #[expect(clippy::cast_precision_loss, reason = "a time for a person")]
        let left = (until - known.tick.at_unix_ms).max(0) as f64 / 1e3;
        spans.push(Span::raw(format!(" for {}", words::time(left))));
    }
    let most = lane.sink.map_or(0.0, |sink| sink.retry_budget_max);
    spans.push(Span::raw(format!(
        "  opened {}×  retry budget {} of {}",
        sink.opened,
        words::short(sink.retry_budget_left),
        words::short(most),
    )));
    let last = known.transitions.iter().rev().find(|change| change.sink == lane.facts.sink);
    if let Some(last) = last {
        spans.push(Span::raw(format!("  last: {}", last.reason)).dim());
    }
    spans
}
