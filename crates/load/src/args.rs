//! Which load is wanted? The flags of `tidegate load`, and their bounds.
//!
//! [`LoadArgs`] is what was typed; [`Plan`] is what was meant: every bound checked, every default
//! filled in, and nothing clamped.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;

use crate::error::LoadError;
use crate::events::Labels;
use crate::prebuilt::Prebuilt;
use crate::random;
use crate::schedule::{Pattern, Schedule};
use crate::target::{Head, Target};
use crate::units;

/// Events of a run without `--events`, `--duration` and `--from`.
pub const DEFAULT_EVENTS: u64 = 100_000;
/// Events of a run at most: as many as have a `seq` of ten digits.
pub const MAX_EVENTS: u64 = 10_000_000_000;
/// Connections at most.
pub const MAX_CONNECTIONS: usize = 1_024;
/// Events a request at most.
pub const MAX_BATCH: usize = 10_000;
/// Memory that prebuilt requests take at most, in bytes.
pub const MAX_PREBUILT: usize = 512 << 20;

/// The flags of `tidegate load`.
#[derive(Debug, Clone, clap::Args)]
pub struct LoadArgs {
    /// Where events are posted; without a path, to /v1/events
    #[arg(long, default_value = "http://127.0.0.1:8080/v1/events")]
    pub url: String,
    /// How many events, such as 250000 or 1M [default: 100k; with --duration until it ends, with
    /// --from once through the file]
    #[arg(long, value_name = "N", value_parser = units::count)]
    pub events: Option<u64>,
    /// How long, such as 30s or 5m
    #[arg(long, value_name = "TIME", value_parser = units::span)]
    pub duration: Option<Duration>,
    /// Events a second in the mean, such as 2000 or 50k [default: as fast as the server takes]
    #[arg(long, value_name = "R", value_parser = units::rate)]
    pub rate: Option<f64>,
    /// How the rate moves around its mean
    #[arg(long, value_enum, default_value_t)]
    pub pattern: Pattern,
    /// How long the pattern takes to repeat
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::span)]
    pub period: Duration,
    /// Keep-alive connections, each with one request in flight
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub connections: usize,
    /// Events a request
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub batch: usize,
    /// Send the lines of a file instead (- for standard input)
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Add run, seq and try to the events of --from (generated events always have them)
    #[arg(long, requires = "from")]
    pub ids: bool,
    /// Year of timestamps in --from that name none [default: the last twelve months]
    #[arg(long, value_name = "YEAR", requires = "from")]
    pub year: Option<u64>,
    /// The service of all events
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// The class of all events
    #[arg(long, value_name = "NAME")]
    pub class: Option<String>,
    /// The name of this run, found in every event as `run` [default: random]
    #[arg(long, value_name = "NAME")]
    pub run: Option<String>,
    /// Makes events and bursts repeatable [default: random]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The bearer token that the server wants
    #[arg(long, env = "TIDEGATE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<Token>,
    /// How long to wait for an answer
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::span)]
    pub timeout: Duration,
    /// How long a request is tried again while the server is away, fails or pushes back
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::span)]
    pub retry_for: Duration,
    /// Write the seq range and try of every acknowledged request to this file, as CSV
    #[arg(long, value_name = "FILE")]
    pub acknowledged: Option<PathBuf>,
    /// Write the seq range and try of every request that got no answer to this file, as CSV:
    /// the server may have stored them or not
    #[arg(long, value_name = "FILE")]
    pub unanswered: Option<PathBuf>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// No progress bar
    #[arg(long)]
    pub quiet: bool,
}

impl Default for LoadArgs {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8080/v1/events".to_owned(),
            events: None,
            duration: None,
            rate: None,
            pattern: Pattern::default(),
            period: Duration::from_secs(10),
            connections: 8,
            batch: 100,
            from: None,
            ids: false,
            year: None,
            service: None,
            class: None,
            run: None,
            seed: None,
            token: None,
            timeout: Duration::from_secs(10),
            retry_for: Duration::from_secs(30),
            acknowledged: None,
            unanswered: None,
            format: Format::default(),
            quiet: false,
        }
    }
}

/// How the result of a load is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object; see [`Summary`](crate::Summary).
    Json,
}

/// A secret that no debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl FromStr for Token {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A load whose settings fit together.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) target: Target,
    pub(crate) head: Head,
    pub(crate) labels: Labels,
    pub(crate) seed: u64,
    /// How many events at most; `None` leaves it to the duration or the file.
    pub(crate) events: Option<u64>,
    pub(crate) schedule: Option<Schedule>,
}

