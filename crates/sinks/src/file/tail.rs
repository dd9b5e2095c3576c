//! Where does the last whole line end? What comes after it, a crash left behind.

use std::io::{self, Read, Seek, SeekFrom};

/// How much is read at a time, from the end on.
const CHUNK: u64 = 64 << 10;

/// The end of the last whole line, and the first byte of what comes after it, if anything does.
pub(super) fn whole_lines(file: &mut (impl Read + Seek)) -> io::Result<(u64, Option<u8>)> {
    let end = file.seek(SeekFrom::End(0))?;
    let mut chunk = Vec::new();
    let mut from = end;
    let mut after = None;
    while from > 0 {
        let start = from.saturating_sub(CHUNK);
        file.seek(SeekFrom::Start(start))?;
        chunk.clear();
        file.by_ref().take(from - start).read_to_end(&mut chunk)?;
        if let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
            let whole = start + at as u64 + 1;
            return Ok((whole, chunk.get(at + 1).copied().or(after)));
        }
        after = chunk.first().copied().or(after);
        from = start;
    }
    Ok((0, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    proptest! {
        /// Invariant: the whole lines end behind the last line feed, wherever the chunks are cut.
        #[test]
        fn the_last_line_feed_is_found(
            before in proptest::option::of(0..200_000usize), after in 0..200_000usize,
        ) {
            let mut bytes = before.map_or_else(Vec::new, |before| {
                let mut line = vec![b'a'; before];
                line.push(b'\n');
                line
            });
            let whole = bytes.len() as u64;
            if after > 0 {
                bytes.push(b'{');
                bytes.extend(vec![b'b'; after - 1]);
            }
            let found = whole_lines(&mut Cursor::new(bytes)).unwrap();
            prop_assert_eq!(found, (whole, (after > 0).then_some(b'{')));
        }
    }
}
