//! How are figures said in a sentence? With a space before the unit and commas between thousands, as on
//! the dashboard beside it: `20.4 ms`, `1,719`.

use std::fmt::{Display, Formatter, Result};
use std::time::Duration;

/// A time in the unit in which it has at least one digit before the point; one digit behind it unless
/// a precision is asked for, and none that is a zero.
pub(crate) struct Time(pub(crate) Duration);

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let seconds = self.0.as_secs_f64();
        let (value, unit) = match seconds {
            _ if seconds >= 0.999_95 || seconds == 0.0 => (seconds, "s"),
            _ if seconds >= 0.999_95e-3 => (seconds * 1e3, "ms"),
            _ => (seconds * 1e6, "µs"),
        };
        let places = f.precision().unwrap_or(1);
        let text = format!("{value:.places$}");
        let text = text.strip_suffix(".0").unwrap_or(&text);
        write!(f, "{text} {unit}")
    }
}

/// A whole number with commas between thousands.
pub(crate) struct Count(pub(crate) u64);

impl Display for Count {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_said_in_the_unit_that_fits() {
        let said = |nanos| Time(Duration::from_nanos(nanos)).to_string();
        assert_eq!(said(0), "0 s");
        assert_eq!(said(400), "0.4 µs");
        assert_eq!(said(950_000), "950 µs");
        assert_eq!(said(20_440_000), "20.4 ms");
        assert_eq!(said(999_960_000), "1 s");
        assert_eq!(said(90_000_000_000), "90 s");
        assert_eq!(format!("{:.0}", Time(Duration::from_micros(49_600))), "50 ms");
    }

    proptest! {
        /// Without its commas a number is what it was, and no group has another length than three.
        #[test]
        fn counts_have_commas_between_thousands(count: u64) {
            let said = Count(count).to_string();
            prop_assert_eq!(said.replace(',', "").parse::<u64>().unwrap(), count);
            let mut groups = said.split(',');
            prop_assert!((1..=3).contains(&groups.next().unwrap().len()));
            prop_assert!(groups.all(|group| group.len() == 3));
        }
    }
}
