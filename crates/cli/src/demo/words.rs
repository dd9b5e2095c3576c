//! How are figures written for people? Three digits that matter, with their unit.

use std::time::Duration;

/// A whole number with its thousands apart: `1,240`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Something a second, to the nearest whole: `98,300/s`.
pub(super) fn rate(per_second: f64) -> String {
    format!("{}/s", count(whole(per_second)))
}

/// Thousands with one decimal place, for tables: `98.3`.
pub(super) fn thousands(number: f64) -> String {
    format!("{:.1}", number / 1e3)
}

/// Milliseconds: `0.84 ms`, `41 ms`, `1.31 s`.
pub(super) fn ms(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1_000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.2} s", ms / 1e3),
    }
}

/// Seconds with one decimal place.
pub(super) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Short seconds for an axis: `17 s`, `2.5 s`.
pub(super) fn about(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let whole = seconds.round();
    match (seconds - whole).abs() < 0.05 {
        true => format!("{whole:.0} s"),
        false => format!("{seconds:.1} s"),
    }
}

/// The text in lines of at most `width` characters, words kept whole.
pub(super) fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            out.push('\n');
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
    out
}

/// The nearest whole number, 0 for what is below or none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates, and NaN becomes 0"
)]
pub(super) fn whole(number: f64) -> u64 {
    number.round() as u64
}

/// A count as a number to calculate with; counts of a demo are far below 2⁵³.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_long_as_they_may_be() {
        assert_eq!(wrapped("one two  three\nfour", 9), "one two\nthree\nfour");
        assert_eq!(wrapped("incomprehensible", 5), "incomprehensible");
        assert_eq!(wrapped("", 5), "");
    }

    #[test]
    fn figures_are_written_as_people_read_them() {
        let counts = [0, 999, 1_000, 12_345, 1_234_567].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!([rate(99_999.6), rate(0.0), rate(-3.0)], ["100,000/s", "0/s", "0/s"]);
        assert_eq!([0.84, 41.2, 1_310.0].map(ms), ["0.8 ms", "41 ms", "1.31 s"]);
        assert_eq!(thousands(98_349.0), "98.3");
        assert_eq!([17_000, 2_500].map(|ms| about(Duration::from_millis(ms))), ["17 s", "2.5 s"]);
    }
}
