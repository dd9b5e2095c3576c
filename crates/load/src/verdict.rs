//! What does an answer mean for the events of its request?
//!
//! One of three things: they are the server's now, they were refused for good, or the same
//! request should be sent again. Only this module knows HTTP statuses. A failing server (5xx) is
//! asked again because it may have failed before, during or after storing; a refusal (4xx) would
//! only be repeated, and some refusals would meet every other request as well.

use std::time::Duration;

use serde::Deserialize;

use crate::answer::Answer;
use crate::args::Protocol;
use crate::otlp;

/// Bytes of a server's message that are kept.
const MESSAGE_BYTES: usize = 400;

/// What becomes of a request's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// 2xx: the server has `accepted` of them, or all when it gives no number.
    Acknowledged {
        /// The number in the answer's `accepted`, if there is one.
        accepted: Option<u64>,
    },
    /// Refused for good.
    Refused {
        /// Whether any other request would be refused alike, so that going on is pointless.
        every: bool,
    },
    /// Not now: worth sending again, not before `after` if the server said so.
    Again {
        /// `Retry-After`.
        after: Option<Duration>,
        /// Whether the server said that it stored nothing (429, 503).
        stored_nothing: bool,
    },
}

#[derive(Deserialize)]
struct Accepted {
    accepted: u64,
}

/// Judges a whole answer to a request of so many events.
pub(crate) fn judge(answer: &Answer, protocol: Protocol, events: u64) -> Verdict {
    match answer.status {
        200..300 if protocol != Protocol::Ndjson => {
            let accepted = events.saturating_sub(otlp::rejected(&answer.body));
            Verdict::Acknowledged { accepted: Some(accepted) }
        }
        200..300 => {
            let body = serde_json::from_slice::<Accepted>(&answer.body);
            Verdict::Acknowledged { accepted: body.ok().map(|body| body.accepted) }
        }
        429 | 503 => Verdict::Again { after: answer.retry_after, stored_nothing: true },
        501 | 505 => Verdict::Refused { every: true },
        408 | 500.. => Verdict::Again { after: answer.retry_after, stored_nothing: false },
        401 | 403 | 404 | 405 | 407 | 410 | 415 => Verdict::Refused { every: true },
        400..500 => Verdict::Refused { every: false },
        // Redirects are not followed: where to send is said by --url.
        _ => Verdict::Refused { every: true },
    }
}

/// What the server said, cut to a line that fits a report.
pub(crate) fn message(answer: &Answer) -> String {
    let kept = answer.body.get(..MESSAGE_BYTES).unwrap_or(&answer.body);
    let text = String::from_utf8_lossy(kept);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.as_str() {
        "" => "(no message)".to_owned(),
        _ if kept.len() < answer.body.len() => format!("{text} …"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let retry_after = Some(Duration::from_secs(2));
        Answer { status, retry_after, close: false, body: body.into(), used: 0 }
    }

    #[test]
    fn statuses_are_judged() {
        let judge = |status, body| judge(&answer(status, body), Protocol::Ndjson, 9);
        assert_eq!(judge(200, "{\"accepted\":7}"), Verdict::Acknowledged { accepted: Some(7) });
        assert_eq!(judge(202, "fine"), Verdict::Acknowledged { accepted: None });
        for status in [429, 503] {
            let after = Some(Duration::from_secs(2));
            assert_eq!(judge(status, ""), Verdict::Again { after, stored_nothing: true });
        }
        for status in [408, 500, 502, 504, 507, 599] {
            assert!(matches!(judge(status, ""), Verdict::Again { stored_nothing: false, .. }));
        }
        for status in [400, 409, 413, 422] {
            assert_eq!(judge(status, ""), Verdict::Refused { every: false });
        }
        for status in [101, 301, 401, 403, 404, 405, 415, 501] {
            assert_eq!(judge(status, ""), Verdict::Refused { every: true });
        }
    }

    #[test]
    fn messages_are_one_line_of_bounded_length() {
        assert_eq!(message(&answer(400, "line 3:\n  no\tJSON")), "line 3: no JSON");
        assert_eq!(message(&answer(400, "")), "(no message)");
        let long = message(&answer(400, &"x".repeat(10_000)));
        assert!(long.len() < MESSAGE_BYTES + 8 && long.ends_with('…'));
    }
}
