//! The driver of the model: the library's flow, on a thread of its own.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Clock;
use super::answer::Answer;
use super::enter::{Enter, Submit};
use super::error::AddError;
use super::flow::{Flow, Next};
use super::given_up::{GivenUp, Hook, Keep};
use super::local::Local;
use super::lone::Lone;
use super::observe::Observer;
use super::piece::Flight;
use super::queue::{Entered, Entry, Shared};
use super::recovery::{Parts, Recovery, Retries};
use super::seat::{Driven, Seat, Task};
use super::stats::Stats;
use super::sync::Arc;
use super::sync::atomic::Ordering;
use crate::{Bounds, ControllerSettings, Engine, Epoch, Plan};

/// What a batcher of the model is set up with.
#[derive(Clone)]
pub struct Settings {
    /// Items in a full batch.
    pub batch_size: u32,
    /// Attempts in flight.
    pub concurrency: f64,
    /// Items that may wait or be in flight.
    pub queue_items: usize,
    /// Retries, if batches are tried again.
    pub retries: Option<Retries>,
    /// Whether refused batches are cut.
    pub bisects: bool,
    /// Whether submitters poll the driver themselves; without a hook.
    pub alone: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch_size: 3,
            concurrency: 1.0,
            queue_items: 4,
            retries: None,
            bisects: false,
            alone: false,
        }
    }
}

/// The batcher of the model.
pub struct Batcher<T: Send + 'static, O: Send + 'static> {
    pub(super) shared: Arc<Shared<T, O>>,
}

impl<T: Clone + Send + 'static, O: Send + 'static> Batcher<T, O> {
    /// Starts a batcher whose driver runs on a thread of its own; the thread ends with it.
    pub fn start(
        settings: &Settings,
        hook: impl Fn(Vec<GivenUp<T>>) + Send + Sync + 'static,
        handler: impl Fn(&[T]) -> Answer<O> + Send + 'static,
    ) -> (Self, shuttle::thread::JoinHandle<()>) {
        let first = Plan {
            batch_size: settings.batch_size,
            concurrency: settings.concurrency,
            pace: None,
            linger: std::time::Duration::ZERO,
            epoch: Epoch::default(),
        };
        let bounds = Bounds::default();
        let controller = ControllerSettings::Fixed.build(first, &bounds).unwrap();
        let clock = Clock::start();
        let engine = Engine::new(clock.now(), controller, bounds, 4);
        let room = (settings.queue_items, 1 << 20);
        // A lone item never passes a hook by, so there is none where that is to be tried.
        let hook = (!settings.alone).then(|| Hook::new(hook));
        let keep = hook.as_ref().map(|_| <[T]>::to_vec as Keep<T>);
        let shared = Arc::new(Shared::new(clock, engine, room, hook, keep, None));
        shared.alone.store(settings.alone, Ordering::Relaxed);
        let parts = Parts { retries: settings.retries, breaker: None, bisects: settings.bisects };
        let recovery = (!parts.is_none()).then(|| Box::new(Recovery::new(parts, 1)));
        let flow = Flow::new(recovery, Observer::new("model"));
        let driver = Driver {
            shared: Arc::clone(&shared),
            flow,
            handler: Box::new(handler),
            flying: Vec::new(),
            rests: false,
        };
        let seat = Arc::new(Seat::new(driver));
        let _ = shared.seat.set(Arc::clone(&seat) as _);
        let task = Task::new(seat);
        let thread = shuttle::thread::spawn(move || shuttle::future::block_on(task));
        (Self { shared }, thread)
    }

    /// As in the library, on this thread.
    pub fn add(&self, item: T) -> Result<(), AddError> {
        match self.shared.try_enter(Entry { item, bytes: 0, priority: false }) {
            Entered::In => Ok(()),
            Entered::Full(entry) => shuttle::future::block_on(Enter::new(&self.shared, entry)),
            Entered::Closed(_) => Err(AddError::Closed),
        }
    }

    /// The future of `add`, for one that is full: to be polled and dropped.
    pub fn enter(&self, item: T) -> impl Future<Output = Result<(), AddError>> + '_ {
        Enter::new(&self.shared, Entry { item, bytes: 0, priority: false })
    }

    /// As in the library.
    pub fn submit(&self, item: T) -> Submit<'_, T, O> {
        Submit::new(&self.shared, Ok(Entry { item, bytes: 0, priority: false }))
    }

    /// As in the library.
    pub fn local(&self) -> Local<T, O> {
        Local::new(self.clone())
    }

    /// Takes no more items.
    pub fn close(&self) {
        self.shared.close();
    }

    /// As in the library.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }
}

