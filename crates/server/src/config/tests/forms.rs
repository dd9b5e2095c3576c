//! How settings are written: misspelt, of the wrong kind, from the environment, not at all.

use super::*;

#[test]
fn a_misspelt_field_is_refused_with_the_one_that_was_meant() {
    let all = [
        String::new(),
        "sinks: { sqlite: { controller: load_score } }".to_owned(),
        "classes: { read: { weight: 1 } }".to_owned(),
    ];
    for text in all {
        for setting in load(&text).unwrap().effective() {
            let parts: Vec<_> = setting.path.split('.').collect();
            for (depth, name) in parts.iter().enumerate() {
                // Names below these are the user's own; a name that is a tag is needed to be read.
                if depth == 1 && ["sinks", "classes"].contains(&parts[0]) {
                    continue;
                }
                let typo = doubled(name);
                let mut path = parts[..depth].to_vec();
                path.push(&typo);
                let path = path.join(".");
                let found = problems(&file_with(&path, "5"));
                let suggestion = Some((*name).to_owned());
                let suggested = found.iter().any(|problem| {
                    problem.path == path
                        && matches!(&problem.kind, ProblemKind::Unknown { suggestion: found, .. }
                            if *found == suggestion)
                });
                assert!(suggested, "{path}: {found:?}");
            }
        }
    }
}

/// A slip of the finger: the second letter twice.
fn doubled(name: &str) -> String {
    let (start, end) = name.split_at(2);
    format!("{start}{}{end}", &start[1..])
}

