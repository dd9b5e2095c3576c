//! Is a whole configuration sound? Every setting within its bounds, and no two at odds.
//!
//! What the library checks is asked of the library, lane by lane, for each sink and each class;
//! only the names are translated into those of the file.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use tidegate::{Bounds, Plan, SettingError};

use super::check::{Check, outside};
use super::class::ClassConfig;
use super::controller::ControllerConfig;
use super::error::shown;
use super::lane::LaneConfig;
use super::sink::SinkKind;
use super::units::ByteSize;
use super::{Config, defaults};

pub(super) fn check(config: &Config, check: &mut Check) {
    if config.data_dir.as_os_str().is_empty() {
        check.invalid("data_dir", "empty", "a path");
    }
    config.http.check(&config.otlp, check);
    config.otlp.check(&config.http, check);
    config.journal.check(check);
    config.dead_letters.check(check);
    config.dashboard.check(check);
    // A request is one frame of the journal, and a frame lies in one segment.
    check.at_most(
        ("http.decompressed_bytes_max", config.http.decompressed_bytes_max),
        ("journal.segment_bytes", config.journal.segment_bytes),
    );
    config.recording.check(check);
    check.within("drain_timeout", config.drain_timeout, defaults::DRAIN_TIMEOUT);
    names(config, check);
    files(config, check);
    lanes(config, check);
}

fn names(config: &Config, check: &mut Check) {
    let counts = [
        ("sinks", config.sinks.len(), 1, defaults::SINKS_MAX),
        ("classes", config.classes.len(), 0, defaults::CLASSES_MAX),
    ];
    for (path, count, min, max) in counts {
        if !(min..=max).contains(&count) {
            let bound = format!("one of {min} to {max}");
            check.invalid(path, format!("a mapping of {count}"), bound);
        }
    }
    let names = |path, map: &mut dyn Iterator<Item = &String>, check: &mut Check| {
        for name in map.filter(|name| !is_name(name)) {
            let bound = format!(
                "named with 1 to {} of the characters a-z, 0-9, `_` and `-`",
                defaults::NAME_CHARS_MAX
            );
            check.invalid(&format!("{path}.{}", shown(name)), format!("named {name:?}"), bound);
        }
    };
    names("sinks", &mut config.sinks.keys(), check);
    names("classes", &mut config.classes.keys(), check);
    if config.classes.contains_key(defaults::LANE) {
        let bound = "named otherwise: the lane of every event whose class is not declared has \
                     this name, and the sink's settings";
        check.invalid("classes.default", "named \"default\"", bound);
    }
}

fn is_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    (1..=defaults::NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(fits)
}

/// No two sinks may write to one file, and one at most to standard output.
fn files(config: &Config, check: &mut Check) {
    let mut owners: BTreeMap<PathBuf, &str> = BTreeMap::new();
    for (name, sink) in &config.sinks {
        let file = match &sink.kind {
            SinkKind::Sqlite(sqlite) => sqlite.file(&config.data_dir),
            SinkKind::File(file) => file.file(&config.data_dir, name),
            SinkKind::Stdout {} => PathBuf::from("standard output"),
            SinkKind::Postgres(_) | SinkKind::Http(_) | SinkKind::Blackhole {} => continue,
        };
        if let Some(other) = owners.get(&plain(&file)) {
            if sink.kind == (SinkKind::Stdout {}) {
                let bound = format!("another type: the sink `{other}` writes there already");
                check.invalid(&format!("sinks.{name}.type"), "stdout", bound);
                continue;
            }
            let bound = format!("another file: the sink `{other}` has this one");
            check.invalid(&format!("sinks.{name}.path"), file.display(), bound);
        } else {
            owners.insert(plain(&file), name);
        }
    }
}

