//! What is known, and what is chosen? Pure: messages and keys come in, what is drawn is asked for.

use std::collections::VecDeque;

use ratatui::crossterm::event::KeyCode;
use tidegate_server::live::contract::{
    ByeReason, Decision, GapReason, LaneFacts, LaneTick, ServerFacts, SinkFacts, SinkTick,
    Snapshot, Tick, Transition,
};

use super::events::Message;

/// Values of a small chart: a minute of ticks.
const CHART: usize = 240;
/// Decisions that are remembered.
const DECISIONS_MAX: usize = 2000;
/// Changes of breakers that are remembered.
const TRANSITIONS_MAX: usize = 200;

/// Everything.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) known: Option<Known>,
    /// Why there is no stream, while there is none.
    pub(super) down: Option<String>,
    /// What is to be told once: a gap, a restart.
    pub(super) remark: Option<String>,
    pub(super) view: View,
    /// The chosen lane.
    pub(super) chosen: usize,
    /// How many of the newest decisions are scrolled away.
    pub(super) scrolled: usize,
    /// What is shown while the screen stands still; what is known goes on meanwhile.
    still: Option<Box<Known>>,
    pub(super) help: bool,
    pub(super) quit: bool,
}

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum View {
    #[default]
    Overview,
    Lane,
}

/// What the server said.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) server: ServerFacts,
    pub(super) sinks: Vec<SinkFacts>,
    pub(super) lanes: Vec<LaneFacts>,
    pub(super) tick: Tick,
    /// The oldest first.
    pub(super) decisions: VecDeque<Decision>,
    pub(super) transitions: VecDeque<Transition>,
    /// Of each lane, the oldest first.
    pub(super) charts: Vec<Charts>,
}

/// What was seen of a lane lately.
#[derive(Debug, Clone, Default)]
pub(super) struct Charts {
    pub(super) out: VecDeque<f64>,
    pub(super) p99: VecDeque<f64>,
    pub(super) size: VecDeque<f64>,
}

impl Charts {
    fn push(&mut self, lane: &LaneTick) {
        let values = [
            (&mut self.out, lane.out_per_second),
            (&mut self.p99, lane.attempt_ms.map_or(0.0, |of| of.p99)),
            (&mut self.size, f64::from(lane.plan.batch_size)),
        ];
        for (chart, value) in values {
            if chart.len() == CHART {
                chart.pop_front();
            }
            chart.push_back(value);
        }
    }
}

impl Known {
    fn new(all: Snapshot) -> Self {
        let charts = vec![Charts::default(); all.lanes.len()];
        let mut known = Self {
            server: all.server,
            sinks: all.sinks,
            lanes: all.lanes,
            decisions: all.decisions.into(),
            transitions: all.transitions.into(),
            charts,
            tick: all.tick,
        };
        known.note();
        known
    }

    fn take(&mut self, tick: Tick) {
        self.decisions.extend(tick.decisions.iter().cloned());
        self.transitions.extend(tick.transitions.iter().cloned());
        let over = self.decisions.len().saturating_sub(DECISIONS_MAX);
        self.decisions.drain(..over);
        let over = self.transitions.len().saturating_sub(TRANSITIONS_MAX);
        self.transitions.drain(..over);
        self.tick = tick;
        self.note();
    }

    fn note(&mut self) {
        for (chart, lane) in self.charts.iter_mut().zip(&self.tick.lanes) {
            chart.push(lane);
        }
    }

    /// A lane with what does not change of it, and its sink.
    pub(super) fn lane(&self, at: usize) -> Option<Seen<'_>> {
        let (facts, now) = (self.lanes.get(at)?, self.tick.lanes.get(at)?);
        let sink = self.sinks.iter().position(|sink| sink.sink == facts.sink);
        Some(Seen {
            facts,
            now,
            sink: sink.and_then(|at| self.sinks.get(at)),
            outage: sink.and_then(|at| self.tick.sinks.get(at)),
            charts: self.charts.get(at)?,
        })
    }

    /// The decisions of a lane, or of all, the newest first.
    pub(super) fn decisions(&self, lane: Option<&str>) -> impl Iterator<Item = &Decision> {
        let of = move |decision: &&Decision| lane.is_none_or(|lane| decision.lane == lane);
        self.decisions.iter().rev().filter(of)
    }
}

