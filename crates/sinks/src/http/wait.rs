//! How long does the backend ask to wait? What `Retry-After` says, in seconds or as a date.
//!
//! A date is held against the `Date` of the same answer, so that clocks that disagree do not
//! matter; only a backend without one is held against ours. How much of a long wait is heeded is
//! for the lane to say.

use std::time::{Duration, SystemTime};

use hyper::HeaderMap;
use hyper::header::{DATE, RETRY_AFTER};

/// The wait that the answer with these headers asks for, if it can be understood.
pub(super) fn asked(headers: &HeaderMap, now: impl FnOnce() -> SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has are a wait without an end.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::from(u32::MAX))));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let date = headers.get(DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
    // A date that has passed asks for no wait.
    Some(until.duration_since(date.unwrap_or_else(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn wait(retry_after: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(retry_after).unwrap());
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).unwrap());
        }
        let now = || SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        asked(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT"; // 784111777
        assert_eq!(wait("0", None), Some(0));
        assert_eq!(wait(" 120 ", None), Some(120));
        assert_eq!(wait("99999999999999999999999", None), Some(u64::from(u32::MAX)));
        // Against our clock, in all three forms.
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT", None), Some(60));
        assert_eq!(wait("Sunday, 06-Nov-94 08:50:37 GMT", None), Some(60));
        assert_eq!(wait("Sun Nov  6 08:50:37 1994", None), Some(60));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT", None), Some(0));
        // Against the backend's own clock, which is a year ahead.
        let ahead = "Mon, 06 Nov 1995 08:49:37 GMT";
        assert_eq!(wait("Mon, 06 Nov 1995 08:49:47 GMT", Some(ahead)), Some(10));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT", Some(DATE)), Some(60));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT", Some("yesterday")), Some(60));
        for text in ["", "soon", "-1", "1.5", "1 s"] {
            assert_eq!(wait(text, None), None, "{text}");
        }
    }
}