impl<T: Send + 'static, O: Send + 'static> Clone for Batcher<T, O> {
    fn clone(&self) -> Self {
        self.shared.handle_cloned();
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T: Send + 'static, O: Send + 'static> Drop for Batcher<T, O> {
    fn drop(&mut self) {
        self.shared.handle_dropped();
    }
}

type Handler<T, O> = Box<dyn Fn(&[T]) -> Answer<O> + Send>;

/// As the driver of the library, but a batch in flight is answered when nothing else is to be done
/// or when the schedule's dice say so.
struct Driver<T: Send + 'static, O: Send + 'static> {
    shared: Arc<Shared<T, O>>,
    flow: Flow<T, O>,
    handler: Handler<T, O>,
    flying: Vec<Box<Flight<T, O>>>,
    /// Whether it waits for an edge.
    rests: bool,
}

impl<T: Send + 'static, O: Send + 'static> Driver<T, O> {
    fn answer(&mut self, index: usize, at_once: bool) {
        let mut flight = self.flying.swap_remove(index);
        let items = std::mem::take(&mut flight.items);
        let answer = catch_unwind(AssertUnwindSafe(|| (self.handler)(&items)));
        let answer = answer.unwrap_or_else(|payload| Answer::panicked(&*payload));
        flight.answered(answer, at_once);
        self.flow.answered(flight);
    }
}

impl<T: Send + 'static, O: Send + 'static> Unpin for Driver<T, O> {}

impl<T: Send + 'static, O: Send + 'static> Driven<T, O> for Driver<T, O> {
    fn lone(&mut self, entry: Entry<T>, cx: &mut Context<'_>) -> (Lone<T, O>, Poll<()>) {
        if !self.rests {
            return (Lone::Refused(entry), Poll::Pending);
        }
        let mut flight = match self.flow.leave_alone(&self.shared, entry) {
            Ok(flight) => flight,
            Err(entry) => return (Lone::Refused(entry), Poll::Pending),
        };
        if shuttle::rand::Rng::gen_bool(&mut shuttle::rand::thread_rng(), 0.5) {
            let items = std::mem::take(&mut flight.items);
            let answer = catch_unwind(AssertUnwindSafe(|| (self.handler)(&items)));
            let answer = answer.unwrap_or_else(|payload| Answer::panicked(&*payload));
            let (result, more) = self.flow.answered_alone(&self.shared, flight, answer);
            let polled = if more { Pin::new(self).poll(cx) } else { Poll::Pending };
            return (Lone::Answered(result), polled);
        }
        let place = self.flow.wait_alone(&self.shared, &mut flight);
        self.flow.in_task(flight.piece.first, None);
        self.flying.push(flight);
        (Lone::Inside(place), Pin::new(self).poll(cx))
    }
}

impl<T: Send + 'static, O: Send + 'static> Future for Driver<T, O> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let _ = this.shared.driver.set(cx.waker().clone());
        this.rests = false;
        let mut gathers = false;
        loop {
            match this.flow.step(&this.shared, gathers) {
                Next::Send(flight) => {
                    let first = flight.piece.first;
                    this.flying.push(flight);
                    if shuttle::rand::Rng::gen_bool(&mut shuttle::rand::thread_rng(), 0.5) {
                        this.answer(this.flying.len() - 1, true);
                        gathers =
                            shuttle::rand::Rng::gen_bool(&mut shuttle::rand::thread_rng(), 0.5);
                    } else {
                        this.flow.in_task(first, None);
                    }
                }
                Next::Wait(_) if !this.flying.is_empty() => this.answer(0, false),
                Next::Wait(Some(until)) => this.shared.clock.jump(until),
                Next::Wait(None) => {
                    this.rests = true;
                    return Poll::Pending;
                }
                Next::Gather => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Next::End => return Poll::Ready(()),
            }
        }
    }
}

impl<T: Send + 'static, O: Send + 'static> Drop for Driver<T, O> {
    fn drop(&mut self) {
        let in_flight = self.flying.drain(..).map(|mut flight| std::mem::take(&mut flight.piece));
        let pieces: Vec<_> = in_flight.chain(self.flow.abandon()).collect();
        self.shared.end(pieces);
    }
}
