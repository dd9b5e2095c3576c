//! How is an instant written as a date, and is a date one that exists?
//!
//! The proleptic Gregorian calendar in UTC, by counting days from 1970. A date library would do
//! as well; these few lines save a dependency and let a timestamp be written into a prebuilt
//! request without allocating.

use std::time::Duration;

/// Length of a timestamp as [`stamp`] writes it.
pub(crate) const STAMP: usize = "2026-11-21T01:02:03.123456Z".len();

/// English month names, as syslog and web servers shorten them.
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The month (1 to 12) with this English short name, in any case.
pub(crate) fn month(name: &str) -> Option<u64> {
    (1..).zip(MONTHS).find(|(_, short)| short.eq_ignore_ascii_case(name)).map(|(n, _)| n)
}

/// Days of a month (1 to 12); 0 for any other number.
pub(crate) fn days_in(year: u64, month: u64) -> u64 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap(year) => 29,
        2 => 28,
        _ => 0,
    }
}

fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Year, month and day of a number of days since 1970-01-01.
pub(crate) fn date(days: u64) -> (u64, u64, u64) {
    // 400 years have 146,097 days: whole cycles are taken off, the rest is walked (< 400 steps).
    let mut year = 1970 + days / 146_097 * 400;
    let mut left = days % 146_097;
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if left < length {
            break;
        }
        left -= length;
        year += 1;
    }
    let mut month = 1;
    while left >= days_in(year, month) {
        left -= days_in(year, month);
        month += 1;
    }
    (year, month, left + 1)
}

/// RFC 3339 in UTC with microseconds: `2026-11-21T01:02:03.123456Z`.
///
/// `since_1970` must lie before the year 10000, or the year loses its leading digits.
pub(crate) fn stamp(since_1970: Duration) -> [u8; STAMP] {
    let seconds = since_1970.as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let of_day = seconds % 86_400;
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    let fields = [
        (0, 4, year),
        (5, 2, month),
        (8, 2, day),
        (11, 2, of_day / 3600),
        (14, 2, of_day / 60 % 60),
        (17, 2, of_day % 60),
        (20, 6, u64::from(since_1970.subsec_micros())),
    ];
    for (at, width, value) in fields {
        if let Some(slot) = text.get_mut(at..at + width) {
            digits(slot, value, b'0');
        }
    }
    text
}

/// Writes `value` right-aligned into `slot`, the rest filled with `pad`; leading digits that do
/// not fit are lost, so callers bound their values by the slot's width.
pub(crate) fn digits(slot: &mut [u8], mut value: u64, pad: u8) {
    let mut first = true;
    for place in slot.iter_mut().rev() {
        *place = if value > 0 || first { b'0' + (value % 10) as u8 } else { pad };
        value /= 10;
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_instants_are_written_as_everyone_writes_them() {
        let written = |seconds, micros: u32| {
            String::from_utf8(stamp(Duration::new(seconds, micros * 1000)).to_vec()).unwrap()
        };
        assert_eq!(written(0, 0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(written(951_782_399, 1), "2000-02-28T23:59:59.000001Z");
        assert_eq!(written(951_782_400, 999_999), "2000-02-29T00:00:00.999999Z");
        assert_eq!(written(1_795_222_923, 123_456), "2026-11-21T01:02:03.123456Z");
        assert_eq!(written(4_107_542_400, 0), "2100-03-01T00:00:00.000000Z");
    }

    #[test]
    fn slots_are_filled_from_the_right() {
        let mut slot = *b"xxxxx";
        digits(&mut slot, 42, b' ');
        assert_eq!(&slot, b"   42");
        digits(&mut slot, 0, b' ');
        assert_eq!(&slot, b"    0");
        digits(&mut slot, 98_765, b'0');
        assert_eq!(&slot, b"98765");
    }

    proptest! {
        /// Invariant: days and dates go on together, one step at a time.
        #[test]
        fn the_day_after_is_the_next_date(day in 0_u64..2_900_000) {
            let (year, month, date_of_month) = date(day);
            prop_assert!((1..=12).contains(&month));
            prop_assert!((1..=days_in(year, month)).contains(&date_of_month));
            let next = if date_of_month < days_in(year, month) {
                (year, month, date_of_month + 1)
            } else if month < 12 {
                (year, month + 1, 1)
            } else {
                (year + 1, 1, 1)
            };
            prop_assert_eq!(date(day + 1), next);
        }
    }
}
