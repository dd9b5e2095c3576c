//! How do settings get their values from a tree, and all problems found in one pass?
//!
//! Every section lists its fields once, by name, and each is updated in place: what the file does
//! not mention keeps its default. A derived deserializer would end at the first error, and forgets
//! where it is inside of flattened and tagged parts, which sinks are made of; here a problem is
//! noted with its path and place, the field keeps its default, and reading goes on. As the
//! fields asked for are remembered, whatever else a mapping holds is unknown, and the name that
//! was probably meant can be told.
//!
//! That the list is complete is checked by the compiler (each section takes itself apart, naming
//! all its fields) and by a test against the schema.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::env::join;
use super::error::{Place, Problem, ProblemKind};
use super::origin::{Origin, Origins};
use super::secret::Secret;
use super::units::{ByteSize, Share, Span};
use super::yaml::{Entry, Node, Value};

/// A value that is written as one word or number.
pub(super) trait Leaf: Sized {
    /// Reads it, or says what it must be.
    fn read(text: &str) -> Result<Self, Cow<'static, str>>;
}

/// A group of settings, written as a mapping.
pub(super) trait Section {
    /// Reads every field.
    fn fields(&mut self, fields: &mut Fields<'_>);

    /// Reads the section from a word in place of a mapping; what it must be instead, if it cannot.
    fn word(&mut self, _word: &str) -> Result<&'static str, Cow<'static, str>> {
        Err("a mapping of settings".into())
    }
}

/// What reading found besides the values.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    pub(super) origins: Origins,
}

impl Findings {
    /// Reads `section` from `node`; an empty node leaves it as it is.
    pub(super) fn section(&mut self, path: &str, node: &Node, section: &mut impl Section) {
        match &node.value {
            Value::Map(entries) => {
                self.origin(path, node);
                let path = path.to_owned();
                let mut fields = Fields { findings: self, path, entries, known: Vec::new() };
                section.fields(&mut fields);
                fields.finish();
            }
            Value::Scalar { text, .. } if !node.is_null() => match section.word(text.trim()) {
                Ok(field) => self.origin(&join(path, field), node),
                Err(expected) => self.wrong(path, node, &expected),
            },
            Value::List(_) => self.wrong(path, node, "a mapping of settings"),
            Value::Scalar { .. } | Value::Broken => {}
        }
    }

    fn leaf<T: Leaf>(&mut self, path: &str, node: &Node) -> Option<T> {
        let text = match &node.value {
            Value::Scalar { text, .. } => text,
            Value::Broken => return None,
            Value::List(_) | Value::Map(_) => {
                self.wrong(path, node, "a single value");
                return None;
            }
        };
        match T::read(text.trim()) {
            Ok(_) if node.is_null() && !node.from_env => {
                self.wrong(path, node, "given a value, or removed to keep the default");
                None
            }
            Ok(value) => {
                self.origin(path, node);
                Some(value)
            }
            Err(expected) => {
                self.wrong(path, node, &expected);
                None
            }
        }
    }

    fn origin(&mut self, path: &str, node: &Node) {
        let origin = if node.from_env { Origin::Env } else { Origin::File };
        self.origins.note(path, origin, Some(node.place));
    }

    fn wrong(&mut self, path: &str, node: &Node, expected: &str) {
        let kind = ProblemKind::WrongType { found: node.describe(), expected: expected.to_owned() };
        self.problem(path, node.place, kind);
    }

    fn problem(&mut self, path: &str, place: Place, kind: ProblemKind) {
        self.problems.push(Problem { path: path.to_owned(), place: Some(place), kind });
    }
}

