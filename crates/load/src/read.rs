//! Where does a line end, when lines may be endless and more may come later?
//!
//! At a line feed, or for our purposes at [`MAX_LINE`]: the rest of such a line is read past
//! without being kept, so that memory is bounded whatever the file.

use std::io::{self, BufRead, BufReader, Read};

use crate::lines::MAX_LINE;

/// Whether a whole line can be had without waiting.
pub(crate) fn has_line<R: Read>(source: &BufReader<R>) -> bool {
    source.buffer().contains(&b'\n')
}

/// Reads one line without its line end, at most [`MAX_LINE`] bytes of it, and says whether there
/// was more; `None` at the end.
pub(crate) fn read_line(source: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let (mut any, mut cut) = (false, false);
    loop {
        let bytes = match source.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            bytes => bytes?,
        };
        if bytes.is_empty() {
            return Ok(any.then_some(cut));
        }
        any = true;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or(bytes);
        let room = MAX_LINE - line.len();
        cut |= part.len() > room;
        line.extend_from_slice(part.get(..room).unwrap_or(part));
        let used = part.len() + usize::from(end.is_some());
        source.consume(used);
        if end.is_some() {
            return Ok(Some(cut));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_line_ends_and_at_the_bound() {
        let long = "x".repeat(MAX_LINE);
        let text = format!("a\n\nb\r\n{long}\n{long}yz\nlast");
        for capacity in [1, 7, 1 << 16] {
            let mut source = BufReader::with_capacity(capacity, text.as_bytes());
            let mut lines = Vec::new();
            let mut line = Vec::new();
            while let Some(cut) = read_line(&mut source, &mut line).unwrap() {
                lines.push((String::from_utf8(line.clone()).unwrap(), cut));
            }
            let expected = [
                ("a", false),
                ("", false),
                ("b\r", false),
                (&long, false),
                (&long, true),
                ("last", false),
            ];
            assert_eq!(lines.len(), expected.len());
            for ((line, cut), (expected, expected_cut)) in lines.iter().zip(expected) {
                assert_eq!((line.as_str(), *cut), (expected, expected_cut));
            }
        }
    }
}
