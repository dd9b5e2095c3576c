//! What is measured? A backend, what arrives, what is timely, and whether something disturbs it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::{Args, ValueEnum};
use tidegate::Bounds;

use crate::backend::http::Http;
use crate::backend::postgres::Postgres;
use crate::backend::sqlite::Sqlite;
use crate::backend::{Disturb, Site};
use crate::measure::Wanted;
use crate::product::{Feed, Product};
use crate::record::{Latency, Target};
use crate::source::Source;
use crate::standin::Service;

/// Which backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// An embedded database in a file
    Sqlite,
    /// A server of our own, written to by COPY
    Postgres,
    /// The HTTP stand-in, in a process of its own
    Http,
}

impl Kind {
    /// Its name in files and tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Http => "http",
        }
    }

    /// The latency that is allowed, if nobody says otherwise.
    const fn target_ms(self) -> f64 {
        match self {
            Self::Sqlite | Self::Postgres => 50.0,
            Self::Http => 100.0,
        }
    }
}

/// Through what a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Through {
    /// The library's engine and controllers, with bare attempts of our own
    Engine,
    /// `tidegate serve`: its door, its journal and its own sinks
    Product,
}

/// What arrives, as it was written and as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals {
    /// As it was written.
    pub text: String,
    /// As it was read.
    pub source: Source,
    /// Rates by turns, each for a third: slow, in bursts, more than can be taken.
    pub turns: Option<[f64; 3]>,
}

impl std::str::FromStr for Arrivals {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let own = text.to_owned();
        let Some(rates) = text.strip_prefix("turns:") else {
            return Ok(Self { text: own, source: text.parse()?, turns: None });
        };
        let rates: Vec<f64> = rates.split(',').map(str::parse).collect::<Result<_, _>>()?;
        let [slow, ..] = *rates else { bail!("{text:?} has no rates") };
        let turns = rates
            .try_into()
            .ok()
            .filter(|rates: &[f64; 3]| rates.iter().all(|rate| (1.0..=1e9).contains(rate)));
        ensure!(turns.is_some(), "{text:?}: write turns:SLOW,BURSTS,FULL, each 1 to 1e9");
        Ok(Self { text: own, source: format!("constant:{slow}").parse()?, turns })
    }
}

/// The case, as the command line says it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Case {
    /// What is written to
    #[arg(long, value_enum)]
    pub backend: Kind,
    /// Its name in files and tables [default: that of the backend]
    #[arg(long)]
    pub case: Option<String>,
    /// Through what: the library's engine alone, or the whole server
    #[arg(long, value_enum, default_value_t = Through::Engine)]
    pub through: Through,
    /// The server's program [default: tidegate beside this one]
    #[arg(long)]
    pub program: Option<PathBuf>,
    /// Events that wait in a server's journal when a saturated run begins [default: more than the
    /// backend can take]
    #[arg(long)]
    pub backlog: Option<u64>,
    /// What arrives: saturated, constant:RATE, sine:MEAN,AMPLITUDE,PERIOD_S,
    /// spikes:BASE,PEAK,EVERY_S,FOR_S, ramp:FROM,TO,OVER_S, burst:LOW,HIGH,HOLD_S,
    /// then-saturated:RATE,FROM_S, or through the product also turns:SLOW,BURSTS,FULL
    #[arg(long, default_value = "saturated")]
    pub arrivals: Arrivals,
    /// Latency that is allowed, in milliseconds [default: 50 for databases, 100 for HTTP]
    #[arg(long)]
    pub target_ms: Option<f64>,
    /// Which latency: of attempts, or of delivery since arrival [default: of attempts]
    #[arg(long, value_enum)]
    pub target_of: Option<Of>,
    /// Disturbs the backend in the middle third of each run
    #[arg(long, value_enum, num_args = 0..=1, default_missing_value = "neighbour")]
    pub disturb: Option<Disturb>,
    /// Largest batch that a plan may ask for
    #[arg(long, default_value_t = 20_000)]
    pub size_max: u32,
    /// Most attempts in flight that a plan may ask for
    #[arg(long, default_value_t = 16)]
    pub concurrency_max: u32,
    /// Round trip of a network that is put between the client and PostgreSQL, in milliseconds
    #[arg(long, default_value_t = 0.0)]
    pub round_trip_ms: f64,
    /// Gives PostgreSQL's table the unique index that exactly-once delivery has
    #[arg(long)]
    pub indexed: bool,
    /// Seconds that the backend is written to before anything counts
    #[arg(long, default_value_t = 8.0, value_parser = parse_warm_up)]
    pub warm_up_seconds: f64,
    /// Where database files go [default: the system's directory for temporary files]
    #[arg(long)]
    pub directory: Option<PathBuf>,
    #[command(flatten)]
    service: Service,
}

