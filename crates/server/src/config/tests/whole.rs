//! A configuration as a whole: the example, flags, files, origins, and what the library gets.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use super::*;
use tidegate::ControllerSettings;

const EXAMPLE: &str = include_str!("../example.yaml");

#[test]
fn the_example_lists_every_setting_with_its_default() {
    let loaded = load(EXAMPLE).unwrap();
    assert_eq!(loaded.config, Config::default());
    for setting in loaded.effective() {
        let expected = if setting.path == "http.token" { Origin::Env } else { Origin::File };
        assert_eq!(setting.origin, expected, "{} is not in the example", setting.path);
    }
}

#[test]
fn the_examples_in_the_comments_of_the_example_are_right_too() {
    let comments = EXAMPLE.lines().filter_map(|line| line.strip_prefix("    #"));
    let lines = comments.skip_while(|line| !line.starts_with(" controller:"));
    let controller: String = lines.map(|line| format!("   {line}\n")).collect();
    let loaded = load(&format!("sinks:\n  sqlite:\n{controller}")).unwrap();
    let expected = ControllerConfig::LoadScore(LoadScoreConfig::default());
    assert_eq!(loaded.config.sinks["sqlite"].lane.controller, expected);
    for setting in loaded.effective() {
        if setting.path.contains(".controller.") {
            assert_eq!(setting.origin, Origin::File, "{} is not in the example", setting.path);
        }
    }
    let classes = EXAMPLE.lines().filter_map(|line| line.strip_prefix("#   "));
    let classes: Vec<_> = classes.collect();
    assert_eq!(config(&classes.join("\n")).classes["read"].weight, Some(2.0));
}

#[test]
fn flags_stand_above_the_file_and_are_checked() {
    let source = Source::Text { name: "a", text: "data_dir: x\nhttp: { connections_max: 9 }" };
    let mut overrides = Overrides {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        data_dir: Some(PathBuf::from("/var/lib/tidegate")),
    };
    let loaded = Config::load(source, &overrides, &|_| None).unwrap();
    assert_eq!(loaded.config.http.listen.port(), 0);
    let shown: Vec<_> = loaded
        .effective()
        .into_iter()
        .filter(|setting| setting.origin != Origin::Default)
        .map(|setting| (setting.path, setting.value.to_string(), setting.origin))
        .collect();
    assert_eq!(
        shown,
        [
            ("data_dir".to_owned(), "\"/var/lib/tidegate\"".to_owned(), Origin::Flag),
            ("http.connections_max".to_owned(), "9".to_owned(), Origin::File),
            ("http.listen".to_owned(), "\"127.0.0.1:0\"".to_owned(), Origin::Flag),
        ]
    );
    overrides.listen = Some("0.0.0.0:80".parse().unwrap());
    let error = Config::load(source, &overrides, &|_| None).unwrap_err();
    assert!(error.to_string().contains("http.token is empty"), "{error}");
}

#[test]
fn the_token_comes_from_its_variable_unless_the_file_has_one() {
    let env = [("TIDEGATE_TOKEN", "from-the-environment")];
    let loaded = load_with("http: { listen: 0.0.0.0:80 }", &env).unwrap();
    assert_eq!(loaded.config.http.token.expose(), "from-the-environment");
    let token = loaded.effective().into_iter().find(|setting| setting.path == "http.token");
    let token = token.unwrap();
    assert_eq!((token.value, token.origin), ("***".into(), Origin::Env));
    let loaded = load_with("http: { token: from-the-file }", &env).unwrap();
    assert_eq!(loaded.config.http.token.expose(), "from-the-file");
    assert!(!format!("{loaded:?}").contains("from-the-file"));
}

#[test]
fn files_are_read_and_those_that_cannot_be_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
        path
    };
    let load = |path: &Path| Config::load(Source::File(path), &Overrides::default(), &|_| None);
    assert_eq!(load(&file("empty.yaml", b"")).unwrap().config, Config::default());
    let missing = dir.path().join("missing.yaml");
    for (path, expected) in [
        (missing.as_path(), "missing.yaml: No such file"),
        (dir.path(), "cannot read the configuration"),
        (&file("large.yaml", &vec![b' '; (1 << 20) + 1]), "larger than 1 MiB"),
        (&file("latin.yaml", b"a: 1\nb: \xe9"), "latin.yaml:2:4: not UTF-8 from here on"),
        (&file("typo.yaml", b"\ndatadir: x"), "typo.yaml:2:1: datadir is not a setting: did you"),
    ] {
        let error = load(path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn nothing_at_all_is_a_configuration() {
    let loaded = Config::load(Source::Defaults, &Overrides::default(), &|_| None).unwrap();
    assert_eq!(loaded.config, Config::default());
    let SinkKind::Sqlite(sqlite) = &loaded.config.sinks["sqlite"].kind else {
        panic!("another sink")
    };
    let file = sqlite.file(&loaded.config.data_dir);
    assert_eq!(file, Path::new("./tidegate-data/events.db"));
}

#[test]
fn a_lane_is_what_the_sink_says_unless_the_class_says_otherwise() {
    let config = config(
        "
classes:
  read: { weight: 2, target: 20 ms, batch_size: { max: 900 }, controller: { name: aimd, step: 3 } }
  bulk: { controller: fixed, linger: 2 s, pace: 5 }
sinks:
  a: { batch_size: { min: 10 }, timeout: 5 s, weight: 3 }
",
    );
    let sink = &config.sinks["a"];
    let lanes: BTreeMap<_, _> = config.lanes(sink).collect();
    assert_eq!(lanes.keys().copied().collect::<Vec<_>>(), ["bulk", "default", "read"]);
    assert_eq!(lanes["default"], sink.lane);
    let read = &lanes["read"];
    let bounds = read.bounds(sink.kind.concurrency_max());
    assert_eq!((bounds.batch_size_min, bounds.batch_size_max), (10, 900));
    assert_eq!((bounds.batch_bytes_max, bounds.concurrency_max), (8 << 20, 1.0));
    assert_eq!((read.weight, read.timeout), (2.0, Span::secs(5)));
    let ControllerSettings::Aimd(aimd) = read.controller() else { panic!("not aimd") };
    assert_eq!((aimd.target, aimd.step, aimd.decrease), (Duration::from_millis(20), 3, 0.9));
    let bulk = &lanes["bulk"];
    assert_eq!(bulk.controller(), ControllerSettings::Fixed);
    let plan = bulk.first_plan();
    assert_eq!((plan.batch_size, plan.pace, plan.linger), (500, Some(5.0), Duration::from_secs(2)));
    assert_eq!(bulk.bounds(None).linger_max, Duration::from_secs(2));
    assert_eq!(bulk.weight, 3.0);
}

#[test]
fn a_sink_may_be_a_blackhole_and_then_has_no_file() {
    let text = "sinks: { none: { type: blackhole, batch_size: { max: 600 } } }";
    let loaded = load(text).unwrap();
    let sink = &loaded.config.sinks["none"];
    assert_eq!((&sink.kind, sink.lane.batch_size.max), (&SinkKind::Blackhole {}, 600));
    let text = "sinks: { none: { type: blackhole, path: a.db } }";
    assert!(load(text).unwrap_err().to_string().contains("sinks.none.path is not a setting"));
}
