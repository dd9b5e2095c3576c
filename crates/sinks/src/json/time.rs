//! How is an instant written as text? As RFC 3339 in UTC with all nine decimals, so that equal
//! lengths sort as the instants do.
//!
//! The calendar is Howard Hinnant's `civil_from_days`:
//! <https://howardhinnant.github.io/date_algorithms.html>. Every `i64` of nanoseconds lies in the
//! years 1677 to 2262, so a year has four digits.

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// Writes instants. Those of a batch are close together, so the text of the last second is kept.
pub(super) struct Writer {
    second: i64,
    text: [u8; 30],
}

impl Default for Writer {
    fn default() -> Self {
        Self { second: 0, text: *b"1970-01-01T00:00:00.000000000Z" }
    }
}

impl Writer {
    /// Appends the instant, given in nanoseconds since 1970-01-01 UTC.
    pub(super) fn write(&mut self, nanoseconds: i64, out: &mut String) {
        let second = nanoseconds.div_euclid(SECOND);
        if second != self.second {
            self.begin(second);
        }
        put(&mut self.text[20..29], nanoseconds.rem_euclid(SECOND) as u32);
        // Only ASCII was put in.
        out.push_str(std::str::from_utf8(&self.text).unwrap_or_default());
    }

    fn begin(&mut self, second: i64) {
        let (year, month, day) = date(second.div_euclid(DAY));
        let of_day = second.rem_euclid(DAY) as u32;
        let text = &mut self.text;
        put(&mut text[0..4], year as u32);
        put(&mut text[5..7], month as u32);
        put(&mut text[8..10], day as u32);
        put(&mut text[11..13], of_day / 3600);
        put(&mut text[14..16], of_day / 60 % 60);
        put(&mut text[17..19], of_day % 60);
        self.second = second;
    }
}

/// Writes the decimal digits of a number that is not negative, as many as there is room for.
fn put(digits: &mut [u8], mut number: u32) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day of a day counted from 1970-01-01.
const fn date(days: i64) -> (i64, i64, i64) {
    /// Days of the 400 years after which the calendar repeats.
    const ERA: i64 = 146_097;
    // Years are counted from March on, so that the day that is sometimes missing is the last one.
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(nanoseconds: i64) -> String {
        let mut out = String::new();
        Writer::default().write(nanoseconds, &mut out);
        out
    }

    #[test]
    fn known_instants() {
        for (nanoseconds, expected) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (951_782_400 * SECOND, "2000-02-29T00:00:00.000000000Z"),
            (1_763_600_000_123_456_789, "2025-11-20T00:53:20.123456789Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
        ] {
            assert_eq!(text(nanoseconds), expected);
        }
    }

    proptest! {
        /// Invariant: the reader at the door reads back the very instant that was written.
        #[test]
        fn every_instant_is_read_back(nanoseconds in i64::MIN + 1..=i64::MAX) {
            prop_assert_eq!(tidegate_event::timestamp::from_text(&text(nanoseconds)), Some(nanoseconds));
        }

        /// Invariant: what was written before makes no difference.
        #[test]
        fn a_writer_has_no_memory_that_shows(
            start in -10..10i64, steps in proptest::collection::vec(-2_000_000_000..2_000_000_000i64, 1..9)
        ) {
            let (mut writer, mut at) = (Writer::default(), start);
            for step in steps {
                at += step;
                let mut out = String::new();
                writer.write(at, &mut out);
                prop_assert_eq!(out, text(at));
            }
        }
    }
}
