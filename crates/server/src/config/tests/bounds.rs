//! Every setting: its default, both ends of its range, and what lies just outside.

use super::*;

/// A setting's path, its default as it prints, its least and most, and what is just outside.
struct Row(&'static str, &'static str, [&'static str; 2], [&'static str; 2]);

/// No value lies on that side that could be written.
const NONE: &str = "";

const ROWS: &[Row] = &[
    Row("http.body_bytes_max", "10 MiB", ["1 KiB", "1 GiB"], ["1023", "1073741825"]),
    Row("http.decompressed_bytes_max", "64 MiB", ["1 KiB", "4 GiB"], ["0", "4294967297"]),
    Row("http.event_bytes_max", "1 MiB", ["1 KiB", "256 MiB"], ["1023", "1 GB"]),
    Row("http.in_flight_bytes_max", "256 MiB", ["1 KiB", "64 GiB"], ["1 B", "65 GiB"]),
    Row("http.connections_max", "1024", ["1", "100000"], ["0", "100001"]),
    Row("http.header_timeout", "10 s", ["100 ms", "10 m"], ["99 ms", "601 s"]),
    Row("http.body_timeout", "30 s", ["100 ms", "1 h"], ["0 s", "3601 s"]),
    Row("journal.segment_bytes", "64 MiB", ["64 KiB", "1 GiB"], ["65535", "2 GiB"]),
    Row("journal.max_bytes", "8 GiB", ["128 KiB", "64 TiB"], ["127 KiB", "65 TiB"]),
    Row("journal.tail_bytes", "64 MiB", ["64 KiB", "64 GiB"], ["0", "65 GiB"]),
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
    Row("sinks.sqlite.controller.step", "10", ["1", "100000"], ["0", "100001"]),
    Row("sinks.sqlite.controller.decrease", "0.9", ["0.1", "0.99"], ["0", "1"]),
    Row("sinks.sqlite.controller.interval", "5 s", ["1 ms", "1 h"], ["0 s", "3601 s"]),
    Row("sinks.sqlite.controller.factor", "0.2", ["0.01", "0.9"], ["0.009", "0.91"]),
    Row("sinks.sqlite.controller.window", "10", ["1", "1000"], ["0", "1001"]),
    Row("sinks.sqlite.controller.grow_below", "0.3", ["0", "0.7"], ["-0.1", "1.1"]),
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
            bound.starts_with("between") || bound == "at most 3600s"
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
            // The library tells of a threshold at odds with its partner at the partner.
            let path = if (*path, *value) == ("sinks.sqlite.controller.grow_below", "1.1") {
                continue;
            } else {
                path
            };
            assert!(is_refused(path, value), "{path}: {value}");
        }
    }
}

#[test]
fn a_class_has_the_bounds_of_a_sink() {
    for Row(path, _, _, outside) in ROWS {
        let path = path.replace("sinks.sqlite.", "classes.read.");
        if !path.starts_with("classes") || path.contains("busy_") || path.contains("retention") {
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
                let aimd = ["step", "decrease"].contains(&field);
                let name = if aimd { "aimd" } else { "load_score" };
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
            "data_dir=./tidegate-data",
            "http.listen=127.0.0.1:8080",
            "http.token=",
            "journal.durability=fsync",
            "log.format=text",
            "log.level=info",
            "sinks.sqlite.controller.name=aimd",
            "sinks.sqlite.path=null",
            "sinks.sqlite.type=sqlite",
        ]
    );
}

#[test]
fn settings_at_odds_are_refused() {
    for (text, expected) in [
        (
            "http: { body_bytes_max: 65 MiB }",
            "http.decompressed_bytes_max is 64 MiB, but must be at least http.body_bytes_max, which is 65 MiB",
        ),
        (
            "http: { in_flight_bytes_max: 32 MiB }",
            "http.in_flight_bytes_max is 32 MiB, but must be at least http.decompressed_bytes_max, which is 64 MiB",
        ),
        (
            "http: { event_bytes_max: 1 MiB, body_bytes_max: 1 KiB, decompressed_bytes_max: 1 KiB }",
            "http.event_bytes_max is 1 MiB, but must be at most http.decompressed_bytes_max, which is 1 KiB",
        ),
        (
            "journal: { max_bytes: 100 MiB }",
            "journal.segment_bytes is 64 MiB, but must be at most half of journal.max_bytes, which is 100 MiB",
        ),
        (
            "sinks: { a: { batch_size: { min: 30000 } } }",
            "sinks.a.batch_size.max is 20000, but must be between 30000 and 1000000",
        ),
        (
            "sinks: { a: { batch_size: { initial: 3, min: 4 } } }",
            "sinks.a.batch_size.initial is 3, but must be between 4 and 20000",
        ),
        (
            "sinks: { a: { queue_bytes: 7 MiB } }",
            "sinks.a.queue_bytes is 7 MiB, but must be at least `batch_bytes_max`, which is 8 MiB",
        ),
        (
            "sinks: { a: { queue_items: 100 } }",
            "sinks.a.queue_items is 100, but must be at least `batch_size.max`, which is 20000",
        ),
        (
            "sinks: { a: { batch_bytes_max: 64 KiB } }",
            "sinks.a.batch_bytes_max is 64 KiB, but must be at least http.event_bytes_max, which is 1 MiB",
        ),
        (
            "sinks: { a: { timeout: 50 ms } }",
            "sinks.a.timeout is 50 ms, but must be at least `target`, which is 100 ms",
        ),
        (
            "sinks: { a: { controller: { name: load_score, grow_below: 0.8 } } }",
            "sinks.a.controller.shrink_above is 0.7, but must be between 0.8 and 1",
        ),
        (
            "sinks: { a: { path: x.db }, b: { path: ./y/../x.db } }",
            "sinks.b.path is ./y/../x.db, but must be another file: the sink `a` has this one",
        ),
        (
            "sinks: { a: {}, b: {} }",
            "sinks.b.path is ./tidegate-data/events.db, but must be another file: the sink `a` has this one",
        ),
        (
            "classes: { read: { batch_size: { max: 100 } } }",
            "classes.read.batch_size.initial is 500, but must be between 1 and 100 (from sinks.sqlite: set it for the class too)",
        ),
    ] {
        let refusal = refusal(text);
        let (_, problem) = refusal.split_once(": ").unwrap();
        assert_eq!(problem, expected, "{text}");
    }
}

