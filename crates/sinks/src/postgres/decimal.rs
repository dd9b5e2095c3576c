//! How is a decimal number written as PostgreSQL's `numeric`? As digits to the base of 10,000,
//! none of which is lost.
//!
//! Form: number of digits, weight of the first (a power of 10,000), sign, decimals to show, digits.

/// Decimals that a `numeric` can show, and powers of ten that it can reach.
const DECIMALS_MAX: i64 = 16_383;
const DIGITS_MAX: i64 = 131_072;
const NEGATIVE: u16 = 0x4000;

/// Writes the number that `text` is, as JSON writes numbers, with its length before it; nothing
/// when it is beyond what a `numeric` holds.
pub(super) fn write(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (NEGATIVE, text),
        None => (0, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').collect();
    // Digits before the point; below zero there are zeros between the point and the first.
    let point = i64::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let length = i64::try_from(digits.len()).ok()?;
    let decimals = length.checked_sub(point)?.max(0);
    if decimals > DECIMALS_MAX || !(-DIGITS_MAX..=DIGITS_MAX).contains(&point) {
        return None;
    }

    let mut weight = (point + 3).div_euclid(4) - 1;
    let mut groups = Vec::new();
    let mut from = point - 4 * (weight + 1);
    while from < length {
        let digit = |at: i64| {
            let found = usize::try_from(at).ok().and_then(|at| digits.get(at));
            i16::from(found.copied().unwrap_or(0))
        };
        groups.push((0..4).fold(0, |group, place| group * 10 + digit(from + place)));
        from += 4;
    }
    let zeros = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..zeros);
    weight -= i64::try_from(zeros).ok()?;
    while groups.last() == Some(&0) {
        groups.pop();
    }
    if groups.is_empty() {
        weight = 0;
    }
    let count = i16::try_from(groups.len()).ok()?;
    out.extend_from_slice(&(8 + 2 * i32::from(count)).to_be_bytes());
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(&i16::try_from(weight).ok()?.to_be_bytes());
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&i16::try_from(decimals).ok()?.to_be_bytes());
    groups.iter().for_each(|group| out.extend_from_slice(&group.to_be_bytes()));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(text: &str) -> Option<(i16, u16, i16, Vec<i16>)> {
        let mut out = Vec::new();
        write(text, &mut out)?;
        let number = |at: usize| i16::from_be_bytes([out[at], out[at + 1]]);
        assert_eq!(
            out.len() - 4,
            usize::try_from(i32::from_be_bytes(out[..4].try_into().unwrap())).unwrap()
        );
        let digits = (0..usize::try_from(number(4)).unwrap()).map(|index| number(12 + 2 * index));
        Some((number(6), number(8).cast_unsigned(), number(10), digits.collect()))
    }

    #[test]
    fn digits_are_grouped_around_the_point() {
        assert_eq!(groups("0"), Some((0, 0, 0, vec![])));
        assert_eq!(groups("0.00"), Some((0, 0, 2, vec![])));
        assert_eq!(groups("1"), Some((0, 0, 0, vec![1])));
        assert_eq!(groups("-12345.678"), Some((1, NEGATIVE, 3, vec![1, 2345, 6780])));
        assert_eq!(groups("0.0001"), Some((-1, 0, 4, vec![1])));
        assert_eq!(groups("0.00001"), Some((-2, 0, 5, vec![1000])));
        assert_eq!(groups("1e4"), Some((1, 0, 0, vec![1])));
        assert_eq!(groups("1.5E-3"), Some((-1, 0, 4, vec![15])));
        assert_eq!(groups("10000000"), Some((1, 0, 0, vec![1000])));
        assert_eq!(groups("1e400").map(|(weight, ..)| weight), Some(100));
        assert_eq!(groups("1e200000"), None);
        assert_eq!(groups("1e-20000"), None);
        assert_eq!(groups("1e99999999999999999999"), None);
    }
}
