//! What a sink is given: conditions, changes, its share of the journal.

use super::*;

fn sink(text: &str) -> IntakeConfig {
    config(&format!("sinks: {{ a: {{ {text} }} }}")).sinks["a"].intake.clone()
}

/// What a sink's setting is refused with, without the file's name.
fn refused(text: &str) -> String {
    refusal(&format!("sinks: {{ a: {{ {text} }} }}"))
        .lines()
        .map(|line| line.split_once(": ").map_or(line, |(_, rest)| rest))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_whole_route_is_read() {
    let text = r#"
sinks:
  a:
    when:
      all:
        - { field: severity, at_least: warn }
        - { field: attributes.status, at_least: 500, below: 600 }
      any:
        - { field: service, in: [cart, checkout] }
        - { field: attributes.http.path, prefix: /api/ }
      not:
        - { field: attributes.test, exists: true }
        - { field: class, equals: debug }
    transform:
      - drop: attributes.password
      - redact: attributes.mail
      - { redact: attributes.user, hash_key: "${HASH_KEY}" }
      - rename: { from: attributes.usr, to: attributes.user }
    journal_share_max: 25 %
    on_full: detach
"#;
    let loaded = load_with(text, &[("HASH_KEY", "a key of some length")]).unwrap();
    let intake = &loaded.config.sinks["a"].intake;
    let route = intake.route();
    let counts = (route.when.all.len(), route.when.any.len(), route.when.not.len());
    assert_eq!((counts, route.transform.steps.len()), ((2, 2, 2), 4));
    assert_eq!(intake.share_bytes(ByteSize::gib(8)), ByteSize::gib(2));
    assert!(!serde_json::to_string(&loaded.effective()).unwrap().contains("of some length"));
    assert!(!format!("{route:?}").contains("of some length"));
}

#[test]
fn a_share_not_given_is_all_or_half_of_the_journal() {
    let whole = ByteSize::gib(8);
    assert_eq!(sink("on_full: block").share_bytes(whole), whole);
    assert_eq!(sink("on_full: detach").share_bytes(whole), ByteSize::gib(4));
    assert_eq!(sink("journal_share_max: 1 GiB").share_bytes(whole), ByteSize::gib(1));
    assert!(sink("when: { all: [] }, transform: []").route().is_open());
}

#[test]
fn what_is_wrong_is_told_with_what_was_meant() {
    for (text, expected) in [
        ("when: { all: [{ field: servce, equals: x }] }", "(did you mean `service`?)"),
        ("when: { all: [{ field: user, equals: x }] }", "(did you mean `attributes.user`?)"),
        ("when: { all: [{ field: attributes., exists: true }] }", "all[0].field is attributes."),
        ("when: { all: [{ equals: x }] }", "all[0].field is \"\", but must be one of severity,"),
        ("when: { any: [{ field: body }] }", "any[0] is a test of body with nothing asked"),
        (
            "when: { any: [{ field: body, equals: x, prefix: y }] }",
            "any[0] is a test of body with several of them, but must be a test with one of",
        ),
        ("when: { not: [{ field: severity, equals: warn }] }", "asked with `at_least` or `below`"),
        ("when: { not: [{ field: body, below: 5 }] }", "body is no number"),
        ("when: { not: [{ field: trace_id, prefix: a }] }", "asked with `exists`"),
        ("when: { all: [{ field: severity, at_least: wran }] }", "a severity like `debug`"),
        ("when: { all: [{ field: severity, at_least: 30 }] }", "a number from 1 to 24"),
        (
            "when: { all: [{ field: attributes.n, below: many }] }",
            "below is many, but must be a number",
        ),
        ("when: { all: [{ field: body, in: [] }] }", "a list of 1 to 1000 values"),
        ("when: { all: [{ field: body, in: x }] }", "in is x, but must be a list"),
        ("when: { all: [{ field: body, exists: maybe }] }", "`true` or `false`"),
        ("when: { all: [{ field: body, equal: x }] }", "did you mean `equals`?"),
        ("when: { some: [] }", "when.some is not a setting"),
        ("transform: [{ drop: a, redact: b }]", "transform[0] is several steps in one"),
        ("transform: [{}]", "transform[0] is empty, but must be a step with one of"),
        ("transform: [{ drop: attribute.x }]", "transform[0].drop is attribute.x"),
        ("transform: [{ redact: severity }]", "a field with a text"),
        ("transform: [{ redact: body, hash_key: short }]", "hash_key is 5 characters long"),
        ("transform: [{ drop: body, hash_key: abc }]", "beside `redact` only"),
        ("transform: [{ rename: { from: body, to: attributes.x } }]", "rename.from is body"),
        (
            "journal_share_max: 0.5 %",
            "journal_share_max is 0.5 %, but must be between 1 % and 100 %",
        ),
        ("journal_share_max: 101 %", "between 1 % and 100 %"),
        ("journal_share_max: 1 KiB", "between 64 KiB and journal.max_bytes, which is 8 GiB"),
        ("journal_share_max: 9 GiB", "journal.max_bytes, which is 8 GiB"),
        ("journal_share_max: half", "a share like `50 %`"),
        ("on_full: detatch", "(did you mean `detach`?)"),
    ] {
        let refused = refused(text);
        assert!(refused.contains(expected), "{text}: {refused}");
    }
    let many = vec!["{ field: body, exists: true }"; 65].join(", ");
    assert!(refused(&format!("when: {{ all: [{many}] }}")).contains("at most 64 tests"));
    let many = vec!["{ drop: body }"; 65].join(", ");
    assert!(refused(&format!("transform: [{many}]")).contains("at most 64 steps"));
}
