//! What does a sink of the type `file` need?
//!
//! Its bounds are those of the sink itself; only the names of some settings are the file's.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;
use tidegate_sinks::file;

use super::check::Check;
use super::defaults;
use super::read::{Fields, Section};
use super::units::{ByteSize, Span};

/// Settings of a sink of the type `file`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default)]
pub struct FileConfig {
    /// The file, relative to where the server is started; no two sinks may share one. Default null:
    /// the name of the sink with `.ndjson`, in `data_dir`.
    pub path: Option<PathBuf>,
    /// The member of an event's object that holds its name; not one of the event's own. Default
    /// _id.
    pub id_field: String,
    /// Whether a batch is on the disk before it counts as delivered. Default true.
    pub fsync: bool,
    /// When a new file begins, and how many are kept. Default null everywhere: one file that only
    /// grows.
    pub rotation: Rotation,
}

/// When a new file begins, and how many are kept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct Rotation {
    /// Before a batch that would make it larger than this, 1 KiB to 16 TiB. Default null: however
    /// large.
    pub bytes_max: Option<ByteSize>,
    /// With the first batch after it is older than this, 1 s to 36600 d. Default null: however old.
    pub age_max: Option<Span>,
    /// How many full files are kept, 0 to 1,000,000; the older ones are deleted. Default null: all.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub keep: Option<u32>,
}

impl Default for FileConfig {
    fn default() -> Self {
        let file::Settings { id_field, fsync, .. } = file::Settings::new("");
        Self { path: None, id_field, fsync, rotation: Rotation::default() }
    }
}

impl FileConfig {
    /// The file of the sink with this name, when the server's data lives in `data_dir`.
    #[must_use]
    pub fn file(&self, data_dir: &Path, name: &str) -> PathBuf {
        let own = || data_dir.join(name).with_extension(defaults::LINES_EXTENSION);
        self.path.clone().unwrap_or_else(own)
    }

    /// The settings of the sink.
    #[must_use]
    pub fn settings(&self, data_dir: &Path, name: &str) -> file::Settings {
        let Rotation { bytes_max, age_max, keep } = self.rotation;
        file::Settings {
            id_field: self.id_field.clone(),
            fsync: self.fsync,
            rotation: file::Rotation {
                bytes_max: bytes_max.map(ByteSize::bytes),
                age_max: age_max.map(Span::duration),
                keep,
            },
            ..file::Settings::new(self.file(data_dir, name))
        }
    }

    pub(super) fn check(&self, path: &str, check: &mut Check) {
        if let Err(error) = self.settings(Path::new("data"), "sink").validate() {
            let value = match (error.field, self.rotation.bytes_max, self.rotation.age_max) {
                ("rotation.bytes_max", Some(size), _) => size.to_string(),
                ("rotation.age_max", _, Some(age)) => age.to_string(),
                _ => error.value,
            };
            check.invalid(&format!("{path}.{}", error.field), value, error.bound);
        }
    }
}

impl Section for FileConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { path, id_field, fsync, rotation } = self;
        fields.optional("path", path);
        fields.leaf("id_field", id_field);
        fields.leaf("fsync", fsync);
        fields.section("rotation", rotation);
    }
}

impl Section for Rotation {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { bytes_max, age_max, keep } = self;
        fields.optional("bytes_max", bytes_max);
        fields.optional("age_max", age_max);
        fields.optional("keep", keep);
    }
}
