//! The hot path's races, each as a property that holds under every schedule that is tried.
//!
//! The short form tries a few hundred schedules of each; `TIDEGATE_SCHEDULES=100000` tries more.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use shuttle::future::block_on;
use shuttle::rand::{Rng, thread_rng};
use shuttle::{check_pct, check_random, thread};
use tidegate_model::{
    AddError, Answer, Batcher, Failure, GivenUp, Outcome, Retries, Settings, SubmitError,
};

/// Tries a property under random schedules, and under those that reorder few steps.
fn every_schedule(property: impl Fn() + Send + Sync + Clone + 'static) {
    let schedules = std::env::var("TIDEGATE_SCHEDULES").ok().and_then(|n| n.parse().ok());
    let schedules = schedules.unwrap_or(300);
    check_random(property.clone(), schedules);
    check_pct(property, schedules, 3);
}

/// How each item ended: by number, how often the handler took it and how often it was given up.
/// Shuttle has no say over this lock, which is never held across one of its points.
#[derive(Default)]
struct Ends {
    ends: Mutex<BTreeMap<u64, (u32, u32)>>,
}

impl Ends {
    fn taken(&self, items: &[u64]) {
        let mut ends = self.ends.lock().unwrap();
        items.iter().for_each(|item| ends.entry(*item).or_default().0 += 1);
    }

    fn given_up(&self, items: &[GivenUp<u64>]) {
        let mut ends = self.ends.lock().unwrap();
        items.iter().for_each(|given| ends.entry(given.item).or_default().1 += 1);
    }

    fn of(&self, item: u64) -> (u32, u32) {
        self.ends.lock().unwrap().get(&item).copied().unwrap_or_default()
    }

    fn each_once(&self) {
        let ends = self.ends.lock().unwrap();
        let odd: Vec<_> =
            ends.iter().filter(|(_, ends)| **ends != (1, 0) && **ends != (0, 1)).collect();
        assert!(odd.is_empty(), "items with no end, or with two: {odd:?}");
    }
}

type Model = (Batcher<u64, u64>, thread::JoinHandle<()>, std::sync::Arc<Ends>);

/// A batcher whose handler answers each item with its double.
fn doubling(settings: &Settings) -> Model {
    let ends = std::sync::Arc::new(Ends::default());
    let (taken, given) = (ends.clone(), ends.clone());
    let handler = move |items: &[u64]| {
        taken.taken(items);
        Answer::values(items.iter().map(|item| item * 2).collect::<Vec<_>>())
    };
    let (batcher, driver) =
        Batcher::start(settings, move |items: Vec<GivenUp<u64>>| given.given_up(&items), handler);
    (batcher, driver, ends)
}

