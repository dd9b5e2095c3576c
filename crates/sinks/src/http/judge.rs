//! What came of the attempt? The answer in the words of the contract, and a message that says
//! where, what, and what to do — without a secret in it.

use tidegate::Outcome;
use tidegate_event::JournalId;

use super::exchange::{Answer, Trouble};
use super::items::{NotTaken, Reader};
use super::secret::Secrets;
use super::settings::{Answers, Settings};
use super::status::{Meaning, advice};
use crate::contract::{Batch, Delivery, DeliveryFailure, ItemFailure};
use crate::stage::{failed, taken};

/// How much of a quote is shown, in characters.
const QUOTE_CHARS_MAX: usize = 200;
/// `Multi-Status`: the answer is in the body, item by item.
const MULTI_STATUS: u16 = 207;

/// Judges answers.
pub(super) struct Judge {
    site: String,
    secrets: Secrets,
    settings: Settings,
}

/// Whether the body of an answer with this status says item by item what was taken.
pub(super) fn is_listed(settings: &Settings, status: u16) -> bool {
    let by_settings = settings.statuses.contains_key(&status);
    (status == MULTI_STATUS && !by_settings)
        || (settings.answers == Answers::Items && Meaning::with(settings, status) == Meaning::Taken)
}

impl Judge {
    pub(super) fn new(settings: &Settings, site: &str) -> Self {
        let headers = settings.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let secrets = Secrets::new(headers, settings.query());
        Self { site: site.to_owned(), secrets, settings: settings.clone() }
    }

    /// What an answer means.
    pub(super) fn answer(&self, answer: &Answer, journal: JournalId, batch: &Batch) -> Delivery {
        let status = answer.status.as_u16();
        if is_listed(&self.settings, status) {
            return self.listed(answer, journal, batch);
        }
        let meaning = Meaning::with(&self.settings, status);
        if meaning == Meaning::Taken {
            return taken();
        }
        let mut why = format!("{} answered {}", self.site, answer.status);
        if let Some(line) = self.first_line(&answer.body) {
            why.push_str(&format!(": {line}"));
        }
        if let Some(wait) = answer.retry_after {
            why.push_str(&format!(". It asks to wait for {wait:?}"));
        }
        if let Some(location) = &answer.location {
            why.push_str(&format!(". It points to {}", self.secrets.strike(location)));
        }
        if meaning == Meaning::Retry {
            why.push_str(advice(status));
        }
        let failure = match meaning {
            Meaning::Refused => DeliveryFailure::Refused { why, at: None },
            Meaning::TooLarge => DeliveryFailure::TooLarge(why),
            _ => DeliveryFailure::Retry(why),
        };
        let retry_after = answer.retry_after;
        Delivery { retry_after, ..failed(meaning.outcome(retry_after), failure) }
    }

    fn listed(&self, answer: &Answer, journal: JournalId, batch: &Batch) -> Delivery {
        let meaning = |status| Meaning::with(&self.settings, status);
        let reader = Reader { meaning: &meaning, id_field: &self.settings.id_field };
        let read = match &answer.cut {
            None => reader.read(&answer.body, journal, batch),
            Some(why) => Err(why.clone()),
        };
        match read {
            Ok(not_taken) => self.partly(answer, &not_taken, batch),
            Err(why) => {
                // Perhaps all was taken, but nobody can tell.
                let why = format!(
                    "{} answered {}, and what it says of the items cannot be read: {}. The batch \
                     is sent again as it is; check the sink's `answer` and `answer_bytes_max`",
                    self.site,
                    answer.status,
                    self.quoted(&why)
                );
                failed(Outcome::Unreachable, DeliveryFailure::Retry(why))
            }
        }
    }

    fn partly(&self, answer: &Answer, not_taken: &[NotTaken], batch: &Batch) -> Delivery {
        let Some(first) = not_taken.first() else { return taken() };
        let all = not_taken.len() as u64 == batch.items();
        if all && not_taken.iter().all(|item| item.meaning.is_retryable()) {
            // Nothing was taken, and nothing is the data's fault: that is a whole batch's failure.
            let why = format!(
                "{} answered {} and took none of the items; position {}: {}",
                self.site,
                answer.status,
                first.position,
                self.quoted(&first.why)
            );
            let retry_after = answer.retry_after;
            let outcome = first.meaning.outcome(retry_after);
            return Delivery { retry_after, ..failed(outcome, DeliveryFailure::Retry(why)) };
        }
        let delivered = batch.items() - not_taken.len() as u64;
        let failure = |item: &NotTaken| ItemFailure {
            position: item.position,
            retryable: item.meaning.is_retryable(),
            why: self.quoted(&item.why),
        };
        let failures = not_taken.iter().map(failure).collect();
        let delivered = u32::try_from(delivered).unwrap_or(u32::MAX);
        failed(Outcome::Partial { delivered }, DeliveryFailure::Items(failures))
    }

    /// What an attempt without an answer means.
    pub(super) fn trouble(&self, trouble: &Trouble) -> Delivery {
        let site = &self.site;
        let (outcome, why) = match trouble {
            Trouble::Unsendable(why) => {
                (Outcome::Unreachable, format!("{site}: {why}. Change the sink's url or headers"))
            }
            Trouble::Unconnected(why) => {
                let advice = if why.contains("certificate") {
                    ". If its certificate is from an authority of your own, name that one in ca_file"
                } else {
                    ""
                };
                (Outcome::Unreachable, format!("{site}: {}{advice}", self.quoted(why)))
            }
            Trouble::Broken(why) => (
                Outcome::Unreachable,
                format!(
                    "{site}: the connection ended before the answer ({}); the batch may have been \
                     taken, and is sent again with its key",
                    self.quoted(why)
                ),
            ),
            Trouble::Late(timeout) => {
                (Outcome::TimedOut, format!("{site}: no answer within {timeout:?}"))
            }
        };
        failed(outcome, DeliveryFailure::Retry(why))
    }

    /// The first line of a body, if it has one.
    fn first_line(&self, body: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(body);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
        Some(self.quoted(line))
    }

    /// What the backend said, as it may be shown: without secrets, on one line, and not too long.
    fn quoted(&self, text: &str) -> String {
        // Secrets first: one that is cut in half would not be found.
        let struck = self.secrets.strike(text);
        let plain = struck.chars().map(|c| if c.is_control() { ' ' } else { c });
        let mut quote: String = plain.clone().take(QUOTE_CHARS_MAX).collect();
        if plain.count() > QUOTE_CHARS_MAX {
            quote.push('…');
        }
        quote
    }
}
