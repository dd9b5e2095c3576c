//! Do the settings of a load fit together?
//!
//! A plan is made of [`LoadArgs`] with every bound checked and every default filled in.
//! Nothing is clamped: what is out of its bounds is refused with the field, the value and the
//! bound.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::ClientConfig;

use crate::args::{LoadArgs, Protocol};
use crate::error::LoadError;
use crate::events::Labels;
use crate::prebuilt::Prebuilt;
use crate::random;
use crate::schedule::{Pattern, Schedule};
use crate::target::{Head, Target};
use crate::trust;

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

/// A load whose settings fit together.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) target: Target,
    /// How to shake hands, with https.
    pub(crate) tls: Option<Arc<ClientConfig>>,
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
        if self.from.is_some() && self.protocol != Protocol::Ndjson {
            let value = format!("{:?}", self.protocol);
            return Err(refuse("--protocol", value, "must be ndjson with --from"));
        }
        let url = if self.url.is_empty() { self.protocol.url() } else { &self.url };
        let target = Target::parse(url, self.protocol)?;
        let tls = trust::client(target.https, self.ca.as_deref(), self.protocol)?;
        let head = target.head(self.token.as_ref().map(|token| token.0.as_str()))?;
        // Drawn for each run, whatever its name and seed: a run repeated is no repeat of requests.
        let head = if self.no_idempotency_key { head } else { head.keyed(random::ambient()) };
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
        Ok(Plan { target, tls, head, labels: self.labels()?, seed, events, schedule })
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
    use super::*;

    fn refusal(change: impl FnOnce(&mut LoadArgs)) -> String {
        let mut args = LoadArgs::default();
        change(&mut args);
        args.plan().unwrap_err().to_string()
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_with_field_value_and_bound() {
        assert_eq!(refusal(|a| a.connections = 0), "--connections 0: must be from 1 to 1024");
        assert_eq!(refusal(|a| a.batch = 10_001), "--batch 10001: must be from 1 to 10000");
        assert!(refusal(|a| a.events = Some(0)).contains("from 1 to"));
        assert!(refusal(|a| a.pattern = Pattern::Burst).contains("needs --rate"));
        assert!(refusal(|a| a.rate = Some(5e9)).contains("1G"));
        assert!(refusal(|a| a.period = Duration::from_millis(1)).contains("100ms to 24h"));
        assert!(refusal(|a| a.timeout = Duration::ZERO).contains("at least 1ms"));
        assert!(refusal(|a| a.year = Some(99)).contains("from 1678 to 2261"));
        assert!(refusal(|a| a.service = Some(String::new())).contains("--service"));
        assert!(refusal(|a| a.run = Some("x".repeat(129))).contains("1 to 128 bytes"));
        assert!(refusal(|a| a.url = "ftp://x/".into()).contains("only http://"));
        assert!(
            refusal(|a| (a.from, a.protocol) = (Some("x".into()), Protocol::OtlpHttp))
                .contains("ndjson")
        );
        assert!(refusal(|a| (a.connections, a.batch) = (1024, 10_000)).contains("MiB"));
    }

    #[test]
    fn how_much_is_sent_follows_from_what_bounds_it() {
        let events = |change: fn(&mut LoadArgs)| {
            let mut args = LoadArgs::default();
            change(&mut args);
            args.plan().unwrap().events
        };
        assert_eq!(events(|_| ()), Some(DEFAULT_EVENTS));
        assert_eq!(events(|a| a.duration = Some(Duration::from_secs(1))), Some(MAX_EVENTS));
        assert_eq!(events(|a| a.from = Some("x".into())), None);
        assert_eq!(events(|a| a.events = Some(5)), Some(5));
    }
}
