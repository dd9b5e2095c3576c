//! Who may add when the queue is full? Waiters in order, woken one by one.
//!
//! To wake all who wait when there is room for some is a herd. Here at most one waiter at a time
//! holds the *baton*, which means that it was woken and has not been back. Freed room hands it to
//! the first in line; whoever comes back with it enters if there is room, and hands it on if room
//! remains. A waiter that is dropped hands it on too. So the invariant, whenever the lock is free:
//! *if the first in line would fit, somebody has the baton*; no wake-up is lost.
//!
//! Newcomers may overtake waiters that are not awake yet, which saves a wake-up an item. But a
//! waiter that came back in vain ends that: until it has entered or left, newcomers queue up
//! behind it. So nobody, however many bytes it needs, is overtaken for ever.
//!
//! Known imperfection: a waiter that holds the baton and is never polled again without being
//! dropped keeps those behind it waiting.

use std::collections::VecDeque;
use std::task::Waker;

/// Room in items and bytes, and those who wait for it.
#[derive(Debug)]
pub(super) struct Room {
    items_max: usize,
    bytes_max: u64,
    items: usize,
    bytes: u64,
    /// In order of their numbers.
    waiting: VecDeque<Waiting>,
    next: u64,
    baton: Option<u64>,
    /// The waiter that came back in vain.
    in_vain: Option<u64>,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    bytes: u64,
    waker: Waker,
}

impl Room {
    pub(super) const fn new(items_max: usize, bytes_max: u64) -> Self {
        Self {
            items_max,
            bytes_max,
            items: 0,
            bytes: 0,
            waiting: VecDeque::new(),
            next: 0,
            baton: None,
            in_vain: None,
        }
    }

    const fn fits(&self, bytes: u64) -> bool {
        let within = bytes == 0 || self.bytes.saturating_add(bytes) <= self.bytes_max;
        self.items < self.items_max && within
    }

    /// Items and bytes inside.
    pub(super) const fn taken(&self) -> (usize, u64) {
        (self.items, self.bytes)
    }

    /// Items inside.
    pub(super) const fn items(&self) -> usize {
        self.items
    }

