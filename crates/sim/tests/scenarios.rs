//! Scenario files: what is read, and what is refused with which words.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use tidegate_sim::Scenario;
use tidegate_sim::scenario::weather::{Between, Interruption};
use tidegate_sim::scenario::{Arrivals, canonical, random};

fn refusal(change: impl Fn(&mut Scenario)) -> String {
    let mut scenario = canonical::by_name("pgA").unwrap().unwrap();
    change(&mut scenario);
    scenario.checked().unwrap_err().to_string()
}

#[test]
fn every_shipped_file_is_read_and_named_as_its_file() {
    let saturated = canonical::SATURATED.iter().chain(&canonical::ARRIVALS);
    let source = canonical::SOURCE.iter().chain(&canonical::CLASSES);
    for (name, text) in
        saturated.chain(&canonical::SHARERS).chain(&canonical::MEASURED).chain(source)
    {
        assert_eq!(Scenario::from_yaml(text).unwrap().name, *name);
    }
    assert!(canonical::by_name("pgD").unwrap().is_none());
}

#[test]
fn a_scenario_survives_being_written_and_read() {
    for number in 0..40 {
        let scenario = random::scenario(number).checked().unwrap();
        let text = serde_json::to_string(&scenario).unwrap();
        assert_eq!(Scenario::from_yaml(&text).unwrap(), scenario);
        assert_eq!(scenario.backend.capacity.len() as u64, number % 2);
        assert!(scenario.target.latency_ms >= 10.0 * scenario.backend.fixed_ms.max(2.0) - 1e-9);
    }
}

#[test]
fn a_number_out_of_its_bounds_is_refused_with_field_value_and_bound() {
    assert_eq!(
        refusal(|scenario| scenario.backend.cores = 0.0),
        "scenario pgA: backend.cores is 0, but must be between 0.1 and 1024"
    );
    assert_eq!(
        refusal(|scenario| scenario.target.latency_ms = f64::NAN),
        "scenario pgA: target.latency_ms is NaN, but must be between 1 and 3600000"
    );
    assert_eq!(
        refusal(|scenario| {
            scenario.arrivals =
                Arrivals::Spikes { base: 1.0, peak: 2.0, every_s: 5.0, for_s: 6.0, first_s: 0.0 };
        }),
        "scenario pgA: arrivals.for_s is 6, but must be between 0 and 5"
    );
    assert_eq!(
        refusal(|scenario| {
            let every_s = Between { from: 5.0, to: 4.0 };
            let one = Interruption { every_s, for_s: every_s, capacity: 0.5 };
            scenario.backend.interruptions = vec![one];
        }),
        "scenario pgA: backend.interruptions.every_s.to is 4, but must be between 5 and 3600"
    );
    assert_eq!(
        refusal(|scenario| scenario.instances = 65),
        "scenario pgA: instances is 65, but must be between 1 and 64"
    );
    assert_eq!(
        refusal(|scenario| scenario.bounds.batch_size_max = 0),
        "scenario pgA: batch_size.max is 0, but must be between 1 and 1000000"
    );
}

#[test]
fn parts_that_are_left_out_are_not_written_so_that_kept_oracles_stay_valid() {
    let text = serde_json::to_string(&canonical::by_name("pgA").unwrap().unwrap()).unwrap();
    for part in ["classes", "instances", "says", "custom", "tail", "spread", "locks", "drift"] {
        assert!(!text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_recording_becomes_the_arrivals_of_a_scenario() {
    let scenario = canonical::by_name("arrivals_half").unwrap().unwrap();
    let lines = (0..2_000).map(|i| format!("{},{}\n", i * 2, 100));
    let text = format!("# tidegate arrivals 1\nat_ms,items\n{}", lines.collect::<String>());
    let replayed = scenario.clone().replaying(&text, false).unwrap();
    let read = Scenario::from_yaml(&serde_json::to_string(&replayed).unwrap()).unwrap();
    assert_eq!(read, replayed);
    let fixed = tidegate::ControllerSettings::Fixed;
    let run = tidegate_sim::run(&read, &fixed, tidegate_sim::contender::plan(1_000, 4.0), 1);
    assert_eq!(run.unwrap().offered, 200_000);
    let error = scenario.replaying("# tidegate arrivals 1\n1;2\n", true).unwrap_err();
    assert!(error.to_string().contains("line 2 is `1;2`"), "{error}");
}

#[test]
fn a_field_that_is_not_known_is_refused_by_name() {
    let text = canonical::SATURATED[0].1.replace("cores:", "kores:");
    let message = Scenario::from_yaml(&text).unwrap_err().to_string();
    assert!(message.contains("kores"), "{message}");
    let twice = format!("{}\nlinger: 3\n", canonical::SATURATED[0].1);
    assert!(Scenario::from_yaml(&twice).unwrap_err().to_string().contains("linger"));
}

#[test]
fn the_schema_knows_every_part() {
    let schema = Scenario::schema().to_string();
    for part in ["rate_limit", "own_load", "hold_s", "retry_after_s", "additionalProperties"] {
        assert!(schema.contains(part), "{part}");
    }
}

/// `TIDEGATE_SIM_BLESS=1` writes the file anew.
#[test]
fn the_published_schema_is_current() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenario.schema.json");
    let schema = serde_json::to_string_pretty(&Scenario::schema()).unwrap() + "\n";
    if std::env::var_os("TIDEGATE_SIM_BLESS").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == schema, "write it anew with TIDEGATE_SIM_BLESS=1");
}
