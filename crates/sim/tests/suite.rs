//! The suite: rows are complete, in order, and the same on any number of threads.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use tidegate_sim::oracle::{Cache, Effort};
use tidegate_sim::scenario::canonical;
use tidegate_sim::suite::{Options, SuiteError, study, suite};
use tidegate_sim::{Entry, report, table};

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
    let said = error.to_string();
    assert!(said.starts_with("there is no controller joined; known are "), "{said}");
    assert!(said.contains("aimd"), "{said}");
}

#[test]
fn the_report_is_one_page_of_the_same_bytes_on_any_number_of_threads() {
    let mut scenario = canonical::by_name("step").unwrap().unwrap();
    scenario.name = "<b>&mine".into();
    (scenario.duration_s, scenario.changes_s) = (12.0, vec![4.0, 8.0]);
    (scenario.backend.capacity[0].from_s, scenario.backend.capacity[0].until_s) = (4.0, Some(8.0));
    let entries = [Entry::own(scenario)];
    let pages = [1, 3].map(|threads| {
        let options = options(threads);
        let study = study(&entries, &["aimd", "fixed"], &options, &|_| {}).unwrap();
        report::page(&study, &["aimd", "fixed"], &options).unwrap()
    });
    assert_eq!(pages[0], pages[1]);
    assert!(pages[0].contains("&lt;b&gt;&amp;mine") && !pages[0].contains("<b>&mine"));
    assert!(pages[0].contains("raised by 10"), "the reasons of decisions are told");
    for outside in ["http://", "https://", "@import", "url(", "src="] {
        // The name of SVG's namespace is no address that anything is fetched from.
        let page = pages[0].replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn a_target_below_the_floor_is_said_and_ratios_are_null() {
    let mut scenario = canonical::by_name("fsync").unwrap().unwrap();
    (scenario.duration_s, scenario.target.latency_ms) = (3.0, 1.0);
    let rows = suite(&[scenario], &["aimd"], &options(2)).unwrap();
    assert_eq!((rows[0].steady_ratio, rows[0].worst_seed_ratio), (None, None));
    assert!(rows[0].remarks[0].contains("below the backend's floor"), "{:?}", rows[0].remarks);
}