    /// Takes room that nobody was asked for: items that were let in before. It may overfill.
    pub(super) const fn take(&mut self, items: usize, bytes: u64) {
        self.items += items;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// A newcomer takes room for one item, if there is any and it may.
    #[inline]
    pub(super) const fn enter(&mut self, bytes: u64) -> bool {
        let may = self.in_vain.is_none() && self.fits(bytes);
        if may {
            self.take(1, bytes);
        }
        may
    }

    /// The same for several items at once.
    pub(super) const fn enter_all(&mut self, items: usize, bytes: u64) -> bool {
        let may = self.in_vain.is_none()
            && self.items.saturating_add(items) <= self.items_max
            && self.bytes.saturating_add(bytes) <= self.bytes_max;
        if may {
            self.take(items, bytes);
        }
        may
    }

    /// Somebody waits in line; the number is for [`Self::retry`] and [`Self::leave`].
    pub(super) fn wait(&mut self, bytes: u64, waker: Waker) -> u64 {
        let number = self.next;
        self.next += 1;
        self.waiting.push_back(Waiting { number, bytes, waker });
        number
    }

    /// A waiter is back. Says whether it has its room now, and whom to wake.
    pub(super) fn retry(&mut self, number: u64, waker: &Waker) -> (bool, Option<Waker>) {
        let first = self.waiting.front().filter(|first| first.number == number);
        if let Some(bytes) = first.map(|first| first.bytes)
            && self.fits(bytes)
        {
            self.take(1, bytes);
            return (true, self.leave(number));
        }
        if self.baton == Some(number) {
            self.baton = None;
            self.in_vain = Some(number);
        }
        if let Ok(index) = self.waiting.binary_search_by_key(&number, |waiting| waiting.number)
            && let Some(waiting) = self.waiting.get_mut(index)
        {
            waiting.waker.clone_from(waker);
        }
        (false, None)
    }

    /// A waiter goes, with or without room. Returns whom to wake.
    pub(super) fn leave(&mut self, number: u64) -> Option<Waker> {
        if let Ok(index) = self.waiting.binary_search_by_key(&number, |waiting| waiting.number) {
            self.waiting.remove(index);
        }
        self.baton = self.baton.filter(|baton| *baton != number);
        self.in_vain = self.in_vain.filter(|in_vain| *in_vain != number);
        self.hand_on()
    }

    /// Items have their outcome. Returns whom to wake.
    pub(super) fn give_back(&mut self, items: usize, bytes: u64) -> Option<Waker> {
        self.items = self.items.saturating_sub(items);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.hand_on()
    }

    fn hand_on(&mut self) -> Option<Waker> {
        let first = self.waiting.front()?;
        if self.baton.is_some() || !self.fits(first.bytes) {
            return None;
        }
        self.baton = Some(first.number);
        Some(first.waker.clone())
    }

    /// Everybody who waits, to be told that it is over.
    pub(super) fn close(&mut self) -> Vec<Waker> {
        (self.baton, self.in_vain) = (None, None);
        self.waiting.drain(..).map(|waiting| waiting.waker).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use proptest::prelude::*;

    use super::*;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A task that waits: it polls only when it was woken, as tasks do.
    struct Task {
        number: u64,
        wakes: Arc<Count>,
        seen: usize,
    }

    impl Task {
        fn is_woken(&self) -> bool {
            self.wakes.0.load(Ordering::Relaxed) > self.seen
        }
    }

    /// What happens, by weight: somebody comes, a woken task runs, a task is dropped, room is freed.
    fn run(steps: Vec<(u8, u64, usize)>) {
        let (mut room, mut tasks) = (Room::new(4, 20), Vec::<Task>::new());
        let mut inside = VecDeque::new();
        for (what, bytes, pick) in steps {
            let woken = match what {
                0..=3 => {
                    if room.enter(bytes) {
                        inside.push_back(bytes);
                    } else {
                        let wakes = Arc::new(Count(AtomicUsize::new(0)));
                        let number = room.wait(bytes, Waker::from(Arc::clone(&wakes)));
                        tasks.push(Task { number, wakes, seen: 0 });
                    }
                    None
                }
                4..=6 => {
                    let woken = tasks.iter().position(Task::is_woken);
                    woken.and_then(|index| retry(&mut room, &mut tasks, index, &mut inside))
                }
                7 if !tasks.is_empty() => {
                    let gone = tasks.swap_remove(pick % tasks.len());
                    room.leave(gone.number)
                }
                _ => inside.pop_front().and_then(|bytes| room.give_back(1, bytes)),
            };
            woken.into_iter().for_each(Waker::wake);
            assert!(room.items <= 4 && room.bytes <= 20);
            assert_eq!(room.items, inside.len());
            let first = room.waiting.front();
            if first.is_some_and(|first| room.fits(first.bytes)) {
                assert!(tasks.iter().any(Task::is_woken), "room, and nobody was told");
            }
        }
        // When all room is freed again everybody gets in, with no wake-up but those handed out.
        while !inside.is_empty() || !tasks.is_empty() {
            let woken = match tasks.iter().position(Task::is_woken) {
                Some(index) => retry(&mut room, &mut tasks, index, &mut inside),
                None => {
                    let bytes = inside.pop_front().expect("somebody waits, and nobody was told");
                    room.give_back(1, bytes)
                }
            };
            woken.into_iter().for_each(Waker::wake);
        }
        assert_eq!((room.items, room.bytes), (0, 0));
    }

    fn retry(
        room: &mut Room,
        tasks: &mut Vec<Task>,
        index: usize,
        inside: &mut VecDeque<u64>,
    ) -> Option<Waker> {
        let task = &mut tasks[index];
        task.seen = task.wakes.0.load(Ordering::Relaxed);
        let bytes = room.waiting.iter().find(|waiting| waiting.number == task.number);
        let bytes = bytes.map(|waiting| waiting.bytes).unwrap();
        let waker = Waker::from(Arc::clone(&task.wakes));
        let (entered, woken) = room.retry(task.number, &waker);
        if entered {
            inside.push_back(bytes);
            tasks.swap_remove(index);
        }
        woken
    }

    proptest! {
        /// Invariant: if the first in line would fit, somebody was woken and is not back yet; so
        /// no wake-up is lost, whoever is dropped when, and the bounds hold.
        #[test]
        fn no_wake_up_is_lost(
            steps in proptest::collection::vec((0..10u8, 0..20u64, any::<usize>()), 0..200),
        ) {
            run(steps);
        }
    }

    #[test]
    fn whoever_came_back_in_vain_is_not_overtaken_again() {
        let mut room = Room::new(10, 100);
        assert!(room.enter(60) && room.enter(40));
        let large = room.wait(60, Waker::noop().clone());
        assert!(room.give_back(1, 60).is_some());
        assert!(room.enter(10), "a newcomer may be faster once");
        assert!(!room.retry(large, Waker::noop()).0);
        assert!(!room.enter(10), "but not twice");
        assert!(room.give_back(1, 40).is_some());
        assert!(room.retry(large, Waker::noop()).0);
        assert!(room.enter(10));
    }
}
