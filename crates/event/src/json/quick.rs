//! How is an object read when it is as most of them are?
//!
//! In one pass of our own over the text: the [scanner](super::scan) finds where each value ends and
//! checks it on the way. A name with escapes, a broken object, one beyond a bound: whatever is not
//! plain is left to the [plain parser](super::object), which reads the object again from its
//! beginning, so that there is one place where errors are made and one judge of what JSON is. It
//! costs the members of a log line about half of what the plain parser does.

use super::alias::{self, Field};
use super::draft::{Draft, Scratch};
use super::scan;

/// Reads the object at the start of `text` into an empty draft, and returns where it ends; `None`
/// if the plain parser has to read it. Then draft and scratch hold anything.
pub(super) fn read<'de>(
    text: &'de str,
    depth_max: u32,
    scratch: &mut Scratch,
    draft: &mut Draft<'de>,
) -> Option<usize> {
    let at = scan::blank(text.as_bytes(), 0);
    Reader { text, depth_max, scratch, draft }.object(at)
}

struct Reader<'s, 'de> {
    text: &'de str,
    depth_max: u32,
    scratch: &'s mut Scratch,
    draft: &'s mut Draft<'de>,
}

/// A member as it stands in the text.
struct Member<'de> {
    /// Where its name begins, the quote included.
    start: usize,
    name: &'de str,
    /// Where its value begins.
    value: usize,
}

impl<'de> Reader<'_, 'de> {
    /// The event itself.
    #[inline]
    fn object(&mut self, at: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut next = self.open(at)?;
        while let Some(start) = next {
            self.copy_attributes();
            let member = self.member(start)?;
            let end = match alias::find(member.name) {
                None => self.attribute(&member, 1)?,
                Some(alias)
                    if alias.field == Field::Attributes
                        && bytes.get(member.value) == Some(&b'{') =>
                {
                    self.attributes(member.value)?
                }
                Some(alias) => {
                    let end = scan::value(self.text, member.value, 1, self.depth_max)?;
                    let raw = self.text.get(member.value..end)?;
                    let Scratch { attributes, name, .. } = &mut *self.scratch;
                    self.draft.place(alias, raw, attributes, name);
                    end
                }
            };
            match self.after(end)? {
                After::Member(start) => next = Some(start),
                After::End(end) => return Some(end),
            }
        }
        Some(scan::blank(bytes, at + 1) + 1)
    }

    /// The members of an `attributes` object, which join the event's. If it is written without
    /// blanks between them and is all that the event has, it is taken as it stands.
    fn attributes(&mut self, at: usize) -> Option<usize> {
        if self.depth_max < 2 {
            return None;
        }
        let Some(mut start) = self.open(at)? else {
            return Some(scan::blank(self.text.as_bytes(), at + 1) + 1);
        };
        let object = self.text.get(at..)?;
        let (mut copies, mut before) = (start != at + 1 || !self.scratch.attributes.is_empty(), at);
        loop {
            let member = self.member(start)?;
            let attributes = &mut self.scratch.attributes;
            if !copies && !attributes.note_ahead(object, start + 1 - at, member.name) {
                attributes.begin_with(self.text.get(at..before)?);
                copies = true;
            }
            let end = match copies {
                true => self.attribute(&member, 2)?,
                false => scan::value(self.text, member.value, 2, self.depth_max)?,
            };
            before = end;
            let after = self.after(end)?;
            let (After::Member(next) | After::End(next)) = after;
            if !copies && next != end + 1 {
                self.scratch.attributes.begin_with(self.text.get(at..end)?);
                copies = true;
            }
            match after {
                After::Member(next) => start = next,
                After::End(end) => {
                    self.draft.attributes = if copies { None } else { self.text.get(at..end) };
                    return Some(end);
                }
            }
        }
    }

    /// More members follow: the attributes that were taken as they stand are copied after all.
    fn copy_attributes(&mut self) {
        if let Some(object) = self.draft.attributes.take() {
            self.scratch.attributes.begin_with(object.strip_suffix('}').unwrap_or(object));
        }
    }

    /// Where the first member of the object at `at` begins, if it has one.
    #[inline]
    fn open(&self, at: usize) -> Option<Option<usize>> {
        let bytes = self.text.as_bytes();
        if bytes.get(at) != Some(&b'{') {
            return None;
        }
        let first = scan::blank(bytes, at + 1);
        Some((bytes.get(first) != Some(&b'}')).then_some(first))
    }

    /// The name of the member at `start`, unless there are escapes in it.
    #[inline]
    fn member(&self, start: usize) -> Option<Member<'de>> {
        let bytes = self.text.as_bytes();
        if bytes.get(start) != Some(&b'"') {
            return None;
        }
        let found = scan::string(bytes, start + 1)?;
        if found.is_escaped {
            return None;
        }
        let name = self.text.get(start + 1..found.end)?;
        Some(Member { start, name, value: scan::colon(bytes, found.end + 1)? })
    }

    /// Copies a member into the attributes.
    #[inline]
    fn attribute(&mut self, member: &Member<'de>, level: u32) -> Option<usize> {
        let end = scan::value(self.text, member.value, level, self.depth_max)?;
        let whole = self.text.get(member.start..end)?;
        let raw = self.text.get(member.value..end)?;
        self.scratch.attributes.push_member(whole, member.name, raw);
        Some(end)
    }

    /// What follows a member that ends at `at`.
    #[inline]
    fn after(&self, at: usize) -> Option<After> {
        let bytes = self.text.as_bytes();
        let at = scan::blank(bytes, at);
        match bytes.get(at)? {
            b',' => Some(After::Member(scan::blank(bytes, at + 1))),
            b'}' => Some(After::End(at + 1)),
            _ => None,
        }
    }
}

