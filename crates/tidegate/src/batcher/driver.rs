//! Who runs a batcher? One task: it asks the engine, cuts batches, and awaits the handler.
//!
//! A batch's future is polled here once. If it is ready there was no need for a task; if not, or if
//! more batches wait to be cut, it runs in a task of its own, beside the others.
//!
//! After a wake-up the driver lets the tasks that are ready to run go first, once, where that pays:
//! those that are about to add an item share the batch, instead of following the first one in a
//! batch each. With a lone producer it does not pay, and is tried ever more rarely.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::task::{JoinError, JoinSet};

use super::answer::Answer;
use super::attempt::{Attempt, Told};
use super::handler::Handler;
use super::queue::Shared;
use super::round::Group;
use crate::engine::{Step, Wait};
use crate::{Moment, Outcome};

/// What a handle asks of the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Flush,
    Drain,
}

pub(super) struct Driver<T: Send + 'static, H: Handler<T>> {
    shared: Arc<Shared<T, H::Output>>,
    handler: Arc<H>,
    flying: JoinSet<Answer<H::Output>>,
    /// What is in flight, by the id of its task.
    attempts: HashMap<tokio::task::Id, Attempt<T, H::Output>>,
    /// Numbers of the first items of the batches in flight.
    firsts: BTreeSet<u64>,
    patience: Patience,
    /// A round that is done, for the next time that the lock is held.
    spare: Option<Group<H::Output>>,
}

/// What the driver does next.
#[expect(clippy::large_enum_variant, reason = "one at a time, and a box would cost each batch")]
enum Next<T, O> {
    Send(Departure<T, O>),
    Wait(Option<Moment>),
    End,
}

/// A batch that leaves.
struct Departure<T, O> {
    items: Vec<T>,
    attempt: Attempt<T, O>,
    /// Whether more items wait behind it.
    more: bool,
}

impl<T: Send + 'static, H: Handler<T>> Driver<T, H> {
    pub(super) fn new(shared: Arc<Shared<T, H::Output>>, handler: H) -> Self {
        Self {
            shared,
            handler: Arc::new(handler),
            flying: JoinSet::new(),
            attempts: HashMap::new(),
            firsts: BTreeSet::new(),
            patience: Patience::default(),
            spare: None,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            match self.step() {
                Next::Send(departure) => self.send(departure).await,
                Next::Wait(until) => self.next_edge(until).await,
                Next::End => return,
            }
        }
    }

    /// Asks the engine, and cuts the batch that it wants.
    fn step(&mut self) -> Next<T, H::Output> {
        let shared = &self.shared;
        let now = shared.clock.now();
        let mut open = shared.lock();
        if let Some(round) = self.spare.take() {
            open.line.keep(round);
        }
        while let Some(command) = open.commands.pop_front() {
            match command {
                Command::Flush => {
                    let queue = open.line.seen();
                    open.engine.flush(&queue);
                }
                Command::Drain => open.engine.drain(),
            }
        }
        let linger = open.engine.plan().linger;
        if open.closed {
            open.sweep_all(true, &shared.clock);
        } else if open.locals.due(linger).is_some_and(|due| due <= now) {
            open.sweep(&shared.clock);
        }
        let queue = open.line.seen();
        let step = open.engine.poll(now, &queue);
        let size = open.engine.plan().batch_size as usize;
        open.line.seal_at(size);
        match step {
            Step::Wait(_) if open.is_done() && self.attempts.is_empty() => {
                open.over = true;
                Next::End
            }
            Step::Wait(wait) => {
                open.expect(wait);
                let Wait { until, .. } = wait;
                Next::Wait(crate::time::earlier(until, open.locals.due(linger)))
            }
            Step::Send(cut) => {
                let first = open.head();
                let batch = open.line.take(cut);
                let count = batch.items.len();
                let items = u32::try_from(count).unwrap_or(u32::MAX);
                let ticket = Some(open.engine.sent(now, cut, items, batch.bytes));
                let more = open.line.items() > 0;
                drop(open);
                let kept =
                    |hook: &super::given_up::Hook<T>| (hook.clone(), hook.keep(&batch.items));
                let hook = shared.hook.as_ref().map(kept);
                let told = Some(Told { groups: batch.groups, hook });
                let bytes = batch.bytes;
                let attempt = Attempt { ticket, items: count, bytes, first, told };
                Next::Send(Departure { items: batch.items, attempt, more })
            }
        }
    }

    async fn send(&mut self, departure: Departure<T, H::Output>) {
        let Departure { items, attempt, more } = departure;
        let handler = Arc::clone(&self.handler);
        let mut answer = Box::pin(async move { handler.handle(items).await });
        if !more {
            let first_poll = std::future::poll_fn(|cx| Poll::Ready(poll(answer.as_mut(), cx)));
            if let Poll::Ready(answer) = first_poll.await {
                self.answered(attempt, answer);
                return;
            }
        }
        let task = self.flying.spawn(answer);
        self.firsts.insert(attempt.first);
        self.attempts.insert(task.id(), attempt);
    }

    async fn next_edge(&mut self, until: Option<Moment>) {
        let clock = self.shared.clock;
        let timer = async {
            match until {
                Some(at) => tokio::time::sleep_until(clock.instant(at)).await,
                None => std::future::pending().await,
            }
        };
        // Answers come first: they free capacity for the edges that follow.
        tokio::select! {
            biased;
            Some(done) = self.flying.join_next_with_id() => self.joined(done),
            () = self.shared.edge.notified() => self.let_others_go_first().await,
            () = timer => {}
        }
    }

    async fn let_others_go_first(&mut self) {
        if self.patience.is_worth_it() {
            let before = self.shared.lock().line.items();
            go_last().await;
            let after = self.shared.lock().line.items();
            self.patience.learn(before, after);
        }
    }

    fn joined(&mut self, done: Result<(tokio::task::Id, Answer<H::Output>), JoinError>) {
        let (id, answer) = match done {
            Ok((id, answer)) => (id, answer),
            Err(error) => (error.id(), failed(error)),
        };
        if let Some(attempt) = self.attempts.remove(&id) {
            self.firsts.remove(&attempt.first);
            self.answered(attempt, answer);
        }
    }

    fn answered(&mut self, mut attempt: Attempt<T, H::Output>, mut answer: Answer<H::Output>) {
        answer.check(attempt.items);
        let shared = &self.shared;
        let now = shared.clock.now();
        let (settled, room) = {
            let mut open = shared.lock();
            if let Some(ticket) = attempt.ticket.take() {
                let (waiting, feedback) = (open.line.items(), answer.feedback.take());
                let sample = open.engine.answered(now, ticket, answer.outcome, feedback, waiting);
                open.failed(sample.sent.items, answer.outcome, answer.failure.take());
            }
            let head = open.head();
            open.settled = self.firsts.first().map_or(head, |first| head.min(*first));
            let room = open.room.give_back(attempt.items, attempt.bytes);
            ((open.flushing > 0).then_some(open.settled), room)
        };
        room.into_iter().for_each(Waker::wake);
        let round = attempt.tell(answer);
        if let Some(settled) = settled {
            shared.settled.send_replace(settled);
        }
        self.spare = round;
    }
}

