//! How does a configuration come together? Defaults, then the file with the environment in it,
//! then flags; then it is checked as a whole.
//!
//! Problems of form (unknown fields, values of the wrong kind) are all reported first, problems of
//! bounds once the form is right: a bound that is only broken because a misspelt field fell back
//! to its default is not worth a word.

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::check::Check;
use super::env::{self, Lookup};
use super::error::{ConfigError, Place, Problem, ProblemKind};
use super::origin::{self, EffectiveSetting, Origin, Origins};
use super::read::Findings;
use super::secret::Secret;
use super::{Config, defaults, validate, yaml};

/// Where a configuration comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// Nowhere: everything has its default.
    Defaults,
    /// A text, and what to call it in messages.
    Text {
        /// Its name, like that of a file.
        name: &'a str,
        /// The text.
        text: &'a str,
    },
    /// A file of at most 1 MiB.
    File(&'a Path),
}

/// What flags say, above the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// In place of `http.listen`.
    pub listen: Option<SocketAddr>,
    /// In place of `data_dir`.
    pub data_dir: Option<PathBuf>,
}

/// A checked configuration, and who chose what in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Who chose what.
    pub origins: Origins,
}

impl Loaded {
    /// Every setting in force with its origin, in the order of their paths; secrets are masked.
    #[must_use]
    pub fn effective(&self) -> Vec<EffectiveSetting> {
        let tree = serde_json::to_value(&self.config).unwrap_or_default();
        origin::flat(&tree, &self.origins)
    }
}

impl Config {
    /// Loads and checks a configuration. `env` looks up variables of the environment.
    ///
    /// ```
    /// use tidegate_server::config::{Config, Overrides, Source};
    ///
    /// let text = "http: { connections_max: 64 }\ndrain_timeout: ${DRAIN:-5 s}\n";
    /// let source = Source::Text { name: "tidegate.yaml", text };
    /// let loaded = Config::load(source, &Overrides::default(), &|_| None)?;
    /// assert_eq!(loaded.config.http.connections_max, 64);
    ///
    /// let source = Source::Text { name: "tidegate.yaml", text: "http: { lisen: '[::1]:80' }" };
    /// let error = Config::load(source, &Overrides::default(), &|_| None).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "tidegate.yaml:1:9: http.lisen is not a setting: did you mean `listen`?"
    /// );
    /// # Ok::<(), tidegate_server::config::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the file cannot be read, is not YAML, or has settings that are
    /// refused: then all of them are in it.
    pub fn load(
        source: Source<'_>,
        overrides: &Overrides,
        env: Lookup<'_>,
    ) -> Result<Loaded, ConfigError> {
        match source {
            Source::Defaults => assemble("", "", overrides, env),
            Source::Text { name, text } => assemble(name, text, overrides, env),
            Source::File(path) => {
                let name = path.display().to_string();
                let text = read(path, &name)?;
                assemble(&name, &text, overrides, env)
            }
        }
    }
}

fn read(path: &Path, name: &str) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(defaults::FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > defaults::FILE_BYTES_MAX {
        let message = "larger than 1 MiB, which no configuration is: give another file";
        let source = std::io::Error::new(std::io::ErrorKind::FileTooLarge, message);
        return Err(unreadable(source));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(error.as_bytes().get(..valid).unwrap_or_default());
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let message = "not UTF-8 from here on: save the file as UTF-8".to_owned();
        ConfigError::Syntax { file: name.to_owned(), place: Place { line, column }, message }
    })
}

fn assemble(
    file: &str,
    text: &str,
    overrides: &Overrides,
    env: Lookup<'_>,
) -> Result<Loaded, ConfigError> {
    let mut config = Config::default();
    let mut found = Findings::default();
    let tree = yaml::parse(text).map_err(|error| ConfigError::Syntax {
        file: file.to_owned(),
        place: error.place,
        message: error.message,
    })?;
    if let Some(mut tree) = tree {
        env::substitute(&mut tree, "", env, &mut found.problems);
        found.section("", &tree, &mut config);
    }
    let Findings { mut problems, mut origins } = found;
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.place);
        suggest_elsewhere(&mut problems);
        return Err(ConfigError::Refused { file: file.to_owned(), problems });
    }
    above(&mut config, &mut origins, overrides, env);
    let mut check = Check::default();
    validate::check(&config, &mut check);
    let mut problems = check.problems;
    if problems.is_empty() {
        return Ok(Loaded { config, origins });
    }
    for problem in &mut problems {
        problem.place = origins.place(&problem.path);
    }
    problems.sort_by_key(|problem| problem.place);
    Err(ConfigError::Refused { file: file.to_owned(), problems })
}

/// Applies what stands above the file, and the variable that stands in for a token below it.
fn above(config: &mut Config, origins: &mut Origins, overrides: &Overrides, env: Lookup<'_>) {
    if origins.of("http.token") == Origin::Default
        && let Some(token) = env(defaults::TOKEN_VARIABLE).filter(|token| !token.trim().is_empty())
    {
        config.http.token = Secret::new(token.trim());
        origins.note("http.token", Origin::Env, None);
    }
    if let Some(listen) = overrides.listen {
        config.http.listen = listen;
        origins.note("http.listen", Origin::Flag, None);
    }
    if let Some(data_dir) = &overrides.data_dir {
        config.data_dir.clone_from(data_dir);
        origins.note("data_dir", Origin::Flag, None);
    }
}

/// Where no name beside an unknown one is like it, a setting of the same name elsewhere may be
/// meant: `listen` at the top for `http.listen`.
fn suggest_elsewhere(problems: &mut [Problem]) {
    let Ok(tree) = serde_json::to_value(Config::default()) else { return };
    let settings = origin::flat(&tree, &Origins::default());
    for problem in problems {
        let ProblemKind::Unknown { suggestion: suggestion @ None, .. } = &mut problem.kind else {
            continue;
        };
        let name = problem.path.rsplit('.').next().unwrap_or(&problem.path);
        *suggestion = settings.iter().find_map(|setting| {
            let parts: Vec<_> = setting.path.split('.').collect();
            let end = parts.iter().position(|part| *part == name)?;
            parts.get(..=end).map(|parts| parts.join("."))
        });
    }
}
