//! How is a number said to a person?

/// A whole number with commas: 1,420.
pub(super) fn whole(number: u64) -> String {
    let digits = number.to_string();
    let mut said = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            said.push(',');
        }
        said.push(digit);
    }
    said
}

/// A rate or a count that need not be exact: three digits are told, and what is small has a decimal.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
pub(super) fn about(number: f64) -> String {
    if !number.is_finite() || number <= 0.0 {
        return "0".to_owned();
    }
    if number < 10.0 {
        return trimmed(number, 1);
    }
    let step = 10_f64.powf((number.log10().floor() - 2.0).max(0.0));
    whole(((number / step).round() * step) as u64)
}

/// With at most so many decimals, and none that are zero.
pub(super) fn trimmed(number: f64, decimals: usize) -> String {
    let said = format!("{number:.decimals$}");
    match said.contains('.') {
        true => said.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => said,
    }
}

/// A time in the unit that suits it.
pub(super) fn time(seconds: f64) -> String {
    if seconds < 0.0995 {
        format!("{} ms", trimmed(seconds * 1e3, 0))
    } else if seconds < 9.95 {
        format!("{} s", trimmed(seconds, 1))
    } else if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else if seconds < 7200.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{:.0} h", seconds / 3600.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_people_write_them() {
        assert_eq!([0, 999, 1000, 1_234_567].map(whole), ["0", "999", "1,000", "1,234,567"]);
        let said = [0.0, 0.04, 3.0, 7.25, 12.4, 1420.0, 123_456.0].map(about);
        assert_eq!(said, ["0", "0", "3", "7.2", "12", "1,420", "123,000"]);
        let said = [0.004, 0.0994, 0.25, 9.0, 61.0, 600.0, 90_000.0].map(time);
        assert_eq!(said, ["4 ms", "99 ms", "0.2 s", "9 s", "61 s", "10 min", "25 h"]);
    }
}