impl LoadArgs {
    /// Checks every bound.
    pub(crate) fn plan(&self) -> Result<Plan, LoadError> {
        bound("--connections", self.connections, 1, MAX_CONNECTIONS)?;
        bound("--batch", self.batch, 1, MAX_BATCH)?;
        if let Some(events) = self.events {
            bound("--events", events, 1, MAX_EVENTS)?;
        }
        if let Some(year) = self.year {
            bound("--year", year, 1678, 2261)?;
        }
        let shortest = Duration::from_millis(1);
        for (field, span) in [("--duration", self.duration), ("--timeout", Some(self.timeout))] {
            if let Some(span) = span.filter(|span| *span < shortest) {
                return Err(refuse(field, format!("{span:?}"), "must be at least 1ms"));
            }
        }
        self.check_pattern()?;
        let target = Target::parse(&self.url)?;
        let head = target.head(self.token.as_ref().map(|token| token.0.as_str()))?;
        let prebuilt = Prebuilt::set_bytes(&head, self.batch).saturating_mul(self.connections);
        if self.from.is_none() && prebuilt > MAX_PREBUILT {
            let reason = format!(
                "with --batch {} takes about {} MiB for prebuilt requests, over the bound of {} \
                 MiB; lower one of them",
                self.batch,
                prebuilt >> 20,
                MAX_PREBUILT >> 20
            );
            return Err(refuse("--connections", self.connections.to_string(), &reason));
        }
        let seed = self.seed.unwrap_or_else(random::ambient);
        let schedule = self.rate.map(|rate| Schedule::new(self.pattern, rate, self.period, seed));
        let events = match (self.events, self.duration, &self.from) {
            (None, None, None) => Some(DEFAULT_EVENTS),
            (None, Some(_), None) => Some(MAX_EVENTS),
            (events, _, _) => events,
        };
        Ok(Plan { target, head, labels: self.labels()?, seed, events, schedule })
    }

    fn check_pattern(&self) -> Result<(), LoadError> {
        if self.pattern != Pattern::Constant && self.rate.is_none() {
            let name = format!("{:?}", self.pattern).to_lowercase();
            return Err(refuse("--pattern", name, "needs --rate, the mean it moves around"));
        }
        if let Some(rate) = self.rate.filter(|rate| !(0.001..=1e9).contains(rate)) {
            return Err(refuse("--rate", rate.to_string(), "must be from 0.001 to 1G"));
        }
        let (shortest, longest) = (Duration::from_millis(100), Duration::from_secs(86_400));
        if self.period < shortest || self.period > longest {
            let value = format!("{:?}", self.period);
            return Err(refuse("--period", value, "must be from 100ms to 24h"));
        }
        Ok(())
    }

    fn labels(&self) -> Result<Labels, LoadError> {
        let run = match &self.run {
            None => format!("{:016x}", random::ambient()),
            Some(run) => run.clone(),
        };
        for (field, name) in [
            ("--run", Some(&run)),
            ("--service", self.service.as_ref()),
            ("--class", self.class.as_ref()),
        ] {
            if let Some(name) =
                name.filter(|name| name.is_empty() || name.len() > 128 || name.contains('\0'))
            {
                return Err(refuse(
                    field,
                    name.clone(),
                    "must be from 1 to 128 bytes, without NUL",
                ));
            }
        }
        Ok(Labels { run, service: self.service.clone(), class: self.class.clone() })
    }
}

fn refuse(field: &'static str, value: String, reason: &str) -> LoadError {
    LoadError::Setting { field, value, reason: reason.to_owned() }
}

fn bound<T: Copy + PartialOrd + fmt::Display>(
    field: &'static str,
    value: T,
    least: T,
    most: T,
) -> Result<(), LoadError> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err(refuse(field, value.to_string(), &format!("must be from {least} to {most}")))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        load: LoadArgs,
    }

    fn parse(line: &str) -> LoadArgs {
        Command::try_parse_from(format!("load {line}").split_whitespace()).unwrap().load
    }

    fn refusal(line: &str) -> String {
        parse(line).plan().unwrap_err().to_string()
    }

    #[test]
    fn flags_take_human_units() {
        let args = parse("--events 1M --rate 50k --pattern sine --duration 1m30s --token t0p");
        assert_eq!((args.events, args.rate), (Some(1_000_000), Some(50_000.0)));
        assert_eq!(args.duration, Some(Duration::from_secs(90)));
        assert!(!format!("{args:?}").contains("t0p"), "the token shows");
        assert!(args.plan().is_ok());
    }

    #[test]
    fn the_defaults_of_the_flags_and_of_the_type_agree() {
        let typed = LoadArgs { token: None, ..parse("") };
        assert_eq!(format!("{typed:?}"), format!("{:?}", LoadArgs::default()));
        assert_eq!(typed.plan().unwrap().events, Some(DEFAULT_EVENTS));
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_with_field_value_and_bound() {
        assert_eq!(refusal("--connections 0"), "--connections 0: must be from 1 to 1024");
        assert_eq!(refusal("--batch 10001"), "--batch 10001: must be from 1 to 10000");
        assert!(refusal("--events 0").contains("from 1 to"));
        assert!(refusal("--pattern burst").contains("needs --rate"));
        assert!(refusal("--rate 5G").contains("1G"));
        assert!(refusal("--rate 5 --period 1ms").contains("100ms to 24h"));
        assert!(refusal("--timeout 0s").contains("at least 1ms"));
        assert!(refusal("--connections 1024 --batch 10000").contains("MiB"));
        assert!(refusal("--url https://x/").contains("only http://"));
    }
}