/// The fields of one mapping.
pub(super) struct Fields<'a> {
    findings: &'a mut Findings,
    path: String,
    entries: &'a [Entry],
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// A value that is always there.
    pub(super) fn leaf<T: Leaf>(&mut self, name: &'static str, into: &mut T) {
        if let Some((path, node)) = self.find(name)
            && let Some(value) = self.findings.leaf(&path, node)
        {
            *into = value;
        }
    }

    /// A value that may be absent: `null`, and a variable that is empty, say so.
    pub(super) fn optional<T: Leaf>(&mut self, name: &'static str, into: &mut Option<T>) {
        let Some((path, node)) = self.find(name) else { return };
        if node.is_null() {
            self.findings.origin(&path, node);
            *into = None;
        } else if let Some(value) = self.findings.leaf(&path, node) {
            *into = Some(value);
        }
    }

    /// A group of settings within this one.
    pub(super) fn section(&mut self, name: &'static str, into: &mut impl Section) {
        if let Some((path, node)) = self.find(name) {
            self.findings.section(&path, node, into);
        }
    }

    /// A group of settings that may be absent.
    pub(super) fn optional_section<T: Section + Default>(
        &mut self,
        name: &'static str,
        into: &mut Option<T>,
    ) {
        if let Some((path, node)) = self.find(name) {
            let mut section = T::default();
            self.findings.section(&path, node, &mut section);
            *into = (!node.is_null()).then_some(section);
        }
    }

    /// A list of values that may be absent.
    pub(super) fn optional_leaves<T: Leaf>(
        &mut self,
        name: &'static str,
        into: &mut Option<Vec<T>>,
    ) {
        let Some((path, node)) = self.find(name) else { return };
        match &node.value {
            Value::List(nodes) => {
                self.findings.origin(&path, node);
                let read = nodes.iter().enumerate();
                let values = read.filter_map(|(index, node)| {
                    self.findings.leaf(&format!("{path}[{index}]"), node)
                });
                *into = Some(values.collect());
            }
            Value::Broken => {}
            _ if node.is_null() => {
                self.findings.origin(&path, node);
                *into = None;
            }
            _ => self.findings.wrong(&path, node, "a list"),
        }
    }

    /// A list of groups, in place of the default list.
    pub(super) fn list<T: Section + Default>(&mut self, name: &'static str, into: &mut Vec<T>) {
        let Some((path, node)) = self.find(name) else { return };
        match &node.value {
            Value::List(nodes) => {
                self.findings.origin(&path, node);
                into.clear();
                for (index, node) in nodes.iter().enumerate() {
                    let mut section = T::default();
                    self.findings.section(&format!("{path}[{index}]"), node, &mut section);
                    into.push(section);
                }
            }
            Value::Broken => {}
            _ if node.is_null() => {}
            _ => self.findings.wrong(&path, node, "a list"),
        }
    }

    /// Groups by a name of the user's own, in place of the default ones.
    pub(super) fn named<T: Section + Default>(
        &mut self,
        name: &'static str,
        into: &mut BTreeMap<String, T>,
    ) {
        let Some((path, node)) = self.find(name) else { return };
        match &node.value {
            Value::Map(entries) => {
                self.findings.origin(&path, node);
                into.clear();
                for entry in entries {
                    let mut section = T::default();
                    let path = join(&path, &entry.key);
                    self.findings.origins.note(&path, Origin::File, Some(entry.place));
                    self.findings.section(&path, &entry.node, &mut section);
                    into.insert(entry.key.clone(), section);
                }
            }
            Value::Broken => {}
            _ if node.is_null() => {}
            _ => self.findings.wrong(&path, node, "a mapping of names to settings"),
        }
    }

    fn find(&mut self, name: &'static str) -> Option<(String, &'a Node)> {
        self.known.push(name);
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        Some((join(&self.path, name), &entry.node))
    }

    fn finish(self) {
        let Self { findings, path, entries, known } = self;
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let suggestion = nearest(&entry.key, known.iter().copied()).map(str::to_owned);
            let kind = ProblemKind::Unknown { suggestion, known: known.clone() };
            findings.problem(&join(&path, &entry.key), entry.place, kind);
        }
    }
}

/// The name among `known` that `typed` was probably meant to be.
pub(super) fn nearest<'n>(typed: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    /// Below it, two words have little in common (Jaro and Winkler, 0 to 1).
    const ALIKE_MIN: f64 = 0.8;
    // No setting's name is that long, and comparing costs the product of the lengths.
    let typed: String = typed.chars().take(64).collect::<String>().to_lowercase();
    known
        .map(|name| (strsim::jaro_winkler(&typed, name), name))
        .filter(|(alike, _)| *alike >= ALIKE_MIN)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}

/// Reads a word that must be one of a few.
pub(super) fn choice<T: Copy>(text: &str, choices: &[(&'static str, T)]) -> Result<T, String> {
    if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    let names = || choices.iter().map(|(name, _)| *name);
    let quoted: Vec<_> = names().map(|name| format!("`{name}`")).collect();
    Err(match (quoted.as_slice(), nearest(text, names())) {
        ([one], _) => one.clone(),
        (many, Some(meant)) => {
            format!("one of {} (did you mean `{meant}`?)", many.join(", "))
        }
        (many, None) => format!("one of {}", many.join(", ")),
    })
}

macro_rules! leaves {
    ($($type:ty: $form:expr;)*) => {$(
        impl Leaf for $type {
            fn read(text: &str) -> Result<Self, Cow<'static, str>> {
                text.parse().map_err(|_| $form.into())
            }
        }
    )*};
}

leaves! {
    u32: "a whole number, at most 4294967295";
    u64: "a whole number";
    usize: "a whole number";
    f64: "a number";
    ByteSize: ByteSize::FORM;
    Span: Span::FORM;
    Share: Share::FORM;
    bool: "`true` or `false`";
    SocketAddr: "an address and a port, like `127.0.0.1:8080` or `[::1]:8080`";
}

impl Leaf for String {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        Ok(text.to_owned())
    }
}

impl Leaf for PathBuf {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        match text {
            "" => Err("a path".into()),
            _ if text.contains('\0') => Err("a path, which has no NUL".into()),
            _ => Ok(text.into()),
        }
    }
}

impl Leaf for Secret {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        Ok(Self::new(text))
    }
}