/// Lost wake-up: whoever adds, and however the driver falls asleep meanwhile, each item leaves and
/// everybody who waits for room or an outcome hears of it. (A lost one is a deadlock, which the
/// scheduler reports.)
#[test]
fn no_wake_up_is_lost() {
    every_schedule(|| {
        let (batcher, driver, ends) = doubling(&Settings { queue_items: 2, ..Settings::default() });
        let threads: Vec<_> = (0..3u64)
            .map(|producer| {
                let batcher = batcher.clone();
                thread::spawn(move || {
                    for n in 0..3 {
                        let item = producer * 10 + n;
                        if n == 1 {
                            assert_eq!(block_on(batcher.submit(item)), Ok(item * 2));
                        } else {
                            batcher.add(item).unwrap();
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        drop(batcher);
        driver.join().unwrap();
        ends.each_once();
        assert_eq!(ends.ends.lock().unwrap().len(), 9);
    });
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Baton: a waiter that is dropped, woken or not, passes its turn on; those behind it get in.
#[test]
fn a_dropped_waiter_passes_the_baton_on() {
    every_schedule(|| {
        let (batcher, driver, ends) = doubling(&Settings { queue_items: 1, ..Settings::default() });
        let threads: Vec<_> = (0..4u64)
            .map(|item| {
                let batcher = batcher.clone();
                thread::spawn(move || {
                    if item % 2 == 0 {
                        batcher.add(item).unwrap();
                        return;
                    }
                    let mut enter = pin!(batcher.enter(item));
                    let waker = Waker::from(std::sync::Arc::new(Count(AtomicUsize::new(0))));
                    // It is polled once or twice and then dropped, inside or not.
                    for _ in 0..=thread_rng().gen_range(0..2) {
                        if enter.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                            return;
                        }
                        thread::yield_now();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        drop(batcher);
        driver.join().unwrap();
        ends.each_once();
        assert_eq!((ends.of(0), ends.of(2)), ((1, 0), (1, 0)));
    });
}

/// Reuse: rounds and vectors come back for later batches, and nobody ever gets what was for
/// another: not with places that are polled again, and not with places that are dropped.
#[test]
fn a_round_that_is_used_again_mixes_nobody_up() {
    every_schedule(|| {
        let (batcher, driver, ends) = doubling(&Settings { batch_size: 2, ..Settings::default() });
        let threads: Vec<_> = (0..3u64)
            .map(|producer| {
                let batcher = batcher.clone();
                thread::spawn(move || {
                    for n in 0..4 {
                        let item = producer * 10 + n;
                        let mut submit = pin!(batcher.submit(item));
                        let waker = Waker::from(std::sync::Arc::new(Count(AtomicUsize::new(0))));
                        let first = submit.as_mut().poll(&mut Context::from_waker(&waker));
                        assert!(first.is_pending(), "nobody has answered yet");
                        if n == 1 {
                            continue; // leaves
                        }
                        assert_eq!(block_on(submit), Ok(item * 2));
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        drop(batcher);
        driver.join().unwrap();
        ends.each_once();
    });
}

/// A lone submitter polls the driver itself, while others do too, come the usual way, leave, or
/// close: each item is handled once, and its submitter has the answer to its own.
#[test]
fn a_submitter_that_drives_harms_nobody() {
    every_schedule(|| {
        let settings = Settings { alone: true, ..Settings::default() };
        let (batcher, driver, ends) = doubling(&settings);
        let threads: Vec<_> = (0..3u64)
            .map(|producer| {
                let batcher = batcher.clone();
                thread::spawn(move || {
                    let mut taken = Vec::new();
                    for n in 0..3 {
                        let item = producer * 10 + n;
                        match (producer, n) {
                            (1, 1) => batcher.add(item).unwrap(),
                            (2, 1) => {
                                let mut submit = pin!(batcher.submit(item));
                                let waker =
                                    Waker::from(std::sync::Arc::new(Count(AtomicUsize::new(0))));
                                let polled = submit.as_mut().poll(&mut Context::from_waker(&waker));
                                assert!(matches!(polled, Poll::Pending | Poll::Ready(Ok(42))));
                                // Leaves.
                            }
                            _ => assert_eq!(block_on(batcher.submit(item)), Ok(item * 2)),
                        }
                        taken.push(item);
                    }
                    taken
                })
            })
            .collect();
        let taken: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        drop(batcher);
        driver.join().unwrap();
        ends.each_once();
        assert!(taken.iter().all(|item| ends.of(*item) == (1, 0) || *item == 21));
    });
}

/// Close: whoever is told that an item was taken sees it end once, whenever the batcher closes; who
/// is told that it was not, never sees it.
#[test]
fn close_in_the_middle_loses_nothing() {
    every_schedule(|| {
        let (batcher, driver, ends) = doubling(&Settings { queue_items: 2, ..Settings::default() });
        let threads: Vec<_> = (0..3u64)
            .map(|producer| {
                let (batcher, ends) = (batcher.clone(), ends.clone());
                thread::spawn(move || {
                    for n in 0..3 {
                        let item = producer * 10 + n;
                        let taken = match producer {
                            0 => match block_on(batcher.submit(item)) {
                                Ok(value) => {
                                    assert_eq!(value, item * 2);
                                    true
                                }
                                Err(SubmitError::NotAdded(AddError::Closed)) => false,
                                Err(other) => panic!("{other}"),
                            },
                            _ => batcher.add(item).is_ok(),
                        };
                        if !taken {
                            return vec![(item, false)];
                        }
                        if producer == 0 {
                            assert_eq!(ends.of(item), (1, 0));
                        }
                    }
                    vec![]
                })
            })
            .collect();
        batcher.close();
        let refused: Vec<_> =
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        driver.join().unwrap();
        ends.each_once();
        for (item, _) in refused {
            assert_eq!(ends.of(item), (0, 0), "an item that was not taken came all the same");
        }
        let stats = batcher.stats();
        assert_eq!((stats.delivered, stats.queued), (stats.added, 0));
    });
}

/// A local handle: what is in its buffer arrives although its owner stops, and none of it twice,
/// also when the batcher closes at the same moment; what was added before is handled, and what comes
/// afterwards is refused.
#[test]
fn what_a_local_handle_holds_back_arrives() {
    every_schedule(|| {
        let (batcher, driver, ends) = doubling(&Settings { queue_items: 4, ..Settings::default() });
        let mut early = batcher.local();
        block_on(early.add(100)).unwrap();
        let threads: Vec<_> = (0..2u64)
            .map(|producer| {
                let mut local = batcher.local();
                thread::spawn(move || {
                    let added = (0..3).filter(|n| block_on(local.add(producer * 10 + n)).is_ok());
                    let added: Vec<_> = added.collect();
                    (added.into_iter().map(|n| producer * 10 + n).collect::<Vec<_>>(), local)
                })
            })
            .collect();
        batcher.close();
        let mut late = batcher.local();
        let mut locals = Vec::new();
        let mut added = Vec::new();
        for thread in threads {
            let (items, local) = thread.join().unwrap();
            added.extend(items);
            locals.push(local);
        }
        drop(locals);
        driver.join().unwrap();
        assert_eq!(block_on(late.add(200)), Err(AddError::Closed));
        drop(late);
        // What was added before the close is handled, although its owner still holds the handle.
        drop(early);
        ends.each_once();
        assert!(added.iter().all(|item| ends.of(*item) != (0, 0)), "an item is lost");
        assert_eq!((ends.of(100), ends.of(200)), ((1, 0), (0, 0)));
    });
}

/// Panic: everybody in a batch whose handler panics hears of it, the others get their answers, and
/// the batcher goes on.
#[test]
fn a_panic_is_heard_by_its_batch_alone() {
    every_schedule(|| {
        let ends = std::sync::Arc::new(Ends::default());
        let (taken, given) = (ends.clone(), ends.clone());
        let handler = move |items: &[u64]| -> Answer<u64> {
            if items.contains(&11) {
                std::panic::resume_unwind(Box::new("eleven"));
            }
            taken.taken(items);
            Answer::values(items.to_vec())
        };
        let hook = move |items: Vec<GivenUp<u64>>| given.given_up(&items);
        let (batcher, driver) = Batcher::start(&Settings::default(), hook, handler);
        let threads: Vec<_> = (0..3u64)
            .map(|producer| {
                let batcher = batcher.clone();
                thread::spawn(move || {
                    for n in 0..2 {
                        let item = producer * 10 + n;
                        match block_on(batcher.submit(item)) {
                            Ok(value) => assert_eq!((value, item != 11), (item, true)),
                            Err(SubmitError::GivenUp(Failure::Panicked { why })) => {
                                assert_eq!(&*why, "eleven");
                            }
                            Err(other) => panic!("{other}"),
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        drop(batcher);
        driver.join().unwrap();
        ends.each_once();
        assert_eq!(ends.of(11), (0, 1));
    });
}

/// Retries and bisection: however attempts interleave with those that add, each item ends once.
#[test]
fn what_is_tried_again_ends_once() {
    every_schedule(|| {
        let ends = std::sync::Arc::new(Ends::default());
        let (taken, given) = (ends.clone(), ends.clone());
        let handler = move |items: &[u64]| {
            let mut dice = thread_rng();
            if dice.gen_bool(0.3) {
                return Answer::failed(Outcome::Overloaded, "busy");
            }
            if items.contains(&1) {
                return Answer::failed(Outcome::Rejected, "one");
            }
            taken.taken(items);
            Answer::values(items.to_vec())
        };
        let settings = Settings {
            concurrency: 2.0,
            retries: Some(Retries::default()),
            bisects: true,
            ..Settings::default()
        };
        let hook = move |items: Vec<GivenUp<u64>>| given.given_up(&items);
        let (batcher, driver) = Batcher::start(&settings, hook, handler);
        let threads: Vec<_> = (0..2u64)
            .map(|producer| {
                let batcher = batcher.clone();
                thread::spawn(move || {
                    for n in 0..3 {
                        let item = producer * 10 + n;
                        if let Ok(value) = block_on(batcher.submit(item)) {
                            assert_eq!(value, item);
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        drop(batcher);
        driver.join().unwrap();
        ends.each_once();
        assert_eq!(ends.ends.lock().unwrap().len(), 6);
    });
}

/// A value that nobody fetches is dropped with its batch, and not kept for as long as the round.
#[test]
fn a_value_that_nobody_fetches_is_dropped() {
    every_schedule(|| {
        let value = std::sync::Arc::new(());
        let made = value.clone();
        let handler = move |items: &[u64]| {
            Answer::values(items.iter().map(|_| made.clone()).collect::<Vec<_>>())
        };
        let (batcher, driver) = Batcher::start(&Settings::default(), |_| {}, handler);
        let leaving = {
            let batcher = batcher.clone();
            thread::spawn(move || {
                let mut submit = pin!(batcher.submit(1));
                let waker = Waker::from(std::sync::Arc::new(Count(AtomicUsize::new(0))));
                let _ = submit.as_mut().poll(&mut Context::from_waker(&waker));
                thread::yield_now();
                if let Poll::Ready(Err(error)) =
                    submit.as_mut().poll(&mut Context::from_waker(&waker))
                {
                    panic!("{error}");
                }
            })
        };
        block_on(batcher.submit(2)).unwrap();
        leaving.join().unwrap();
        block_on(batcher.submit(3)).unwrap();
        // One is the handler's, and the test has one; the round is still there.
        assert_eq!(std::sync::Arc::strong_count(&value), 2);
        drop(batcher);
        driver.join().unwrap();
    });
}