/// The driver is done, or its runtime is: nothing that waits will ever leave.
impl<T: Send + 'static, H: Handler<T>> Drop for Driver<T, H> {
    fn drop(&mut self) {
        let shared = &self.shared;
        shared.close();
        let mut lost = Vec::new();
        {
            let mut open = shared.lock();
            open.sweep_all(true, &shared.clock);
            open.over = true;
            while open.line.items() > 0 {
                lost.push(open.line.take_all());
            }
        }
        for batch in lost {
            let mut groups = batch.groups;
            groups.lose();
            shared.lose(batch.items);
        }
        self.attempts.clear();
        shared.ended.send_replace(true);
    }
}

/// Whether it pays to let others go first.
#[derive(Debug, Default)]
struct Patience {
    /// Wake-ups until the next try.
    skip: u32,
    /// Tries in a row that did not pay.
    in_vain: u32,
}

impl Patience {
    const fn is_worth_it(&mut self) -> bool {
        let now = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        now
    }

    /// It paid if at least as many items came as had been there.
    fn learn(&mut self, before: u64, after: u64) {
        let paid = after >= before.max(1).saturating_mul(2);
        self.in_vain = if paid { 0 } else { (self.in_vain + 1).min(8) };
        self.skip = (1 << self.in_vain) - 1;
    }
}

/// Polls a handler's future; a panic is an answer too.
fn poll<O, F>(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<Answer<O>>
where
    F: Future<Output = Answer<O>> + ?Sized,
{
    // The future is not polled again after a panic, so nobody sees what it left half done.
    match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
        Ok(poll) => poll,
        Err(payload) => Poll::Ready(Answer::panicked(&*payload)),
    }
}

/// The answer of a handler's task that panicked, or was ended with its runtime.
fn failed<O>(error: JoinError) -> Answer<O> {
    match error.try_into_panic() {
        Ok(payload) => Answer::panicked(&*payload),
        Err(error) => Answer::failed(Outcome::Overloaded, error),
    }
}

/// Goes to the end of the run queue once.
async fn go_last() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        // Not `yield_now`: that comes back only after the runtime has looked for I/O.
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
