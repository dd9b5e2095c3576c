//! Keys of their own with one capacity, in paused time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;

/// Batches by key, as the handlers saw them.
type Seen = Arc<Mutex<HashMap<u32, Vec<Vec<u32>>>>>;

fn keyed(keys: Keys, at_once: &Arc<AtomicUsize>) -> (Keyed<u32, u32>, Seen, Arc<AtomicUsize>) {
    let (seen, most) = (Seen::default(), Arc::new(AtomicUsize::new(0)));
    let (sink, high, now) = (Arc::clone(&seen), Arc::clone(&most), Arc::clone(at_once));
    let keyed = Batcher::builder()
        .batch_size_initial(5)
        .queue_items(20)
        .controller(crate::ControllerSettings::Fixed)
        .keyed(keys, move |key: &u32| {
            let (key, sink) = (*key, Arc::clone(&sink));
            let (high, now) = (Arc::clone(&high), Arc::clone(&now));
            move |batch: Vec<u32>| {
                let (sink, high, now) = (Arc::clone(&sink), Arc::clone(&high), Arc::clone(&now));
                async move {
                    high.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    sink.lock().unwrap().entry(key).or_default().push(batch);
                }
            }
        })
        .unwrap();
    (keyed, seen, most)
}

#[tokio::test(start_paused = true)]
async fn keys_never_share_a_batch_and_always_share_the_attempts() {
    let keys = Keys { attempts: 3, queue_items: 30, ..Keys::default() };
    let (keyed, seen, most) = keyed(keys, &Arc::default());
    let tasks = (0..8u32).map(|key| {
        let keyed = keyed.clone();
        tokio::spawn(async move {
            for n in 0..50 {
                match n % 2 {
                    0 => keyed.add(key, key * 1_000 + n).await.unwrap(),
                    _ => keyed.submit(key, key * 1_000 + n).await.unwrap(),
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let totals = keyed.close().await;
    assert_eq!((totals.added, totals.delivered, totals.failed), (400, 400, 0));
    assert_eq!(most.load(Ordering::SeqCst), 3, "as many attempts at a time as allowed");
    for (key, batches) in &*seen.lock().unwrap() {
        let items: Vec<u32> = batches.iter().flatten().copied().collect();
        assert!(items.iter().all(|item| item / 1_000 == *key));
        assert_eq!(items.len(), 50);
    }
    assert_eq!(keyed.add(1, 1).await, Err(AddError::Closed));
}

#[tokio::test(start_paused = true)]
async fn an_idle_key_goes_away_and_comes_back() {
    let keys = Keys { idle: Duration::from_secs(1), ..Keys::default() };
    let (keyed, ..) = keyed(keys, &Arc::default());
    keyed.submit(1, 10).await.unwrap();
    assert_eq!(keyed.keys(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(keyed.keys(), 0);
    keyed.submit(1, 11).await.unwrap();
    assert_eq!((keyed.keys(), keyed.totals().delivered), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn there_are_never_more_keys_than_allowed() {
    let keys = Keys { keys_max: 2, ..Keys::default() };
    let (keyed, ..) = keyed(keys, &Arc::default());
    keyed.add(1, 1).await.unwrap();
    keyed.add(2, 2).await.unwrap();
    assert_eq!(keyed.add(3, 3).await, Err(AddError::TooManyKeys { keys_max: 2 }));
    tokio::time::sleep(Duration::from_millis(50)).await;
    // Those that have nothing to do make room.
    keyed.add(3, 3).await.unwrap();
    assert_eq!(keyed.close().await.delivered, 3);
}

#[tokio::test(start_paused = true)]
async fn the_common_room_is_given_back_by_whoever_leaves() {
    let keys = Keys { queue_items: 2, attempts: 1, ..Keys::default() };
    let (keyed, ..) = keyed(keys, &Arc::default());
    for round in 0..20 {
        let patience = Duration::from_millis(round % 7);
        let _ = tokio::time::timeout(patience, keyed.submit(1, 1)).await;
        let _ = tokio::time::timeout(patience, keyed.add_sized(2, 2, 9)).await;
    }
    // All of it is there again, so two more go in at once.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let both = async { tokio::join!(keyed.add(1, 3), keyed.add(2, 4)) };
    let (one, other) = tokio::time::timeout(Duration::ZERO, both).await.unwrap();
    assert_eq!((one, other), (Ok(()), Ok(())));
}

#[tokio::test]
async fn settings_out_of_range_are_refused() {
    let keys = Keys { keys_max: 0, ..Keys::default() };
    let make = |_: &u32| |_: Vec<u32>| async {};
    let error = Batcher::builder().keyed(keys, make).unwrap_err();
    assert_eq!(error.to_string(), "keys_max is 0, but must be between 1 and 1000000");
}
