//! How are many independent questions answered on all cores? Threads take them off one list, and
//! the answers come back in the order of the questions, whatever order they were found in.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers the questions on that many threads; `done` hears how many are answered, from any thread.
///
/// # Errors
///
/// The error of the first question, in their order, that has one.
pub(crate) fn spread<Q: Sync, T: Send, E: Send>(
    questions: &[Q],
    threads: usize,
    done: &(dyn Fn(usize) + Sync),
    answer: impl Fn(&Q) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let (next, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let answers = Mutex::new(Vec::with_capacity(questions.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, questions.len().max(1)) {
            scope.spawn(|| {
                loop {
                    // Each number is taken once; nothing else is shared through it.
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(question) = questions.get(index) else { return };
                    let found = answer(question);
                    let mut all = answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    all.push((index, found));
                    drop(all);
                    done(finished.fetch_add(1, Ordering::Relaxed) + 1);
                }
            });
        }
    });
    let mut all = answers.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, found)| found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_in_the_order_of_the_questions_and_the_first_error_wins() {
        let questions: Vec<u32> = (0..100).collect();
        let heard = AtomicUsize::new(0);
        let done = |_| {
            heard.fetch_add(1, Ordering::Relaxed);
        };
        let doubled = spread(&questions, 4, &done, |number| Ok::<_, u32>(number * 2)).unwrap();
        assert_eq!(doubled, questions.iter().map(|number| number * 2).collect::<Vec<_>>());
        assert_eq!(heard.load(Ordering::Relaxed), 100);
        let odd = |number: &u32| if number % 2 == 1 { Err(*number) } else { Ok(()) };
        assert_eq!(spread(&questions, 3, &|_| {}, odd), Err(1));
        assert_eq!(spread(&[] as &[u32], 3, &|_| {}, odd), Ok(Vec::new()));
    }
}
