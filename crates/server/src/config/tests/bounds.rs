//! Every setting: its default, both ends of its range, and what lies just outside.

use super::*;

/// A setting's path, its default as it prints, its least and most, and what is just outside.
struct Row(&'static str, &'static str, [&'static str; 2], [&'static str; 2]);

/// No value lies on that side that could be written.
const NONE: &str = "";

const ROWS: &[Row] = &[
    Row("http.body_bytes_max", "10 MiB", ["1 KiB", "1 GiB"], ["1023", "1073741825"]),
    Row("http.decompressed_bytes_max", "64 MiB", ["1 KiB", "1 GiB"], ["0", "1073741825"]),
    Row("http.event_bytes_max", "1 MiB", ["1 KiB", "256 MiB"], ["1023", "1 GB"]),
    Row("http.in_flight_bytes_max", "256 MiB", ["1 KiB", "64 GiB"], ["1 B", "65 GiB"]),
    Row("http.connections_max", "1024", ["1", "100000"], ["0", "100001"]),
    Row("http.header_timeout", "10 s", ["100 ms", "10 m"], ["99 ms", "601 s"]),
    Row("http.body_timeout", "30 s", ["100 ms", "1 h"], ["0 s", "3601 s"]),
    Row("http.idempotency.window", "10 m", ["1 s", "7 d"], ["999 ms", "8 d"]),
    Row("http.idempotency.max_keys", "200000", ["1", "10000000"], ["0", "10000001"]),
    Row("journal.segment_bytes", "64 MiB", ["64 KiB", "1 GiB"], ["65535", "2 GiB"]),
    Row("journal.max_bytes", "8 GiB", ["128 KiB", "64 TiB"], ["127 KiB", "65 TiB"]),
    Row("journal.tail_bytes", "64 MiB", ["64 KiB", "64 GiB"], ["0", "65 GiB"]),
    Row("recording.max_bytes", "64 MiB", ["64 KiB", "1 GiB"], ["65535", "2 GiB"]),
    Row("dashboard.watchers_max", "64", ["1", "10000"], ["0", "10001"]),
    Row("drain_timeout", "30 s", ["0 s", "1 h"], [NONE, "61 m"]),
    Row("sinks.sqlite.busy_timeout", "5 s", ["0 s", "10 m"], [NONE, "11 m"]),
    Row("sinks.sqlite.retention.max_age", "null", ["1 s", "36500 d"], ["0 s", "36501 d"]),
    Row(
        "sinks.sqlite.retention.max_rows",
        "null",
        ["1", "1000000000000000"],
        ["0", "1000000000000001"],
    ),
    Row("sinks.sqlite.batch_size.initial", "500", ["1", "20000"], ["0", "20001"]),
    Row("sinks.sqlite.batch_size.min", "1", ["1", "1000000"], ["0", "1000001"]),
    Row("sinks.sqlite.batch_size.max", "20000", ["1", "1000000"], ["0", "1000001"]),
    Row("sinks.sqlite.batch_bytes_max", "8 MiB", ["1 B", "1 GiB"], ["0", "1073741825"]),
    Row("sinks.sqlite.linger", "0 s", ["0 s", "1 h"], [NONE, "3601 s"]),
    Row("sinks.sqlite.concurrency", "1.0", ["0.01", "1"], ["0.009", "1.5"]),
    Row("sinks.sqlite.pace", "null", ["0.001", "1000000000"], ["0", "1000000001"]),
    Row("sinks.sqlite.target", "100 ms", ["1 ms", "1 h"], ["999 us", "3601 s"]),
    Row("sinks.sqlite.timeout", "30 s", ["1 ms", "1 h"], ["0 s", "3601 s"]),
    Row("sinks.sqlite.queue_items", "200000", ["1", "1000000000"], ["0", "1000000001"]),
    Row("sinks.sqlite.queue_bytes", "64 MiB", ["1 B", "64 GiB"], ["0", "65 GiB"]),
    Row("sinks.sqlite.weight", "1.0", ["0.1", "100"], ["0.09", "101"]),
    Row("sinks.sqlite.breaker.failures", "5", ["1", "1000"], ["0", "1001"]),
    Row("sinks.sqlite.breaker.open", "1 s", ["1 ms", "1 h"], ["0 s", "3601 s"]),
    Row("sinks.sqlite.breaker.open_max", "4 s", ["1 ms", "1 d"], ["0 s", "25 h"]),
    Row("sinks.sqlite.breaker.probes", "3", ["1", "100"], ["0", "101"]),
    Row("sinks.sqlite.retry.first", "50 ms", ["1 ms", "1 h"], ["0 s", "3601 s"]),
    Row("sinks.sqlite.retry.max", "5 s", ["50 ms", "1 h"], ["49 ms", "3601 s"]),
    Row("sinks.sqlite.retry.attempts", "null", ["1", "1000000"], ["0", "1000001"]),
    Row("sinks.sqlite.retry.age", "null", ["1 ms", "36500 d"], ["0 s", "36501 d"]),
    Row("sinks.sqlite.retry.budget", "0.2", ["0", "10"], ["-1", "11"]),
    Row("sinks.sqlite.retry.budget_per_second", "10.0", ["0.01", "1000000"], ["0", "1000001"]),
    Row("sinks.sqlite.guards.cpu", "null", ["0.01", "1"], ["0", "1.01"]),
    Row("sinks.sqlite.guards.system_memory", "null", ["0.01", "1"], ["0.009", "2"]),
    Row("sinks.sqlite.guards.process_memory", "null", ["1 MiB", "64 TiB"], ["1023 KiB", "65 TiB"]),
    Row("sinks.sqlite.guards.target", "null", ["1 ms", "1 h"], ["999 us", "3601 s"]),
    Row("sinks.sqlite.guards.in_flight_items", "null", ["1", "1000000000"], ["0", "1000000001"]),
    Row("dead_letters.max_items", "100000", ["1", "10000000"], ["0", "10000001"]),
    Row("dead_letters.max_bytes", "1 GiB", ["64 KiB", "1 TiB"], ["1", "2 TiB"]),
    Row("dead_letters.reprocess.every", "10 m", ["100 ms", "7 d"], ["99 ms", "8 d"]),
    Row("dead_letters.reprocess.max", "10000", ["1", "1000000"], ["0", "1000001"]),
    Row("dead_letters.reprocess.per_second", "100", ["1", "100000"], ["0", "100001"]),
    Row("dead_letters.reprocess.attempts", "3", ["1", "1000"], ["0", "1001"]),
    Row("sinks.sqlite.controller.step", "10", ["1", "100000"], ["0", "100001"]),
    Row("sinks.sqlite.controller.decrease", "0.9", ["0.1", "0.99"], ["0", "1"]),
    Row("sinks.sqlite.controller.startup", "2.0", ["1", "4"], ["0.9", "4.1"]),
    Row("sinks.sqlite.controller.interval", "5 s", ["1 ms", "1 h"], ["0 s", "3601 s"]),
    Row("sinks.sqlite.controller.throughput", "1.0", ["0.1", "1"], ["0", "1.1"]),
    Row("sinks.sqlite.controller.latency", "0.0", ["0", "1"], ["-0.1", "1.1"]),
    Row("sinks.sqlite.controller.cost", "0.0", ["0", "1"], ["-0.1", "NaN"]),
    Row("sinks.sqlite.controller.size_min", "50", ["1", "5000"], ["0", "1000001"]),
    Row("sinks.sqlite.controller.size_max", "5000", ["50", "1000000"], ["49", "1000001"]),
    Row("sinks.sqlite.controller.learning_rate", "0.1", ["1e-6", "1e3"], ["0", "1001"]),
    Row("sinks.sqlite.controller.step_max", "0.2", ["0.01", "1"], ["0", "1.1"]),
    Row("sinks.sqlite.controller.memory_max", "0.8", ["0.01", "1"], ["0", "1.1"]),
    Row("sinks.sqlite.controller.cpu_max", "0.9", ["0.01", "1"], ["0", "1.1"]),
    Row("sinks.sqlite.controller.factor", "0.2", ["0.01", "0.9"], ["0.009", "0.91"]),
    Row("sinks.sqlite.controller.window", "10", ["1", "1000"], ["0", "1001"]),
    Row("sinks.sqlite.controller.grow_below", "0.3", ["0", "0.7"], ["-0.1", NONE]),
    Row("sinks.sqlite.controller.shrink_above", "0.7", ["0.3", "1"], ["0.29", "1.1"]),
    Row("sinks.sqlite.controller.cpu_weight", "0.4", ["0", "1"], ["-1", "NaN"]),
    Row("sinks.sqlite.controller.error_rate_weight", "0.3", ["0", "1"], ["-1", "1.1"]),
    Row("sinks.sqlite.controller.queue_depth_weight", "0.2", ["0", "1"], ["-1", "inf"]),
    Row("sinks.sqlite.controller.queue_depth_full", "100.0", ["1e-9", "1e12"], ["0", "2e12"]),
    Row("sinks.sqlite.controller.lock_waits_weight", "0.1", ["0", "1"], ["-1", "2"]),
    Row("sinks.sqlite.controller.lock_waits_full", "50.0", ["1e-9", "1e12"], ["-5", "2e12"]),
];