fn parse_warm_up(text: &str) -> anyhow::Result<f64> {
    let seconds: f64 = text.parse()?;
    ensure!((0.0..=600.0).contains(&seconds), "must be between 0 and 600");
    Ok(seconds)
}

/// Which latency a target is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Of {
    /// Send to answer, of an attempt
    Attempt,
    /// Arrival to answer, of an item
    Delivery,
}

impl Case {
    /// Its name in files and tables.
    pub(crate) fn name(&self) -> String {
        let name = self.case.clone();
        name.unwrap_or_else(|| {
            let disturbed = match self.disturb {
                None => "",
                Some(Disturb::Neighbour) => "-disturbed",
                Some(Disturb::Indexes) => "-indexes",
                Some(Disturb::Maintenance) => "-maintenance",
            };
            let through = match self.through {
                Through::Engine => "",
                Through::Product => "product-",
            };
            format!("{through}{}{disturbed}", self.backend.name())
        })
    }

    /// What is timely.
    pub(crate) fn target(&self) -> anyhow::Result<Target> {
        let ms = self.target_ms.unwrap_or_else(|| self.backend.target_ms());
        ensure!((1.0..=3_600_000.0).contains(&ms), "--target-ms is {ms}, but must be 1 to 3600000");
        let of = match self.target_of {
            Some(Of::Delivery) => Latency::Delivery,
            Some(Of::Attempt) | None => Latency::Attempt,
        };
        ensure!(
            of == Latency::Attempt || !self.arrivals.source.is_saturated(),
            "--target-of delivery needs items that arrive: say --arrivals"
        );
        ensure!(
            of == Latency::Attempt || self.through == Through::Engine,
            "--target-of delivery: through the product the target is on attempts"
        );
        Ok(Target { latency: Duration::from_secs_f64(ms / 1e3), of })
    }

    /// Within which plans.
    pub(crate) fn bounds(&self) -> anyhow::Result<Bounds> {
        // The product's own sink takes one batch at a time.
        let one = self.through == Through::Product && self.backend == Kind::Sqlite;
        let concurrency_max = if one { 1 } else { self.concurrency_max };
        let bounds = Bounds {
            batch_size_max: self.size_max,
            batch_bytes_max: 1 << 30,
            concurrency_max: f64::from(concurrency_max),
            ..Bounds::default()
        };
        bounds.check()?;
        Ok(bounds)
    }

    /// Starts the backend.
    pub(crate) async fn site(&self) -> anyhow::Result<Box<dyn Site>> {
        Ok(match self.backend {
            Kind::Sqlite => Box::new(Sqlite::start(self.directory.as_deref())?),
            Kind::Postgres => {
                let ms = self.round_trip_ms;
                ensure!((0.0..=1_000.0).contains(&ms), "--round-trip-ms is {ms}: 0 to 1000");
                let round_trip = Duration::from_secs_f64(ms / 1e3);
                Box::new(Postgres::start(round_trip, self.indexed).await?)
            }
            Kind::Http => Box::new(Http::start(self.service).await?),
        })
    }

    /// When what disturbs a run of that length.
    pub(crate) fn disturbed(&self, length: Duration) -> Option<Wanted> {
        let third = length.as_secs_f64() / 3.0;
        self.disturb.map(|kind| Wanted { kind, span: (third, 2.0 * third) })
    }

    /// The way through the product, if a run of these seconds goes there.
    pub(crate) fn product(&self, seconds: f64) -> anyhow::Result<Option<Product>> {
        if self.through == Through::Engine {
            let turns = self.arrivals.turns.is_some();
            ensure!(!turns, "--arrivals {} needs --through product", self.arrivals.text);
            return Ok(None);
        }
        let per_second = match self.backend {
            Kind::Sqlite => 600e3,
            Kind::Postgres => 650e3,
            Kind::Http => 1.1 * self.service.items_per_second_max(),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "events of a run of minutes"
        )]
        let backlog = self.backlog.unwrap_or((per_second * (seconds + 0.5)) as u64);
        Ok(Some(Product {
            program: Product::program(self.program.as_deref())?,
            feed: Feed::of(&self.arrivals, backlog)?,
            within: self.directory.clone(),
        }))
    }
}
