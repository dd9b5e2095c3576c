//! What happens next? The pure machine that says when a batch leaves, and how large.
//!
//! The engine never sees an item. It sees counts, bytes and the oldest arrival, and it is called
//! at edges only: the first item into an empty queue, a queue that became full, an answer, a
//! timer, a request to flush or drain. Between edges [`Wait`] tells its shell which edge to look
//! out for, so that handing over an item costs no call. Three shells share it: the library's
//! batcher, the server's lanes and the simulator; whatever one of them shows holds for the others.
//!
//! ```
//! use std::time::Duration;
//! use tidegate::engine::{Engine, Queue, Step};
//! use tidegate::{Bounds, ControllerSettings, Moment, Outcome, Plan};
//!
//! let first = Plan {
//!     batch_size: 100,
//!     concurrency: 1.0,
//!     pace: None,
//!     linger: Duration::from_millis(5),
//!     epoch: Default::default(),
//! };
//! let controller = ControllerSettings::default().build(first, &Bounds::default())?;
//! let mut now = Moment::ZERO;
//! let mut engine = Engine::new(now, controller, Bounds::default(), 64);
//!
//! // Three items came: not enough for a batch, so they may wait for company.
//! let queue = Queue { items: 3, bytes: 300, oldest: Some(now) };
//! let Step::Wait(wait) = engine.poll(now, &queue) else { panic!() };
//! assert_eq!(wait.until, Some(now + Duration::from_millis(5)));
//! assert_eq!(wait.items, 100);
//!
//! // Nobody came: they leave when the linger is over.
//! now += Duration::from_millis(5);
//! let Step::Send(cut) = engine.poll(now, &queue) else { panic!() };
//! assert_eq!(cut.reason.label(), "linger");
//! let ticket = engine.sent(now, cut, 3, 300);
//! now += Duration::from_millis(2);
//! engine.answered(now, ticket, Outcome::Ok, None, 0);
//! assert_eq!(engine.counters().items_delivered, 3);
//! # Ok::<(), tidegate::SettingError>(())
//! ```

mod capacity;
mod counters;
#[cfg(test)]
mod tests;
mod trigger;

use std::borrow::Cow;

use crate::control::{Controller, Learnt};
use crate::guard::{Guards, Reading, Veto};
use crate::history::History;
use crate::time::earlier;
use crate::{Bounds, Change, Decision, Feedback, Moment, Outcome, Plan, Sample, Sent};

use capacity::{Admission, Capacity, Slot};
use trigger::{Due, Hurry, trigger};

pub use counters::Counters;
pub use trigger::{FlushReason, Queue};

/// The machine of one lane.
pub struct Engine {
    bounds: Bounds,
    controller: Box<dyn Controller>,
    guards: Guards,
    /// What the controller asks for, within the bounds.
    asked: Plan,
    /// What the guards leave of it.
    plan: Plan,
    capacity: Capacity,
    hurry: Hurry,
    paused: bool,
    counters: Counters,
    history: History,
    /// The latest moment heard of: a clock that jumps back stands still here.
    now: Moment,
}

/// What the shell does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Cut a batch off the head of the queue, report it with [`Engine::sent`], and ask again.
    Send(Cut),
    /// Wait for the next edge, then ask again.
    Wait(Wait),
}

/// How much to cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// At most this many items: the batch size of the plan.
    pub items_max: u32,
    /// At most this many serialized bytes; a first item that is larger alone goes alone.
    pub bytes_max: u64,
    /// Why the batch leaves.
    pub reason: FlushReason,
}

/// Whether a batch that was cut before may leave again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resend {
    /// Now.
    Now,
    /// Not before this moment.
    At(Moment),
    /// Not before another attempt has been answered.
    AfterAnswer,
}

/// The edges to look out for. Any answer, flush, drain, pause or feedback is an edge as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// A timer: ask again then.
    pub until: Option<Moment>,
    /// Ask again when this many items wait; `u64::MAX` when no number would help.
    pub items: u64,
    /// Ask again when this many bytes wait; `u64::MAX` when no number would help.
    pub bytes: u64,
}

/// An attempt in flight. It is handed back exactly once, with the answer.
#[derive(Debug, PartialEq)]
#[must_use = "an attempt that is never answered occupies its slot for ever"]
pub struct Ticket {
    sent: Sent,
    slot: Slot,
    delivered_before: u64,
}

impl Ticket {
    /// The attempt as it left.
    #[must_use]
    pub const fn sent(&self) -> &Sent {
        &self.sent
    }

    /// The attempt leaves only now: what came after [`Engine::sent`] and before — a note on disk,
    /// say — was not the backend's, and is no part of the attempt's latency.
    pub fn depart(&mut self, at: Moment) {
        self.sent.at = self.sent.at.max(at);
    }
}

