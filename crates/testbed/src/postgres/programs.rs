//! Which programs of PostgreSQL are installed? Those in `PATH`, else the newest where
//! distributions put them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::Error;

/// Where a version has a directory of its own.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Where a build of one's own goes.
const LOCAL: &str = "/usr/local/pgsql/bin";

/// The programs.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) initdb: PathBuf,
    pub(super) postgres: PathBuf,
    pub(super) psql: PathBuf,
}

impl Programs {
    /// Finds them; the server's two come from one directory, so that they are of one version.
    pub(super) fn find() -> Result<Self, Error> {
        let directories = directories();
        let with = |program: &'static str| {
            let found = directories.iter().find(|directory| directory.join(program).is_file());
            found.ok_or_else(|| Error::Missing {
                program,
                searched: format!("{VERSIONS}/*/bin, {LOCAL}"),
            })
        };
        let server = with("initdb")?;
        let postgres = server.join("postgres");
        let postgres =
            if postgres.is_file() { postgres } else { with("postgres")?.join("postgres") };
        Ok(Self { initdb: server.join("initdb"), postgres, psql: with("psql")?.join("psql") })
    }
}

fn directories() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(VERSIONS)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            Some((number, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by_key(|version| std::cmp::Reverse(version.0));
    env::split_paths(&path)
        .chain(versions.into_iter().map(|(_, directory)| directory))
        .chain([Path::new(LOCAL).to_owned()])
        .collect()
}
