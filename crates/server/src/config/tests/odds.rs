//! Settings that contradict each other, names, and how many there may be.

use super::*;

/// Files, and what they are refused with.
const AT_ODDS: &[(&str, &str)] = &[
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
        "http: { decompressed_bytes_max: 65 MiB }",
        "http.decompressed_bytes_max is 65 MiB, but must be at most journal.segment_bytes, which is 64 MiB",
    ),
    (
        "journal: { segment_bytes: 100 MB }",
        "journal.segment_bytes is 100 MB, but must be a multiple of 4 KiB",
    ),
    (
        "sinks: { a: { path: ':memory:' } }",
        "sinks.a.path is no file, but must be a file on disk: events are to outlive this process",
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
];

#[test]
fn settings_at_odds_are_refused() {
    for (text, expected) in AT_ODDS {
        let refusal = refusal(text);
        let (_, problem) = refusal.split_once(": ").unwrap();
        assert_eq!(problem, *expected, "{text}");
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