impl Engine {
    /// An engine that begins with its controller's first plan, held within `bounds`, and keeps the
    /// last `decisions_kept` decisions.
    #[must_use]
    pub fn new(
        now: Moment,
        mut controller: Box<dyn Controller>,
        bounds: Bounds,
        decisions_kept: usize,
    ) -> Self {
        let asked = controller.start(now);
        let plan = bounds.veto(&asked, &asked).map_or(asked, |change| change.plan);
        Self {
            bounds,
            controller,
            guards: Guards::default(),
            asked: plan,
            plan,
            capacity: Capacity::default(),
            hurry: Hurry::default(),
            paused: false,
            counters: Counters::default(),
            history: History::new(decisions_kept),
            now,
        }
    }

    /// The same with other guards than the one on refusals by a rate limit.
    #[must_use]
    pub fn with_guards(mut self, guards: Guards) -> Self {
        self.guards = guards;
        self
    }

    /// The host was read: a guard may have something to say.
    pub fn read(&mut self, now: Moment, reading: &Reading) {
        self.advance(now);
        let veto = self.guards.read(self.now, reading);
        self.veto(veto);
    }

    /// What to do now, with this queue.
    pub fn poll(&mut self, now: Moment, queue: &Queue) -> Step {
        self.advance(now);
        let wake_at = self.wake();
        let asleep = |until| Step::Wait(Wait { until, items: u64::MAX, bytes: u64::MAX });
        if self.paused {
            return asleep(wake_at);
        }
        match self.capacity.admission(self.now, &self.plan) {
            Admission::AfterAnswer => return asleep(wake_at),
            // Without items there is nothing to admit; the next edge is the first one.
            Admission::At(at) if queue.items > 0 => return asleep(earlier(wake_at, Some(at))),
            Admission::At(_) | Admission::Now => {}
        }
        let bytes_max = self.bounds.batch_bytes_max;
        let timer = match trigger(self.now, queue, &self.plan, bytes_max, self.hurry) {
            Due::Now(reason) => {
                return Step::Send(Cut { items_max: self.plan.batch_size, bytes_max, reason });
            }
            Due::At(at) => Some(at),
            Due::Never => None,
        };
        Step::Wait(Wait {
            until: earlier(wake_at, timer),
            // The first item arms the timer, later ones only fill the batch.
            items: if queue.items == 0 { 1 } else { u64::from(self.plan.batch_size) },
            bytes: bytes_max,
        })
    }

    /// Wakes those whose moment has come, and says when the next one comes.
    fn wake(&mut self) -> Option<Moment> {
        let mut controller = self.controller.wake_at();
        if controller.is_some_and(|at| at <= self.now) {
            let change = self.controller.wake(self.now);
            self.apply(change);
            controller = self.controller.wake_at();
        }
        if self.guards.wake_at().is_some_and(|at| at <= self.now) {
            let veto = self.guards.wake(self.now);
            self.veto(veto);
        }
        earlier(controller, self.guards.wake_at())
    }

    /// The batch that [`Step::Send`] asked for is leaving, with these many items and bytes.
    pub fn sent(&mut self, now: Moment, cut: Cut, items: u32, bytes: u64) -> Ticket {
        self.hurry.left(u64::from(items));
        self.leave(now, cut.items_max, items, bytes, Some(cut.reason))
    }

    fn leave(
        &mut self,
        now: Moment,
        target: u32,
        items: u32,
        bytes: u64,
        reason: Option<FlushReason>,
    ) -> Ticket {
        self.advance(now);
        let slot = self.capacity.sent(self.now, &self.plan);
        let sent = Sent {
            at: self.now,
            epoch: self.plan.epoch,
            target,
            items,
            bytes,
            in_flight: self.capacity.in_flight(),
            full: matches!(reason, Some(FlushReason::Size | FlushReason::Bytes))
                && !self.guards.is_braking(),
        };
        self.counters.attempts += 1;
        self.counters.items_sent += u64::from(items);
        self.counters.bytes_sent += bytes;
        match reason {
            Some(reason) => self.counters.by_reason[reason.index()] += 1,
            None => self.counters.resent += 1,
        }
        let change = self.controller.sent(&sent);
        self.apply(change);
        Ticket { sent, slot, delivered_before: self.counters.items_delivered }
    }

    /// Whether a batch that was cut before may leave again now: it occupies a slot and keeps the
    /// pace like any other, but nothing of the queue. [`Engine::pause`] does not concern it: whoever
    /// pauses sends the probes.
    pub fn may_resend(&mut self, now: Moment) -> Resend {
        self.advance(now);
        match self.capacity.admission(self.now, &self.plan) {
            Admission::Now => Resend::Now,
            Admission::At(at) => Resend::At(at),
            Admission::AfterAnswer => Resend::AfterAnswer,
        }
    }

