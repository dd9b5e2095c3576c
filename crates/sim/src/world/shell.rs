//! Who drives one engine? What is between a queue of counts and the library's own machine.

use tidegate::engine::{Cut, Step};
use tidegate::{Engine, Moment};

use crate::arrivals::Process;
use crate::lane::Lane;

/// One lane of one instance: its queue, its engine, and when to ask the engine again.
pub(super) struct Shell {
    pub(super) engine: Engine,
    pub(super) lane: Lane,
    pub(super) place: Place,
    pub(super) process: Option<Process>,
    timer: Option<Moment>,
    /// How many waiting items are the next edge.
    edge_items: u64,
    /// Timely items of each second.
    pub(super) timely: Vec<u64>,
    /// Seconds that its attempts were in flight, all together.
    pub(super) held_s: f64,
}

/// Whose lane it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) instance: usize,
    pub(super) class: usize,
    /// What a batch costs, as a multiple of what the backend says.
    pub(super) cost: f64,
}

/// What a shell wants of the world.
pub(super) enum Next {
    /// To send a batch.
    Send(Cut),
    /// To be asked again then; nothing if a timer is armed already, or none is needed.
    Wait(Option<Moment>),
}

impl Shell {
    pub(super) fn new(
        engine: Engine,
        lane: Lane,
        place: Place,
        process: Option<Process>,
        seconds: usize,
    ) -> Self {
        let timely = vec![0; seconds];
        let held_s = 0.0;
        Self { engine, lane, place, process, timer: None, edge_items: 0, timely, held_s }
    }

    /// Asks the engine.
    pub(super) fn step(&mut self, now: Moment) -> Next {
        let wait = match self.engine.poll(now, &self.lane.seen(now)) {
            Step::Send(cut) => return Next::Send(cut),
            Step::Wait(wait) => wait,
        };
        self.edge_items = wait.items;
        let sooner = |until: &Moment| self.timer.is_none_or(|armed| *until < armed || armed <= now);
        let until = wait.until.filter(sooner);
        self.timer = until.or(self.timer);
        Next::Wait(until)
    }

    /// Whether the timer that goes off now is the one that is armed.
    pub(super) fn timer_is_due(&mut self, now: Moment) -> bool {
        self.timer.take_if(|armed| *armed == now).is_some()
    }

    /// Counts what arrived in the tick that ends now; whether the engine is to be asked.
    pub(super) fn arrive(&mut self, now: Moment) -> bool {
        let Some(process) = &mut self.process else { return false };
        let items = process.tick(now);
        if items > 0 {
            self.lane.arrive(now, items);
        }
        self.lane.waiting() >= self.edge_items
    }

    /// Notes items that were delivered in time.
    pub(super) fn delivered(&mut self, now: Moment, items: u64) {
        let last = self.timely.len().saturating_sub(1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an hour")]
        let second = (now.as_secs_f64() as usize).min(last);
        if let Some(count) = self.timely.get_mut(second) {
            *count += items;
        }
    }
}