/// One lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) facts: &'a LaneFacts,
    pub(super) now: &'a LaneTick,
    pub(super) sink: Option<&'a SinkFacts>,
    pub(super) outage: Option<&'a SinkTick>,
    pub(super) charts: &'a Charts,
}

impl State {
    /// The stream said something.
    pub(super) fn hear(&mut self, message: Message) {
        match message {
            Message::Hello(all) => {
                self.down = None;
                self.known = Some(Known::new(*all));
                let lanes = self.lanes();
                self.chosen = self.chosen.min(lanes.saturating_sub(1));
            }
            Message::Tick(tick) => {
                self.down = None;
                if let Some(known) = &mut self.known {
                    known.take(*tick);
                }
            }
            Message::Gap(gap) => {
                self.remark = Some(match gap.reason {
                    GapReason::Restarted => "the server was started anew".to_owned(),
                    GapReason::TooOld | GapReason::Unknown => gap.message,
                });
            }
            Message::Bye(bye) => {
                self.down = Some(match bye.reason {
                    ByeReason::Stopping => "the server is stopping".to_owned(),
                    ByeReason::Slow => bye.message,
                });
            }
        }
    }

    /// There is no stream now.
    pub(super) fn lost(&mut self, why: String) {
        self.down = Some(why);
    }

    /// What is to be drawn.
    pub(super) fn shown(&self) -> Option<&Known> {
        self.still.as_deref().or(self.known.as_ref())
    }

    /// Whether the screen stands still.
    pub(super) const fn is_still(&self) -> bool {
        self.still.is_some()
    }

    fn lanes(&self) -> usize {
        self.shown().map_or(0, |known| known.lanes.len())
    }

    /// A key was pressed.
    pub(super) fn key(&mut self, key: KeyCode) {
        self.remark = None;
        if self.help {
            self.help = false;
            self.quit = key == KeyCode::Char('q');
            return;
        }
        match (key, self.view) {
            (KeyCode::Char('q'), _) => self.quit = true,
            (KeyCode::Char('?' | 'h'), _) => self.help = true,
            (KeyCode::Char(' ' | 'p'), _) => {
                self.still = match self.still.take() {
                    Some(_) => None,
                    None => self.known.clone().map(Box::new),
                };
            }
            (key, View::Overview) => self.overview_key(key),
            (key, View::Lane) => self.lane_key(key),
        }
    }

    fn overview_key(&mut self, key: KeyCode) {
        let last = self.lanes().saturating_sub(1);
        match key {
            KeyCode::Up | KeyCode::Char('k') => self.chosen = self.chosen.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.chosen = (self.chosen + 1).min(last),
            KeyCode::Home | KeyCode::Char('g') => self.chosen = 0,
            KeyCode::End | KeyCode::Char('G') => self.chosen = last,
            KeyCode::Enter | KeyCode::Right | KeyCode::Char('l') => {
                (self.view, self.scrolled) = (View::Lane, 0);
            }
            _ => {}
        }
    }

    fn lane_key(&mut self, key: KeyCode) {
        let last = self.lanes().saturating_sub(1);
        match key {
            KeyCode::Esc | KeyCode::Left | KeyCode::Backspace => self.view = View::Overview,
            KeyCode::Tab => {
                let next = if self.chosen >= last { 0 } else { self.chosen + 1 };
                (self.chosen, self.scrolled) = (next, 0);
            }
            KeyCode::BackTab => {
                let before = self.chosen.checked_sub(1).unwrap_or(last);
                (self.chosen, self.scrolled) = (before, 0);
            }
            KeyCode::Down | KeyCode::Char('j') => self.scroll(1),
            KeyCode::PageDown => self.scroll(10),
            KeyCode::Up | KeyCode::Char('k') => self.scrolled = self.scrolled.saturating_sub(1),
            KeyCode::PageUp => self.scrolled = self.scrolled.saturating_sub(10),
            KeyCode::Home | KeyCode::Char('g') => self.scrolled = 0,
            _ => {}
        }
    }

    fn scroll(&mut self, by: usize) {
        let count = self.shown().map_or(0, |known| {
            let lane = known.lanes.get(self.chosen).map(|lane| &*lane.key);
            known.decisions(lane).count()
        });
        self.scrolled = (self.scrolled + by).min(count.saturating_sub(1));
    }
}