/// Whether the value itself is out of its range (not only at odds with another setting).
fn is_refused(path: &str, value: &str) -> bool {
    let found = problems(&file_with(path, value));
    let at = |problem: &&Problem| problem.path == path;
    found.iter().filter(at).any(|problem| match &problem.kind {
        ProblemKind::Invalid { bound, .. } => {
            bound.starts_with("between")
                || bound.starts_with("above 0, unless")
                || bound == "at most 3600s"
        }
        other => panic!("{path}: {other:?}"),
    })
}

fn prints(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn every_bound_is_enforced_at_both_ends() {
    for Row(path, _, inside, outside) in ROWS {
        for value in inside {
            assert!(!is_refused(path, value), "{path}: {value}");
        }
        for value in outside.iter().filter(|value| **value != NONE) {
            assert!(is_refused(path, value), "{path}: {value}");
        }
    }
}

#[test]
fn descriptions_state_the_most_that_is_allowed() {
    let schema = schema();
    for Row(path, _, [_, most], _) in ROWS.iter().filter(|row| row.2[1].contains(' ')) {
        let field = super::schemas::at(&schema, path).unwrap();
        let description = field["description"].as_str().unwrap();
        assert!(description.contains(most), "{path}: {most}: {description}");
    }
}

#[test]
fn a_class_has_the_bounds_of_a_sink() {
    for Row(path, _, _, outside) in ROWS {
        let path = path.replace("sinks.sqlite.", "classes.read.");
        if !path.starts_with("classes")
            || [
                "busy_",
                "retention",
                "breaker",
                "guards",
                "retry.first",
                "retry.max",
                "retry.budget",
            ]
            .iter()
            .any(|own| path.contains(own))
        {
            continue;
        }
        for value in outside.iter().filter(|value| **value != NONE) {
            let found = problems(&file_with(&path, value));
            assert!(!found.is_empty(), "{path}: {value}");
            for problem in found {
                assert!(problem.path.starts_with("classes.read."), "{problem}");
            }
        }
    }
}

#[test]
fn every_default_is_the_one_stated() {
    for Row(path, default, ..) in ROWS {
        // The controller's own settings show once it is chosen.
        let text = match path.rsplit_once('.') {
            Some((parent, field)) if parent.ends_with("controller") => {
                let name = controller_with(field);
                format!("sinks: {{ sqlite: {{ controller: {name} }} }}")
            }
            _ => String::new(),
        };
        let settings = load(&text).unwrap().effective();
        let setting = settings.iter().find(|setting| setting.path == *path).unwrap();
        assert_eq!((prints(&setting.value).as_str(), setting.origin), (*default, Origin::Default));
    }
    let rest = |path: &str| !ROWS.iter().any(|row| row.0 == path);
    let settings = load("").unwrap().effective();
    let rest: Vec<_> = settings
        .iter()
        .filter(|setting| rest(&setting.path))
        .map(|setting| format!("{}={}", setting.path, prints(&setting.value)))
        .collect();
    assert_eq!(
        rest,
        [
            "classes={}",
            "dashboard.mask=null",
            "data_dir=./tidegate-data",
            "dead_letters.reprocess.after_outage=true",
            "dead_letters.reprocess.kinds=null",
            "http.listen=127.0.0.1:8080",
            "http.tls.cert=null",
            "http.tls.client_ca=null",
            "http.tls.key=null",
            "http.token=",
            "journal.durability=fsync",
            "log.format=text",
            "log.level=info",
            "otlp.grpc=auto",
            "otlp.http=auto",
            "recording.arrivals=null",
            "recording.attempts=null",
            "sinks.sqlite.controller.name=joint",
            "sinks.sqlite.guards.rate=true",
            "sinks.sqlite.journal_share_max=null",
            "sinks.sqlite.on_full=block",
            "sinks.sqlite.path=null",
            "sinks.sqlite.retry.overloaded=retry",
            "sinks.sqlite.retry.rejected=dead_letter",
            "sinks.sqlite.retry.timed_out=retry",
            "sinks.sqlite.retry.too_large=dead_letter",
            "sinks.sqlite.transform=[]",
            "sinks.sqlite.type=sqlite",
            "sinks.sqlite.when.all=[]",
            "sinks.sqlite.when.any=[]",
            "sinks.sqlite.when.not=[]",
        ]
    );
}