#[derive(Clone, Copy)]
enum After {
    /// Another member, which begins here.
    Member(usize),
    /// The object's end: where what follows it begins.
    End(usize),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::draft::Defaults;
    use super::super::object;
    use super::*;

    const DEFAULTS: Defaults<'_> = Defaults { observed: 7, service: "s", class: "c" };

    /// Members of an event, some of them wrong in a way that only one of the two may notice.
    fn members() -> impl Strategy<Value = String> {
        let name = proptest::sample::select(vec![
            "timestamp",
            "ts",
            "severity",
            "level",
            "severity_number",
            "service",
            "body",
            "msg",
            "log",
            "trace_id",
            "attributes",
            "a",
            "b",
            "a#2",
            "",
            "é",
            "\\u0061",
            "t\\ts",
        ]);
        let value = proptest::sample::select(vec![
            "1",
            "-0.5e3",
            "1700000000",
            "01",
            "1.",
            "\"x\"",
            "\"a\\nb\"",
            "\"\\ud83d\\ude00\"",
            "\"\\q\"",
            "null",
            "true",
            "nil",
            "{}",
            "{ \"a\" : 1 , \"b\":[2] }",
            "{\"a\":{\"b\":1}}",
            "{\"a\":1,}",
            "[1,2]",
            "[",
            "{\"c\":1,\"c\":2,\"ts\":3}",
            "\"2025-11-05T09:30:00Z\"",
            "\"000102030405060708090a0b0c0d0e0f\"",
            "1e99999999",
            "[[[[[[1]]]]]]",
            "\"\u{1}\"",
        ]);
        let gap = proptest::sample::select(vec!["", "", "", " ", "\t\n"]);
        let member = (name, gap.clone(), value, gap)
            .prop_map(|(name, before, value, after)| format!("\"{name}\"{before}:{after}{value}"));
        proptest::collection::vec(member, 0..7).prop_map(|members| members.join(","))
    }

    proptest! {
        /// Invariant: what is read quickly is the event that the plain parser reads, to its last
        /// byte, and ends where it ends there.
        #[test]
        fn both_read_the_same_event(
            members in members(), around in proptest::sample::select(vec![("{", "}"), (" {\n", " } ,"), ("{", "")]),
            depth_max in 1..7u32,
        ) {
            let text = format!("{}{members}{}", around.0, around.1);
            let (mut scratch, mut draft) = (Scratch::default(), Draft::default());
            if let Some(end) = read(&text, depth_max, &mut scratch, &mut draft) {
                let event = draft.finish(&mut scratch, DEFAULTS);
                let (mut scratch, mut draft) = (Scratch::default(), Draft::default());
                let plain = object::plain(&text, depth_max, &mut scratch, &mut draft);
                prop_assert_eq!(plain.ok(), Some(end), "{}", text);
                prop_assert_eq!(event, draft.finish(&mut scratch, DEFAULTS), "{}", text);
            }
        }
    }

    #[test]
    fn an_ordinary_event_is_read_quickly() {
        let (mut scratch, mut draft) = (Scratch::default(), Draft::default());
        let text = r#"{"ts":"2025-11-05T09:30:00Z","level":"info","msg":"a \"b\"","n":[1,{"x":null}],
                       "attributes":{"run":"r","seq":   7}}"#;
        assert_eq!(read(text, 64, &mut scratch, &mut draft), Some(text.len()));
        let event = draft.finish(&mut scratch, DEFAULTS);
        assert_eq!(event.attributes, r#"{"n":[1,{"x":null}],"run":"r","seq":   7}"#);
        assert_eq!(event.severity_text, "info");
    }
}