/// The path without detours, as far as that can be told without asking the file system.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(plain.components().next_back(), Some(Component::Normal(_))) =>
            {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

fn lanes(config: &Config, check: &mut Check) {
    let event_bytes_max = config.http.event_bytes_max;
    for (name, sink) in &config.sinks {
        let path = format!("sinks.{name}");
        sink.kind.check(&path, check);
        sink.intake.check(&path, config.journal.max_bytes, check);
        sink.breaker.check(&format!("{path}.breaker"), check);
        let own = refused(&sink.lane, &sink.kind, event_bytes_max);
        for problem in &own {
            check.invalid(&format!("{path}.{}", problem.field), &problem.value, &*problem.bound);
        }
        for (class, settings) in &config.classes {
            let lane = sink.lane.with(settings);
            let refused = refused(&lane, &sink.kind, event_bytes_max);
            // What is wrong with the sink already is not the class's fault.
            for problem in refused.into_iter().filter(|problem| !own.contains(problem)) {
                let Refused { field, value, mut bound } = problem;
                if !sets(settings, &field) {
                    bound.push_str(&format!(" (from sinks.{name}: set it for the class too)"));
                }
                check.invalid(&format!("classes.{class}.{field}"), value, bound);
            }
        }
    }
}

/// Whether the class has a setting of its own at `field`.
fn sets(class: &ClassConfig, field: &str) -> bool {
    let pointer = format!("/{}", field.replace('.', "/"));
    serde_json::to_value(class)
        .is_ok_and(|class| class.pointer(&pointer).is_some_and(|value| !value.is_null()))
}

/// A setting of a lane that is refused, by its path below the lane.
#[derive(Debug, PartialEq)]
struct Refused {
    field: String,
    value: String,
    bound: String,
}

fn refused(lane: &LaneConfig, kind: &SinkKind, event_bytes_max: ByteSize) -> Vec<Refused> {
    let mut found = Vec::new();
    let mut errors = plan_errors(lane.bounds(kind.concurrency_max()), lane.first_plan());
    // The target is checked whether the chosen controller looks at it or not.
    let default = ControllerConfig::default();
    errors.extend(default.refused(lane.target));
    errors.extend(lane.controller.refused(defaults::TARGET));
    for error in errors {
        let refused = translated(lane, error);
        // Several of the library's settings may come from one of the file's.
        if !found.iter().any(|other: &Refused| other.field == refused.field) {
            found.push(refused);
        }
    }
    let mut refuse = |field: &str, value: String, bound: Option<String>| {
        if let Some(bound) = bound {
            found.push(Refused { field: field.to_owned(), value, bound });
        }
    };
    refuse("timeout", lane.timeout.to_string(), outside(&lane.timeout, &defaults::TIMEOUT));
    refuse("weight", lane.weight.to_string(), outside(&lane.weight, &defaults::WEIGHT));
    let items = outside(&lane.queue_items, &defaults::QUEUE_ITEMS);
    refuse("queue_items", lane.queue_items.to_string(), items);
    let bytes = outside(&lane.queue_bytes, &defaults::QUEUE_BYTES);
    refuse("queue_bytes", lane.queue_bytes.to_string(), bytes);
    for (field, value, bound) in lane.retry.refused() {
        refuse(field, value, Some(bound));
    }
    if let Some((field, value, bound)) = lane.guards.refused() {
        refuse(field, value, Some(bound));
    }
    contradictions(lane, event_bytes_max, &mut refuse);
    custom_metrics(&lane.controller, &mut refuse);
    found
}

type Refuse<'r> = dyn FnMut(&str, String, Option<String>) + 'r;

fn contradictions(lane: &LaneConfig, event_bytes_max: ByteSize, refuse: &mut Refuse<'_>) {
    let LaneConfig { batch_size, batch_bytes_max, queue_items, queue_bytes, .. } = lane;
    let bound = (lane.timeout < lane.target)
        .then(|| format!("at least `target`, which is {}", lane.target));
    refuse("timeout", lane.timeout.to_string(), bound);
    let bound = (*queue_items < batch_size.max)
        .then(|| format!("at least `batch_size.max`, which is {}", batch_size.max));
    refuse("queue_items", queue_items.to_string(), bound);
    let bound = (queue_bytes < batch_bytes_max)
        .then(|| format!("at least `batch_bytes_max`, which is {batch_bytes_max}"));
    refuse("queue_bytes", queue_bytes.to_string(), bound);
    let bound = (*batch_bytes_max < event_bytes_max)
        .then(|| format!("at least http.event_bytes_max, which is {event_bytes_max}"));
    refuse("batch_bytes_max", batch_bytes_max.to_string(), bound);
}

fn custom_metrics(controller: &ControllerConfig, refuse: &mut Refuse<'_>) {
    let ControllerConfig::LoadScore(settings) = controller else { return };
    let count = settings.custom.len();
    let bound = (count > defaults::CUSTOM_METRICS_MAX)
        .then(|| format!("at most {} metrics", defaults::CUSTOM_METRICS_MAX));
    refuse("controller.custom", format!("{count} metrics"), bound);
    for (index, metric) in settings.custom.iter().enumerate() {
        let earlier = || settings.custom.iter().take(index).any(|other| other.name == metric.name);
        let bound = if metric.name.is_empty() {
            Some("the name of a metric".to_owned())
        } else {
            earlier().then(|| "named once: remove the other, or this one".to_owned())
        };
        refuse(&format!("controller.custom[{index}].name"), shown(&metric.name), bound);
    }
}

/// All that the library refuses in the bounds and the first plan: what is refused is put right in
/// a copy, so that the next one shows.
fn plan_errors(mut bounds: Bounds, mut plan: Plan) -> Vec<SettingError> {
    let mut errors = Vec::new();
    let library = Bounds::default();
    while let Err(error) = bounds.check() {
        match error.field {
            "batch_size.min" => bounds.batch_size_min = library.batch_size_min,
            "batch_size.max" => {
                bounds.batch_size_max = bounds.batch_size_min.max(library.batch_size_max);
            }
            "batch_bytes.max" => bounds.batch_bytes_max = library.batch_bytes_max,
            "concurrency.max" => bounds.concurrency_max = library.concurrency_max,
            "linger.max" => bounds.linger_max = library.linger_max,
            _ => return vec![error],
        }
        if errors.contains(&error) {
            break;
        }
        errors.push(error);
    }
    if errors.iter().any(|error| error.field.starts_with("batch_size")) {
        // Whether the initial size is within bounds shows once the bounds are right.
        plan.batch_size = bounds.batch_size_min;
    }
    while let Err(error) = bounds.check_plan(&plan) {
        match error.field {
            "batch_size.initial" => plan.batch_size = bounds.batch_size_min,
            "concurrency.initial" => plan.concurrency = bounds.concurrency_max,
            "pace" => plan.pace = None,
            "linger" => plan.linger = bounds.linger_max,
            _ => return vec![error],
        }
        if errors.contains(&error) {
            break;
        }
        errors.push(error);
    }
    errors
}

/// What the library refuses, in the words of the file.
fn translated(lane: &LaneConfig, error: SettingError) -> Refused {
    let SettingError { field, value, bound } = error;
    let (field, value, unit) = match field {
        "batch_bytes.max" => ("batch_bytes_max", lane.batch_bytes_max.to_string(), " bytes"),
        "concurrency.initial" | "concurrency.max" => ("concurrency", value, ""),
        "linger" | "linger.max" => ("linger", lane.linger.to_string(), ""),
        "target_ms" => ("target", lane.target.to_string(), " ms"),
        "controller.interval_ms" => ("controller.interval", format!("{value} ms"), " ms"),
        other => (other, value, ""),
    };
    Refused { field: field.to_owned(), value, bound: format!("{bound}{unit}") }
}
