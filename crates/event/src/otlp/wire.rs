//! How are protobuf fields read off a slice, without copying and without trusting a length?
//!
//! Source of the encoding: <https://protobuf.dev/programming-guides/encoding/>. A message is a run
//! of fields, each a tag and a value; what a value means is the caller's business. Unknown fields
//! are values like others, so that newer senders are understood; the groups of old ones are passed
//! over.

/// What is wrong with the encoding, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// The address of the byte: less that of the body, it is a place in the body.
    pub(super) at: usize,
    pub(super) why: &'static str,
}

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
    /// A group, which no message here has.
    Group,
}

/// The fields of one message that have not been read yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

/// Groups that may lie in each other.
const GROUPS_MAX: u32 = 32;

impl<'a> Fields<'a> {
    /// The next field: its number and value.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Fault> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let start = self.0;
        let tag = self.varint()?;
        let Some(number) =
            u32::try_from(tag >> 3).ok().filter(|number| (1..1 << 29).contains(number))
        else {
            return Err(fault(start, "no field has this number"));
        };
        let value = match tag & 7 {
            2 => Value::Bytes(self.bytes()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            0 => Value::Varint(self.varint()?),
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            3 => {
                self.skip_group(number, 0)?;
                Value::Group
            }
            _ => return Err(fault(start, "no value has this type")),
        };
        Ok(Some((number, value)))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Fault> {
        match self.0 {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.0 = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for (index, byte) in self.0.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (index * 7);
            // The tenth byte has room for one bit.
            if index == 9 && *byte > 1 {
                break;
            }
            if *byte < 0x80 {
                self.0 = self.0.get(index + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(fault(self.0, "a number does not end"))
    }

    #[inline]
    fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let start = self.0;
        let length = self.varint()?;
        let split = usize::try_from(length).ok().and_then(|length| self.0.split_at_checked(length));
        let Some((bytes, rest)) = split else {
            return Err(fault(start, "a length reaches beyond what it is in"));
        };
        self.0 = rest;
        Ok(bytes)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let Some((array, rest)) = self.0.split_first_chunk() else {
            return Err(fault(self.0, "a number is cut off"));
        };
        self.0 = rest;
        Ok(*array)
    }

    /// Goes behind the end of the group with this number.
    #[cold]
    fn skip_group(&mut self, number: u32, depth: u32) -> Result<(), Fault> {
        loop {
            let start = self.0;
            if depth == GROUPS_MAX || start.is_empty() {
                return Err(fault(start, "a group does not end"));
            }
            let tag = self.varint()?;
            match tag & 7 {
                0 => drop(self.varint()?),
                1 => drop(self.array::<8>()?),
                2 => drop(self.bytes()?),
                3 => self.skip_group(u32::try_from(tag >> 3).unwrap_or(0), depth + 1)?,
                4 if tag >> 3 == u64::from(number) => return Ok(()),
                5 => drop(self.array::<4>()?),
                _ => return Err(fault(start, "a group ends that has not begun")),
            }
        }
    }
}

impl<'a> Value<'a> {
    /// A nested message, a string or bytes.
    #[inline]
    pub(super) fn bytes(self, around: Fields<'_>) -> Result<&'a [u8], Fault> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(mistyped(around)),
        }
    }

    /// An integer of variable length.
    #[inline]
    pub(super) fn varint(self, around: Fields<'_>) -> Result<u64, Fault> {
        match self {
            Self::Varint(value) => Ok(value),
            _ => Err(mistyped(around)),
        }
    }

    /// Eight bytes.
    #[inline]
    pub(super) fn fixed64(self, around: Fields<'_>) -> Result<u64, Fault> {
        match self {
            Self::Fixed64(value) => Ok(value),
            _ => Err(mistyped(around)),
        }
    }

    /// Four bytes.
    #[inline]
    pub(super) fn fixed32(self, around: Fields<'_>) -> Result<u32, Fault> {
        match self {
            Self::Fixed32(value) => Ok(value),
            _ => Err(mistyped(around)),
        }
    }
}

/// A field has a value of another type than the schema says; `rest` is what stands behind it.
#[cold]
fn mistyped(rest: Fields<'_>) -> Fault {
    fault(rest.0, "the field before it has a value of another type than the schema says")
}

#[cold]
fn fault(at: &[u8], why: &'static str) -> Fault {
    Fault { at: at.as_ptr() as usize, why }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<(u32, Value<'_>)>, &'static str> {
        let mut fields = Fields(bytes);
        let mut found = Vec::new();
        while let Some(field) = fields.next().map_err(|fault| fault.why)? {
            found.push(field);
        }
        Ok(found)
    }

    #[test]
    fn each_type_is_read_and_unknown_groups_are_passed_over() {
        let bytes = [
            0x08, 0x96, 0x01, // field 1, varint 150
            0x12, 0x03, b'e', b'b', b'b', // field 2, bytes
            0x19, 1, 0, 0, 0, 0, 0, 0, 0, // field 3, fixed64
            0x25, 2, 0, 0, 0, // field 4, fixed32
            0x2b, 0x08, 0x01, 0x33, 0x34, 0x2c, // field 5, a group with a group in it
            0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            0x01, // field 1, u64::MAX
        ];
        let expected = vec![
            (1, Value::Varint(150)),
            (2, Value::Bytes(b"ebb")),
            (3, Value::Fixed64(1)),
            (4, Value::Fixed32(2)),
            (5, Value::Group),
            (1, Value::Varint(u64::MAX)),
        ];
        assert_eq!(all(&bytes), Ok(expected));
    }

    #[test]
    fn what_breaks_off_is_told() {
        for (bytes, why) in [
            (&[0x08][..], "a number does not end"),
            (&[0x08, 0x80, 0x80], "a number does not end"),
            (
                &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
                "a number does not end",
            ),
            (&[0x12, 0x05, 1], "a length reaches beyond what it is in"),
            (
                &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
                "a length reaches beyond what it is in",
            ),
            (&[0x19, 1, 2], "a number is cut off"),
            (&[0x25, 1, 2], "a number is cut off"),
            (&[0x00], "no field has this number"),
            (&[0x0e], "no value has this type"),
            (&[0x0c], "no value has this type"),
            (&[0x0b], "a group does not end"),
            (&[0x0b, 0x14], "a group ends that has not begun"),
        ] {
            assert_eq!(all(bytes), Err(why), "{bytes:?}");
        }
        assert_eq!(all(&[0x0b; 100]), Err("a group does not end"));
    }

    proptest! {
        /// Invariant: any bytes at all are read without a panic, and every value lies in them.
        #[test]
        fn garbage_is_survived(bytes: Vec<u8>) {
            let mut fields = Fields(&bytes);
            let mut read = 0;
            while let Ok(Some((_, value))) = fields.next() {
                read += 1;
                prop_assert!(read <= bytes.len());
                if let Value::Bytes(inside) = value {
                    prop_assert!(inside.len() < bytes.len());
                }
            }
        }
    }
}