#[test]
fn names_and_their_number_are_bounded() {
    let many = |what: &str, body: &dyn Fn(usize) -> String, count: usize| {
        let entries: Vec<_> = (0..count).map(|n| format!("n{n}: {}", body(n))).collect();
        format!("{what}: {{ {} }}", entries.join(", "))
    };
    let sinks = |count| many("sinks", &|n| format!("{{ path: {n}.db }}"), count);
    let classes = |count| many("classes", &|_| "{}".to_owned(), count);
    assert_eq!(config(&sinks(16)).sinks.len(), 16);
    assert_eq!(config(&classes(16)).classes.len(), 16);
    for (text, expected) in [
        (sinks(17), "sinks is a mapping of 17, but must be one of 1 to 16"),
        (sinks(0), "sinks is a mapping of 0, but must be one of 1 to 16"),
        (classes(17), "classes is a mapping of 17, but must be one of 0 to 16"),
        (
            "classes: { default: {} }".to_owned(),
            "classes.default is named \"default\", but must be",
        ),
        (
            "classes: { Read: {} }".to_owned(),
            "classes.Read is named \"Read\", but must be named with",
        ),
        ("classes: { \"\": {} }".to_owned(), "is named \"\", but must be named with"),
        ("sinks: { a b: {} }".to_owned(), "sinks.a b is named \"a b\", but must be named with"),
        (format!("sinks: {{ {}: {{}} }}", "x".repeat(65)), "1 to 64 of the characters"),
    ] {
        assert!(refusal(&text).contains(expected), "{}", refusal(&text));
    }
    assert!(load(&format!("sinks: {{ {}: {{}} }}", "x".repeat(64))).is_ok());
}

#[test]
fn a_token_is_required_where_others_can_reach() {
    let with = |listen: &str, token: &str| {
        load(&format!("http: {{ listen: '{listen}', token: '{token}' }}")).map(|_| ())
    };
    for listen in ["127.0.0.1:80", "[::1]:0", "127.8.8.8:1", "[::ffff:127.0.0.1]:9"] {
        assert!(with(listen, "").is_ok(), "{listen}");
    }
    for listen in ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "[2001:db8::1]:80"] {
        assert!(with(listen, "0123456789abcdef").is_ok(), "{listen}");
        let error = with(listen, "").unwrap_err().to_string();
        assert!(error.contains("http.token is empty, but must be at least 16 char"), "{error}");
        let error = with(listen, "swordfish").unwrap_err().to_string();
        assert!(error.contains("http.token is *** (9 characters), but must be"), "{error}");
        assert!(!error.contains("swordfish"));
    }
    assert!(with("127.0.0.1:80", "two words").is_err());
    assert!(with("127.0.0.1:80", &"x".repeat(4097)).is_err());
}

#[test]
fn metrics_of_the_users_own_are_bounded_and_named() {
    let with = |metrics: &str| {
        let controller = format!("{{ name: load_score, custom: [{metrics}] }}");
        problems(&format!("sinks: {{ a: {{ controller: {controller} }} }}"))
    };
    assert_eq!(with("{ name: lag, weight: 1, full: 30 }"), []);
    let many: Vec<_> = (0..33).map(|n| format!("{{ name: n{n} }}")).collect();
    for (metrics, path) in [
        ("{ weight: 1 }", "controller.custom[0].name"),
        ("{ name: a }, { name: a }", "controller.custom[1].name"),
        ("{ name: a, weight: 2 }", "controller.custom.weight"),
        ("{ name: a, full: 0 }", "controller.custom.full"),
        (&many.join(", "), "controller.custom"),
    ] {
        let found = with(metrics);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].path, format!("sinks.a.{path}"));
    }
}
