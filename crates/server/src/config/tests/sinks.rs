//! The settings of single types of sinks.

use super::*;
use tidegate_sinks::{file, http};

const EXAMPLE: &str = include_str!("../example.yaml");

/// The sinks in the comments of the example.
fn commented() -> String {
    let lines = EXAMPLE.lines().skip_while(|line| !line.contains("# Other sinks"));
    let lines = lines.skip(2).map_while(|line| line.strip_prefix("  # "));
    format!("sinks:\n{}", lines.map(|line| format!("  {line}\n")).collect::<String>())
}

fn http_sink(config: &Config, name: &str) -> http::Settings {
    match &config.sinks[name].kind {
        SinkKind::Http(http) => http.settings(name),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_sinks_in_the_comments_of_the_example_have_their_defaults() {
    let loaded = load_with(&commented(), &[("API_TOKEN", "abc")]).unwrap();
    let settings = http_sink(&loaded.config, "api");
    let mut expected = http::Settings::new("https://api.example/v1/{lane}/events", "api");
    expected.headers = vec![("Authorization".to_owned(), "Bearer abc".to_owned())];
    expected.statuses = [(409, http::Meaning::Taken)].into();
    expected.timeout = std::time::Duration::from_secs(3_600);
    assert_eq!(settings, expected);
    let lane = &loaded.config.sinks["api"].lane;
    assert_eq!((lane.concurrency, lane.pace), (4.0, Some(40.0)));

    let SinkKind::File(file) = &loaded.config.sinks["lines"].kind else { panic!("no file") };
    let mut expected = file::Settings::new("data/lines.ndjson");
    expected.rotation = file::Rotation {
        bytes_max: Some(100 << 20),
        age_max: Some(std::time::Duration::from_secs(86_400)),
        keep: Some(10),
    };
    assert_eq!(file.settings(std::path::Path::new("data"), "lines"), expected);
    assert_eq!(loaded.config.sinks["lines"].lane, LaneConfig::default());
    assert_eq!(loaded.config.sinks["console"].kind, SinkKind::Stdout {});
    // Each of their settings is in the example, but for those that every sink has: `console` has no
    // others.
    let name_of = |path: &str, sink: &str| {
        let rest = path.strip_prefix("sinks.")?.strip_prefix(sink)?.strip_prefix('.')?;
        rest.split('.').next().map(str::to_owned)
    };
    let effective = loaded.effective();
    let common: std::collections::BTreeSet<_> =
        effective.iter().filter_map(|setting| name_of(&setting.path, "console")).collect();
    for setting in &effective {
        let own = ["api", "lines"]
            .iter()
            .filter_map(|sink| name_of(&setting.path, sink))
            .any(|name| !common.contains(&name));
        assert!(!own || setting.origin != Origin::Default, "{} is missing", setting.path);
    }
}

#[test]
fn what_an_http_sink_cannot_use_is_told_by_field_value_and_bound() {
    for (settings, expected) in [
        (
            "",
            "url is empty, but must be the address of an HTTP server, like `https://api.example/v1/events`",
        ),
        (
            "url: https://me:s3cret@a/",
            "url is https://a/, but must be without user and password: send them in the header \
             `Authorization`, as `Basic` and the base64 of user:password",
        ),
        (
            "url: 'http://a/{service}'",
            "url is http://a/{service}, but must be without `{service}`: there are `{lane}` and \
             `{sink}`, which are the same for all items of a batch",
        ),
        ("url: http://a, method: get", "method is get, but must be one of `post`, `put`, `patch`"),
        (
            "url: http://a, format: csv",
            "format is csv, but must be one of `ndjson`, `json`, `bulk`",
        ),
        (
            "url: http://a, compression: zst",
            "compression is zst, but must be one of `none`, `gzip`, `zstd` (did you mean `zstd`?)",
        ),
        ("url: http://a, answer: body", "answer is body, but must be one of `status`, `items`"),
        (
            "url: http://a, id_field: class",
            "id_field is \"class\", but must be 1 to 255 bytes long, and not the name of a field of \
             an event",
        ),
        (
            "url: http://a, headers: { X: '' }",
            "headers.X is empty, but must be given a value, or removed",
        ),
        (
            "url: http://a, headers: { Te: x }",
            "headers is \"Te\", but must be left to the sink: it follows from the batch, the body or \
             the connection",
        ),
        (
            "url: http://a, statuses: { '42': taken }",
            "statuses is of \"42\", but must be the meanings of statuses from 200 to 599",
        ),
        (
            "url: http://a, statuses: { 404: refuse }",
            "statuses.404 is refuse, but must be one of `taken`, `retry`, `overloaded`, `late`, \
             `throttled`, `too_large`, `refused` (did you mean `refused`?)",
        ),
        (
            "url: http://a, connect_timeout: 0 s",
            "connect_timeout is 0 s, but must be between 1ms and 600s",
        ),
        (
            "url: http://a, answer_bytes_max: 2 GiB",
            "answer_bytes_max is 2 GiB, but must be between 1024 and 1073741824",
        ),
    ] {
        let said = refusal(&format!("sinks: {{ s: {{ type: http, {settings} }} }}"));
        let said = said.split_once("sinks.s.").unwrap().1;
        assert_eq!(said, expected);
    }
}

#[test]
fn what_a_file_sink_cannot_use_is_told_by_field_value_and_bound() {
    for (settings, expected) in [
        ("fsync: maybe", "fsync is maybe, but must be `true` or `false`"),
        (
            "rotation: { bytes_max: 1 B }",
            "rotation.bytes_max is 1 B, but must be between 1024 and 17592186044416",
        ),
        (
            "rotation: { age_max: 1 ms }",
            "rotation.age_max is 1 ms, but must be between 1s and 3162240000s",
        ),
        (
            "rotation: { keep: 3 }",
            "rotation.keep is 3, but must be null, since no file is ever full: set bytes_max or \
             age_max too",
        ),
        ("concurrency: 2", "concurrency is 2, but must be between 0.01 and 1"),
    ] {
        let said = refusal(&format!("sinks: {{ s: {{ type: file, {settings} }} }}"));
        let said = said.split_once("sinks.s.").unwrap().1;
        assert_eq!(said, expected);
    }
}

#[test]
fn two_sinks_share_neither_a_file_nor_standard_output() {
    let said = refusal(
        "data_dir: d\nsinks: { a: { type: file, path: d/b.ndjson }, b: { type: file }, \
         c: { type: stdout }, d: { type: stdout } }",
    );
    assert!(
        said.contains(
            "sinks.b.path is d/b.ndjson, but must be another file: the sink `a` has this one"
        ),
        "{said}"
    );
    assert!(
        said.contains(
            "sinks.d.type is stdout, but must be another type: the sink `c` writes there already"
        ),
        "{said}"
    );
    assert_eq!(
        problems("sinks: { a: { type: file }, b: { type: file }, c: { type: stdout } }"),
        []
    );
}

#[test]
fn neither_headers_nor_queries_are_shown() {
    let text = "sinks:
  s:
    type: http
    url: https://api.example/v1?key=SECRET-1
    headers: { Authorization: Bearer SECRET-2, X-Env: '${T}' }
    connect_timeout: ";
    for (end, is_sound) in [("5 s", true), ("0 s", false), ("[]", false)] {
        let shown = match load_with(&format!("{text}{end}"), &[("T", "SECRET-3")]) {
            Ok(loaded) => {
                assert!(is_sound);
                let config = serde_json::to_string(&loaded.config).unwrap();
                format!("{loaded:?} {:?} {config}", loaded.effective())
            }
            Err(error) => {
                assert!(!is_sound);
                format!("{error} {error:?}")
            }
        };
        assert!(!shown.contains("SECRET"), "{shown}");
        assert_eq!(shown.contains("https://api.example/v1?***"), is_sound);
    }
}
