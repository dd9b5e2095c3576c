//! Which load is wanted? The flags of `tidegate load`.
//!
//! [`LoadArgs`] is what was typed; what it means, and which bounds it has to keep, is decided in
//! [`plan`](crate::plan).

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;

use crate::schedule::Pattern;
use crate::units;

/// The flags of `tidegate load`.
#[derive(Debug, Clone, clap::Args)]
pub struct LoadArgs {
    /// Where events are posted; without a path, to that of the protocol
    /// [default: http://127.0.0.1:8080/v1/events; with otlp-http http://127.0.0.1:4318/v1/logs, with
    /// otlp-grpc http://127.0.0.1:4317]
    #[arg(long, default_value = "", hide_default_value = true)]
    pub url: String,
    /// What is spoken; files (--from) are sent as ndjson only
    #[arg(long, value_enum, default_value_t)]
    pub protocol: Protocol,
    /// The authorities to trust in an https:// URL, as a PEM file [default: those of the system]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
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
    /// Send no Idempotency-Key: a request tried again is then another one to the server, and its
    /// events carry the number of the try
    #[arg(long)]
    pub no_idempotency_key: bool,
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
            url: String::new(),
            protocol: Protocol::default(),
            ca: None,
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
            no_idempotency_key: false,
            acknowledged: None,
            unanswered: None,
            format: Format::default(),
            quiet: false,
        }
    }
}

/// What a load speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Protocol {
    /// Lines of JSON over HTTP.
    #[default]
    Ndjson,
    /// Logs of OpenTelemetry in protobuf, over HTTP.
    OtlpHttp,
    /// Logs of OpenTelemetry over gRPC.
    OtlpGrpc,
}

impl Protocol {
    /// Where the server is when nobody says it.
    pub(crate) const fn url(self) -> &'static str {
        match self {
            Self::Ndjson => "http://127.0.0.1:8080",
            Self::OtlpHttp => "http://127.0.0.1:4318",
            Self::OtlpGrpc => "http://127.0.0.1:4317",
        }
    }

    /// Where requests go at a URL without a path.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Ndjson => "/v1/events",
            Self::OtlpHttp => "/v1/logs",
            Self::OtlpGrpc => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }

    /// What a body is, as a header says it.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::OtlpHttp => "application/x-protobuf",
            Self::OtlpGrpc => "application/grpc",
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
pub struct Token(pub(crate) String);

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

    #[test]
    fn flags_take_human_units() {
        let args = parse("--events 1M --rate 50k --pattern sine --duration 1m30s --token t0p");
        assert_eq!((args.events, args.rate), (Some(1_000_000), Some(50_000.0)));
        assert_eq!(args.duration, Some(Duration::from_secs(90)));
        assert!(!format!("{args:?}").contains("t0p"), "the token shows");
    }

    #[test]
    fn the_defaults_of_the_flags_and_of_the_type_agree() {
        let typed = LoadArgs { token: None, ..parse("") };
        assert_eq!(format!("{typed:?}"), format!("{:?}", LoadArgs::default()));
    }
}
