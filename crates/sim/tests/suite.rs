//! The suite: rows are complete, in order, and the same on any number of threads.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use tidegate_sim::oracle::{Cache, Effort};
use tidegate_sim::scenario::canonical;
use tidegate_sim::suite::{Options, SuiteError, suite};
use tidegate_sim::table;

fn options(threads: usize) -> Options {
    Options { seeds: 2, threads, effort: Effort::Quick, cache: Cache::default() }
}

#[test]
fn rows_are_the_same_on_any_number_of_threads() {
    let mut scenario = canonical::by_name("fsync").unwrap().unwrap();
    scenario.duration_s = 10.0;
    let scenarios = [scenario.clone(), scenario];
    let rows = [1, 3].map(|threads| suite(&scenarios, &["fixed", "aimd"], &options(threads)));
    let [one, three] = rows.map(|rows| serde_json::to_string(&rows.unwrap()).unwrap());
    assert_eq!(one, three);
    assert!(one.contains(r#""jain":null"#) && one.contains(r#""oracle_plan":{"batch_size""#));
}

#[test]
fn arrivals_are_held_against_the_best_static_plan_of_the_same_seeds() {
    let mut scenario = canonical::by_name("arrivals_half").unwrap().unwrap();
    scenario.duration_s = 3.0;
    scenario.bounds.concurrency_max = 4.0;
    let rows = suite(&[scenario], &["aimd"], &options(2)).unwrap();
    assert!((0.9..1.1).contains(&rows[0].steady_ratio.unwrap()), "{rows:?}");
    assert_eq!(rows[0].settle_seconds_median, None);
    let mut text = Vec::new();
    table::write(&mut text, &rows).unwrap();
    assert_eq!(String::from_utf8(text).unwrap().lines().count(), 3);
}

#[test]
fn an_unknown_controller_and_no_seeds_are_refused() {
    let error = suite(
        &canonical::saturated().unwrap()[..0],
        &["aimd"],
        &Options { seeds: 0, ..options(1) },
    );
    assert!(matches!(error, Err(SuiteError::NoSeeds)));
    let mut scenario = canonical::by_name("fsync").unwrap().unwrap();
    scenario.duration_s = 2.0;
    let error = suite(&[scenario], &["joined"], &options(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no controller joined; known are aimd, fixed, load_score"
    );
}
