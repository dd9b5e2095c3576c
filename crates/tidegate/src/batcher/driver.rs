//! Who runs a batcher? One task: it asks the engine, cuts batches, and awaits the handler.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};

use super::handler::{Answer, Handler};
use super::queue::{Shared, Taken};
use crate::engine::{Step, Ticket, Wait};
use crate::{Moment, Outcome};

/// What a handle asks of the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Flush,
    Drain,
}

pub(super) struct Driver<T, H> {
    shared: Arc<Shared<T>>,
    handler: Arc<H>,
    flying: JoinSet<Answer>,
    /// What is in flight, by the id of its task.
    attempts: std::collections::HashMap<tokio::task::Id, Attempt>,
    /// Numbers of the first items of the batches in flight.
    firsts: BTreeSet<u64>,
}

struct Attempt {
    ticket: Ticket,
    items: usize,
    bytes: u64,
    first: u64,
}

impl<T: Send + 'static, H: Handler<T>> Driver<T, H> {
    pub(super) fn new(shared: Arc<Shared<T>>, handler: H) -> Self {
        Self {
            shared,
            handler: Arc::new(handler),
            flying: JoinSet::new(),
            attempts: std::collections::HashMap::new(),
            firsts: BTreeSet::new(),
        }
    }

    pub(super) async fn run(mut self) {
        while let Some(wait) = self.step() {
            self.next_edge(wait.until).await;
        }
        self.shared.ended.send_replace(true);
    }

    /// Does what the engine says until it says wait; `None` when everything is done.
    fn step(&mut self) -> Option<Wait> {
        loop {
            let shared = Arc::clone(&self.shared);
            let mut open = shared.lock();
            while let Some(command) = open.commands.pop_front() {
                let queue = open.seen();
                match command {
                    Command::Flush => open.engine.flush(&queue),
                    Command::Drain => open.engine.drain(),
                }
            }
            let (now, queue) = (shared.clock.now(), open.seen());
            match open.engine.poll(now, &queue) {
                Step::Wait(_) if open.is_done() && self.attempts.is_empty() => return None,
                Step::Wait(wait) => {
                    open.expect(wait);
                    return Some(wait);
                }
                Step::Send(cut) => {
                    let taken = open.take(cut);
                    let items = u32::try_from(taken.items.len()).unwrap_or(u32::MAX);
                    let ticket = open.engine.sent(now, cut, items, taken.bytes);
                    drop(open);
                    self.send(taken, ticket);
                }
            }
        }
    }

    fn send(&mut self, taken: Taken<T>, ticket: Ticket) {
        let Taken { items, bytes, first } = taken;
        let count = items.len();
        let handler = Arc::clone(&self.handler);
        let task = self.flying.spawn(async move { handler.handle(items).await });
        self.firsts.insert(first);
        self.attempts.insert(task.id(), Attempt { ticket, items: count, bytes, first });
    }

    async fn next_edge(&mut self, until: Option<Moment>) {
        let clock = self.shared.clock;
        let timer = async {
            match until {
                Some(at) => tokio::time::sleep_until(clock.instant(at)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(done) = self.flying.join_next_with_id() => self.answered(done),
            () = self.shared.edge.notified() => {}
            () = timer => {}
        }
    }

    fn answered(&mut self, done: Result<(tokio::task::Id, Answer), JoinError>) {
        let (id, answer) = match done {
            Ok((id, answer)) => (id, answer),
            // A handler that panics fails its batch, not the batcher.
            Err(error) => {
                let why = format!("the handler panicked: {error}");
                (error.id(), Answer::failed(Outcome::Overloaded, why))
            }
        };
        let Some(Attempt { ticket, items, bytes, first }) = self.attempts.remove(&id) else {
            return;
        };
        self.firsts.remove(&first);
        let settled = {
            let mut open = self.shared.lock();
            let (now, waiting) = (self.shared.clock.now(), open.seen().items);
            let Answer { outcome, failure, feedback } = answer;
            let sample = open.engine.answered(now, ticket, outcome, feedback, waiting);
            open.failed(sample.sent.items, outcome, failure);
            let head = open.head();
            self.firsts.first().map_or(head, |first| head.min(*first))
        };
        self.shared.give_back(items, bytes);
        self.shared.settled.send_replace(settled);
    }
}
