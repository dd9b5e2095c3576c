//! What does a status mean? Whether the data is at fault decides: only then is anything given up.
//!
//! | status | meaning | outcome |
//! |---|---|---|
//! | 2xx | [taken](Meaning::Taken); 207 says so item by item | ok |
//! | 400, 422 | [refused](Meaning::Refused): the data is at fault | rejected |
//! | 413 | [too large](Meaning::TooLarge) | too large |
//! | 429 | [throttled](Meaning::Throttled), until `Retry-After` | throttled |
//! | 500, 503, 507, 529 | [overloaded](Meaning::Overloaded) | overloaded |
//! | 408, 504 | [late](Meaning::Late) | timed out |
//! | all other, 3xx included | [retry](Meaning::Retry): something is to be mended | unreachable |
//!
//! A 401, 403 or 404 is a setting that is wrong here or there, never a fault of the events: a token
//! that ran out must not send a million of them to the dead letters. A 409 says that the first
//! attempt with this `Idempotency-Key` is still being worked on. Redirects are not followed: a
//! batch goes where the settings say, and the message tells where the backend pointed.

use tidegate::Outcome;

use super::Settings;

/// What a status means for a batch, or for an item of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It was taken.
    Taken,
    /// It was not taken, and may be later: something is to be mended, but not in the data.
    Retry,
    /// The backend has too much to do.
    Overloaded,
    /// The backend gave up waiting for something.
    Late,
    /// A limit on requests was reached.
    Throttled,
    /// It is too large; parts of it may be taken.
    TooLarge,
    /// The data was refused: sent again it would be refused again.
    Refused,
}

impl Meaning {
    /// What a status means unless the settings say otherwise.
    #[must_use]
    pub const fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Taken,
            400 | 422 => Self::Refused,
            413 => Self::TooLarge,
            429 => Self::Throttled,
            500 | 503 | 507 | 529 => Self::Overloaded,
            408 | 504 => Self::Late,
            _ => Self::Retry,
        }
    }

    /// What a status means with these settings.
    pub(super) fn with(settings: &Settings, status: u16) -> Self {
        settings.statuses.get(&status).copied().unwrap_or_else(|| Self::of(status))
    }

    /// Whether what was not taken may be taken later, unchanged.
    pub(super) const fn is_retryable(self) -> bool {
        matches!(self, Self::Retry | Self::Overloaded | Self::Late | Self::Throttled)
    }

    /// The outcome of an attempt that was answered like this.
    pub(super) const fn outcome(self, retry_after: Option<std::time::Duration>) -> Outcome {
        match self {
            Self::Taken => Outcome::Ok,
            Self::Retry => Outcome::Unreachable,
            Self::Overloaded => Outcome::Overloaded,
            Self::Late => Outcome::TimedOut,
            Self::Throttled => Outcome::Throttled { retry_after },
            Self::TooLarge => Outcome::TooLarge,
            Self::Refused => Outcome::Rejected,
        }
    }
}

/// What to do about a status that is not about the data; empty where only waiting helps.
pub(super) const fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => ". Redirects are not followed: give the sink the address it points to",
        401 | 407 => ". Check the credentials in the sink's headers; the events wait meanwhile",
        403 => {
            ". The credentials in the sink's headers may not write there: grant it, or use others; \
             the events wait meanwhile"
        }
        404 | 405 | 410 => ". Check the sink's url and method; the events wait meanwhile",
        406 | 415 => ". Check the sink's format, its compression and its header Content-Type",
        411 | 414 | 431 => ". Check the sink's url and headers",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_speaks_of_the_data_gives_anything_up() {
        let given_up: Vec<u16> = (200..600)
            .filter(|status| {
                let meaning = Meaning::of(*status);
                meaning != Meaning::Taken && !meaning.outcome(None).is_retryable()
            })
            .collect();
        assert_eq!(given_up, [400, 413, 422]);
    }

    #[test]
    fn settings_change_single_statuses() {
        let mut settings = Settings::new("http://a", "a");
        settings.statuses = [(404, Meaning::Refused), (409, Meaning::Taken)].into();
        let meanings = [404, 409, 400].map(|status| Meaning::with(&settings, status));
        assert_eq!(meanings, [Meaning::Refused, Meaning::Taken, Meaning::Refused]);
    }
}
