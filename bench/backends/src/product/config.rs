//! What does the configuration of a run say? What the case and the contender say, and nothing else:
//! whatever nobody names has the product's own default.

use std::fmt::Write as _;
use std::path::Path;

use crate::contender::Contender;
use crate::drive::Setup;

/// The configuration under which a journal is filled: its sink is where nobody listens.
pub(super) const HOLD: &str = "\
    journal: { max_bytes: 64 GiB }\n\
    drain_timeout: 0 s\n\
    sinks:\n  hold: { type: http, url: 'http://127.0.0.1:9/' }\n";

/// The name of the sink that is measured.
pub(super) const SINK: &str = "backend";

/// The text of a configuration. `sink` is what the backend says of itself, a setting a line.
///
/// # Errors
///
/// When the contender is none that a server could have.
pub(super) fn text(
    sink: &str,
    contender: &Contender,
    setup: &Setup,
    recording: &Path,
) -> anyhow::Result<String> {
    let mut out = format!(
        "journal: {{ max_bytes: 64 GiB }}\n\
         drain_timeout: 500 ms\n\
         recording: {{ attempts: '{}', max_bytes: 1 GiB }}\n\
         otlp: {{ grpc: null, http: null }}\n\
         sinks:\n  {SINK}:\n",
        recording.display()
    );
    let target_ms = setup.target.latency.as_secs_f64() * 1e3;
    let mut lines = sink.to_owned();
    // Writing to a String cannot fail.
    let _ = writeln!(lines, "target: {target_ms} ms");
    lines += &contender.settings_of_a_lane(setup.bounds.batch_size_max)?;
    for line in lines.lines() {
        let _ = writeln!(out, "    {line}");
    }
    Ok(out)
}
