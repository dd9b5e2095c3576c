//! Which byte of a text means something in a JSON string?
//!
//! A quote, a backslash, a control character. Eight bytes are looked at together, in plain
//! arithmetic: most texts are too short for more to pay.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The first such byte from `at` on, and where it stands.
#[inline]
pub(crate) fn find(bytes: &[u8], mut at: usize) -> Option<(usize, u8)> {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        // In each byte the high bit is set if it is one of them; above the first that is, borrows
        // may set others, which nobody looks at. With its second bit turned a quote is the byte
        // behind the control characters, and nothing else comes below 0x21.
        let word = u64::from_le_bytes(*chunk);
        let control_or_quote = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
        let backslash = (word ^ (ONES * 0x5c)).wrapping_sub(ONES);
        let found = (control_or_quote | backslash) & !word & HIGH;
        if found != 0 {
            let shift = found.trailing_zeros() & !7;
            return Some((at + (shift / 8) as usize, (word >> shift) as u8));
        }
        at += 8;
    }
    let rest = bytes.get(at..)?;
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    let found = rest.iter().position(is_special)?;
    Some((at + found, *rest.get(found)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_special_byte_is_found_wherever_it_stands() {
        for length in 0..40 {
            for at in 0..=length {
                for special in [b'"', b'\\', 0, 0x1f] {
                    // Bytes that differ from a special one in one bit, and bytes of UTF-8.
                    for filler in [b'!', b'#', b' ', b'a', 0x7f, 0xa2, 0xdc, 0x9f] {
                        let mut bytes = vec![filler; length];
                        bytes.insert(at, special);
                        assert_eq!(find(&bytes, 0), Some((at, special)));
                    }
                }
            }
        }
        assert_eq!(find(&[b'a'; 17], 0), None);
        assert_eq!(find(b"abc", 9), None);
    }
}
