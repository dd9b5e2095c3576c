//! How is a body of lines read? One by one, so that a bad line is its own trouble only.

use std::borrow::Cow;

use super::draft::Draft;
use super::error::{ParseError, Place, Reason};
use super::object::{self, Fault};
use super::{Format, Run};
use crate::scrub;

/// What stands before the text of some Windows programs.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One line, without its end.
struct Line<'b> {
    number: u64,
    /// Where it begins in the body.
    start: usize,
    bytes: &'b [u8],
}

/// The lines of a body. The last may lack its end; a `\r` before an end belongs to it.
struct Lines<'b> {
    body: &'b [u8],
    next: usize,
    number: u64,
}

impl<'b> Iterator for Lines<'b> {
    type Item = Line<'b>;

    fn next(&mut self) -> Option<Line<'b>> {
        let start = self.next;
        let rest = self.body.get(start..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.next = start + length + 1;
        self.number += 1;
        let bytes = rest.get(..length)?;
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        Some(Line { number: self.number, start, bytes })
    }
}

/// Reads a body of JSON lines or of plain ones.
///
/// # Errors
///
/// [`ParseError::TooMany`]; bad lines are noted in the run.
pub(super) fn read(run: &mut Run<'_>, body: &[u8], format: Format) -> Result<(), ParseError> {
    let mark = if body.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    // Checked at once, since that is faster; only a body with a fault is checked line by line.
    let text = std::str::from_utf8(body).ok();
    let scrub = scrub::may_need(body);
    for line in (Lines { body, next: mark, number: 0 }) {
        let blank = match format {
            Format::Text => line.bytes.is_empty(),
            _ => object::blank(line.bytes) == line.bytes.len(),
        };
        if blank {
            continue;
        }
        run.admit()?;
        let end = line.start + line.bytes.len();
        let taken = match text.and_then(|text| text.get(line.start..end)) {
            Some(text) => Ok(text),
            None => std::str::from_utf8(line.bytes).map_err(|error| {
                let offset = line.start + error.valid_up_to();
                let byte = body.get(offset).copied().unwrap_or(0);
                (None, Reason::NotUtf8 { offset: offset as u64, byte })
            }),
        };
        let taken = taken.and_then(|text| match format {
            Format::Text => plain(run, text, scrub),
            _ => object(run, text, scrub),
        });
        if let Err((column, reason)) = taken {
            run.reject(Place::Line(line.number), column, reason);
        }
    }
    Ok(())
}

fn too_long(run: &Run<'_>, text: &str) -> Result<(), (Option<u64>, Reason)> {
    let (bytes, max) = (text.len(), run.options.limits.event_bytes_max);
    if bytes > max { Err((None, Reason::TooLong { bytes, max })) } else { Ok(()) }
}

fn plain(run: &mut Run<'_>, text: &str, scrub: bool) -> Result<(), (Option<u64>, Reason)> {
    too_long(run, text)?;
    let (text, replaced) = if scrub { scrub::plain(text) } else { (Cow::Borrowed(text), 0) };
    run.accept_text(&text).map_err(|error| (None, error.into()))?;
    run.replaced += replaced;
    Ok(())
}

fn object(run: &mut Run<'_>, text: &str, scrub: bool) -> Result<(), (Option<u64>, Reason)> {
    too_long(run, text)?;
    let (text, replaced) = if scrub { scrub::json(text) } else { (Cow::Borrowed(text), 0) };
    let at = |fault: Fault| (Some(fault.column as u64), fault.reason);
    let first = text.as_bytes().get(object::blank(text.as_bytes())).copied().unwrap_or(0);
    if first != b'{' {
        let end = object::skip(&text).map_err(at)?;
        nothing_after(&text, end)?;
        return Err((None, Reason::NotAnObject { found: object::kind(first) }));
    }
    let mut draft = Draft::default();
    let end =
        object::read(&text, run.options.limits.depth_max, run.scratch, &mut draft).map_err(at)?;
    nothing_after(&text, end)?;
    run.accept(&draft).map_err(|error| (None, error.into()))?;
    run.replaced += replaced;
    Ok(())
}

/// Makes sure that one value is all the line holds.
fn nothing_after(text: &str, end: usize) -> Result<(), (Option<u64>, Reason)> {
    let rest = text.get(end..).unwrap_or_default();
    let blank = object::blank(rest.as_bytes());
    if blank == rest.len() {
        return Ok(());
    }
    let detail = "more after the first value: put each event on a line of its own".to_owned();
    Err((Some((end + blank + 1) as u64), Reason::Syntax { detail }))
}