#[test]
fn every_problem_of_form_is_told_with_its_place() {
    let text = "\
listen: 1
http:
  tokn: x
  header_timeout: 5
  connections_max: many
  listen: [1]
sinks:
  a:
    type: sqlit
    controller: imd
    pace: fast
    batch_size: 500
journal: 5
log: { level: inf, format: yaml }
colour: red
data_dir: ''
";
    let duration = "a duration with its unit, like `100 ms`, `5 s`, `1 m`, `2 h` or `30 d`";
    let expected = [
        "1:1: listen is not a setting: did you mean `http.listen`?".to_owned(),
        "3:3: http.tokn is not a setting: did you mean `token`?".to_owned(),
        format!("4:19: http.header_timeout is 5, but must be {duration}"),
        "5:20: http.connections_max is many, but must be a whole number, at most 4294967295".into(),
        "6:11: http.listen is a list, but must be a single value".into(),
        "9:11: sinks.a.type is sqlit, but must be one of `sqlite`, `postgres`, `http`, `file`, `stdout`, `blackhole` (did you mean `sqlite`?)".into(),
        format!(
            "10:17: sinks.a.controller is imd, but must be one of {} (did you mean `aimd`?)",
            tidegate::ControllerSettings::NAMES.map(|name| format!("`{name}`")).join(", ")
        ),
        "11:11: sinks.a.pace is fast, but must be a number".into(),
        "12:17: sinks.a.batch_size is 500, but must be a mapping like `{ initial: 500, min: 1, \
         max: 20000 }`"
            .into(),
        "13:10: journal is 5, but must be a mapping of settings".into(),
        "14:15: log.level is inf, but must be one of `error`, `warn`, `info`, `debug`, `trace` \
         (did you mean `info`?)"
            .into(),
        "14:28: log.format is yaml, but must be one of `text`, `json`".into(),
        "15:1: colour is not a setting: remove it, or use one of data_dir, http, otlp, journal, classes, \
         sinks, dead_letters, dashboard, drain_timeout, recording, log"
            .into(),
        "16:11: data_dir is \"\", but must be a path".into(),
    ]
    .map(|problem| format!("tidegate.yaml:{problem}"));
    assert_eq!(refusal(text).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn what_changes_the_meaning_of_a_text_is_refused() {
    for (text, expected) in [
        ("http: {\n", "1:7: not valid YAML"),
        ("http: {}\nhttp: {}", "2:1: `http` is given twice, first in line 1"),
        ("data_dir: &a x", "anchors and aliases are not supported"),
        ("data_dir: !!str x", "1:17: tags are not supported"),
        ("--- {}\n--- {}\n", "2:1: a second document begins here"),
        ("? [a]\n: 1", "a key must be a word"),
        ("%YAML 1.2\n---\n", "directives are disallowed"),
        ("data_dir: *x", "unknown anchor"),
        ("http: { token: ${X} }", "write \"${NAME}\" in quotes"),
        (&"[".repeat(100), "1:17: not valid YAML: recursion limit"),
        ("hello", "1:1: the configuration is hello, but must be a mapping"),
        ("- 1", "1:1: the configuration is a list, but must be a mapping"),
    ] {
        assert!(refusal(text).contains(expected), "{}", refusal(text));
    }
}

#[test]
fn whatever_is_left_out_has_its_default() {
    for text in
        ["", "# nothing", "---\n", "{}", "http:\nsinks:\nclasses: ~\nlog: null", "\u{feff}{}"]
    {
        assert_eq!(config(text), Config::default(), "{text}");
    }
    let config = config("sinks: { archive: { batch_size: { max: 1000 } } }\nhttp: { token: abc }");
    assert_eq!(config.sinks.keys().collect::<Vec<_>>(), ["archive"]);
    let sizes = BatchSize { max: 1000, ..BatchSize::default() };
    assert_eq!(config.sinks["archive"].lane.batch_size, sizes);
    assert_eq!(config.http.token.expose(), "abc");
}

#[test]
fn json_is_read_too() {
    let text = "{\n\t\"http\": { \"connections_max\": 5 },\n\t\"drain_timeout\": \"1 s\"\n}";
    let config = config(text);
    assert_eq!((config.http.connections_max, config.drain_timeout), (5, Span::secs(1)));
}

#[test]
fn values_come_from_the_environment() {
    let text = "
data_dir: ${BASE}/data
http:
  listen: ${HOST:-127.0.0.1}:${PORT:-80}
  connections_max: ${MANY}
  token: ${TOKEN}
log: { level: \"${LEVEL:-debug}\" }
sinks: { a: { pace: \"${PACE:-}\", concurrency: \"${NONE:-0.5}\" } }
";
    let evil = "0123456789abcdef#{http:'\"";
    let env = [("BASE", "/srv"), ("PORT", "9000"), ("MANY", "7"), ("TOKEN", evil)];
    let loaded = load_with(text, &env).unwrap();
    let config = &loaded.config;
    assert_eq!(config.data_dir, PathBuf::from("/srv/data"));
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:9000");
    assert_eq!((config.http.connections_max, config.log.level), (7, LogLevel::Debug));
    assert_eq!(config.http.token.expose(), evil);
    let lane = &config.sinks["a"].lane;
    assert_eq!((lane.pace, lane.concurrency), (None, 0.5));
    assert_eq!(loaded.origins.of("http.listen"), Origin::Env);
    assert_eq!(loaded.origins.of("http.body_timeout"), Origin::Default);
}

#[test]
fn a_value_from_the_environment_is_never_structure() {
    let injected = "x\nhttp:\n  listen: 0.0.0.0:80\n# ${OTHER}";
    let config = load_with("data_dir: ${DIR}", &[("DIR", injected)]).unwrap().config;
    assert_eq!(config, Config { data_dir: PathBuf::from(injected), ..Config::default() });
}

#[test]
fn an_unset_variable_is_refused_with_its_name_and_place() {
    let refusal = refusal("http:\n  token: ${SECRET}\nlog:\n  level: $LEVEL");
    assert_eq!(
        refusal.lines().collect::<Vec<_>>(),
        [
            "tidegate.yaml:2:10: http.token needs the environment variable SECRET, which is not \
             set: set it, or give a default as in `${SECRET:-default}`",
            "tidegate.yaml:4:10: log.level has a `$` that begins no variable: write `${NAME}` or \
             `${NAME:-default}` for a variable, `$$` for a dollar",
        ]
    );
}

#[test]
fn a_wrong_value_from_the_environment_is_told() {
    let error = load_with("http: { connections_max: \"${N}\" }", &[("N", "x\ny")]).unwrap_err();
    let expected = "tidegate.yaml:1:26: http.connections_max is x\\ny, but must be a whole number";
    assert!(error.to_string().starts_with(expected), "{error}");
}