    /// A batch, or a part of one, that was cut and sent before is leaving again. It is never full,
    /// so that no controller takes it for fresh load, and it left the queue for no reason.
    pub fn resent(&mut self, now: Moment, items: u32, bytes: u64) -> Ticket {
        self.leave(now, self.plan.batch_size, items, bytes, None)
    }

    /// An attempt was answered; `queue_items` wait meanwhile. Returns what it taught.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a ticket is answered once, so it is consumed"
    )]
    pub fn answered(
        &mut self,
        now: Moment,
        ticket: Ticket,
        outcome: Outcome,
        feedback: Option<Feedback>,
        queue_items: u64,
    ) -> Sample {
        self.advance(now);
        let Ticket { sent, slot, delivered_before } = ticket;
        let latency = self.now.since(sent.at);
        self.capacity.answered(self.now, slot, latency);
        let delivered_meanwhile = self.counters.items_delivered - delivered_before;
        self.counters.by_outcome[outcome.index()] += 1;
        self.counters.items_delivered += u64::from(outcome.delivered(sent.items));
        let sample = Sample {
            sent,
            at: self.now,
            latency,
            delivered_meanwhile,
            outcome,
            queue_items,
            feedback,
        };
        let veto = self.guards.answered(&sample);
        self.veto(veto);
        let change = self.controller.sample(&sample);
        self.apply(change);
        sample
    }

    /// The backend or the host spoke of its load, apart from any attempt.
    pub fn feedback(&mut self, now: Moment, feedback: &Feedback) {
        self.advance(now);
        let change = self.controller.feedback(self.now, feedback);
        self.apply(change);
    }

    /// The items that wait now shall leave without waiting for company.
    pub fn flush(&mut self, queue: &Queue) {
        self.hurry.manual = self.hurry.manual.max(queue.items);
    }

    /// The last of the items that wait now must not wait, so neither do those before it.
    pub fn hurry(&mut self, queue: &Queue) {
        self.hurry.priority = self.hurry.priority.max(queue.items);
    }

    /// From now on nothing waits for company.
    pub const fn drain(&mut self) {
        self.hurry.draining = true;
    }

    /// Sends nothing until [`Engine::resume`]: an outage.
    pub fn pause(&mut self, now: Moment) {
        self.advance(now);
        if !std::mem::replace(&mut self.paused, true) {
            self.controller.paused(self.now);
        }
    }

    /// The outage is over.
    pub fn resume(&mut self, now: Moment) {
        self.advance(now);
        if std::mem::replace(&mut self.paused, false) {
            self.guards.resumed(self.now);
            let change = self.controller.resumed(self.now);
            self.apply(change);
        }
    }

    /// The plan in force.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The bounds of every plan.
    #[must_use]
    pub const fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The name of the controller.
    #[must_use]
    pub fn controller(&self) -> &'static str {
        self.controller.name()
    }

    /// What the controller has learnt, as far as it can tell.
    #[must_use]
    pub fn learnt(&self) -> Learnt {
        self.controller.learnt()
    }

    /// Whether a guard holds batches smaller than the controller asks for.
    #[must_use]
    pub fn is_braking(&self) -> bool {
        self.guards.is_braking()
    }

    /// Attempts in flight.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.capacity.in_flight()
    }

    /// Counts since the engine began.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The decisions so far.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    fn advance(&mut self, now: Moment) {
        self.now = self.now.max(now);
    }

    /// Puts a change into force, after the bounds and the guards have had their say.
    #[inline]
    fn apply(&mut self, change: Option<Change>) {
        if let Some(asked) = change {
            self.change(asked);
        }
    }

    #[cold]
    fn change(&mut self, asked: Change) {
        let vetoed = self.bounds.veto(&asked.plan, &self.asked);
        let (by, change) = match vetoed {
            Some(inside) => ("bounds", inside),
            None => (self.controller.name(), asked),
        };
        self.asked = change.plan;
        self.put(by, change.reason);
    }

    /// Puts what a guard ruled into force.
    fn veto(&mut self, veto: Option<Veto>) {
        if let Some((by, reason)) = veto {
            self.put(by, reason);
        }
    }

    /// The plan is what the guards leave of what was asked for.
    fn put(&mut self, by: &'static str, reason: Cow<'static, str>) {
        let ruled = self.guards.rule(&self.asked, self.bounds.batch_size_min);
        let from = std::mem::replace(&mut self.plan, ruled);
        if !from.same_terms(&self.plan) {
            self.history.push(Decision { at: self.now, by, reason, from, to: self.plan });
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("controller", &self.controller.name())
            .field("plan", &self.plan)
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}
