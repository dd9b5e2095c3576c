//! How does a text become a tree in which every value knows where it stands?
//!
//! Scalars stay text: whether `5` is a number, a size or a name is for the setting to say, not for
//! the notation, so a token of digits keeps its leading zero. Whatever makes a configuration mean
//! something else than it seems to is refused: keys given twice, anchors and aliases (and with
//! them texts that unfold into gigabytes), tags, more than one document. JSON is YAML, so a JSON
//! file is read too.

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError};

use super::error::{Place, shown};

/// Deeper than any setting; a text that nests deeper is no configuration.
const DEPTH_MAX: usize = 16;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
    /// Whether some of it came from the environment.
    pub(super) from_env: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A text, and whether it was written without quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// A value whose problem is reported already.
    Broken,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) node: Node,
}

impl Node {
    /// Whether it says that there is no value: nothing, `~` or `null`, unquoted or from a variable
    /// (whose quotes may only be there for the braces around it).
    pub(super) fn is_null(&self) -> bool {
        match &self.value {
            Value::Scalar { text, plain } if *plain || self.from_env => {
                matches!(text.trim(), "" | "~" | "null" | "Null" | "NULL")
            }
            _ => false,
        }
    }

    /// What it is, in a message.
    pub(super) fn describe(&self) -> String {
        match &self.value {
            Value::Scalar { .. } if self.is_null() => "empty".to_owned(),
            Value::Scalar { text, .. } => shown(text),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
            Value::Broken => "not readable".to_owned(),
        }
    }
}

/// Why a text is not a tree.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SyntaxError {
    pub(super) place: Place,
    pub(super) message: String,
}

impl SyntaxError {
    pub(super) fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into() }
    }
}

fn explained(error: &ScanError, text: &str) -> SyntaxError {
    let place = place(error.marker());
    let mut message = format!("not valid YAML: {}", error.info());
    let line = text.lines().nth(place.line.saturating_sub(1)).unwrap_or_default();
    if line.contains("${") {
        message.push_str("; within braces or brackets, write \"${NAME}\" in quotes");
    }
    SyntaxError::new(place, message)
}

fn place(mark: &granit_parser::Marker) -> Place {
    Place { line: mark.line(), column: mark.col() + 1 }
}

/// Reads the one document of `text`; `None` if it has none (nothing but comments).
pub(super) fn parse(text: &str) -> Result<Option<Node>, SyntaxError> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = DEPTH_MAX;
    options.block_nesting_limit = DEPTH_MAX;
    options.disallow_directives = true;
    let mut tree = Tree::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| explained(&error, text))?;
        tree.take(event, place(&span.start))?;
    }
    Ok(tree.root)
}

/// A collection that is not closed yet.
enum Open {
    List(Place, Vec<Node>),
    Map(Place, Vec<Entry>, Option<(String, Place)>),
}

#[derive(Default)]
struct Tree {
    root: Option<Node>,
    open: Vec<Open>,
}

impl Tree {
    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), SyntaxError> {
        if event.anchor_id().is_some_and(|id| id != 0) || matches!(event, Event::Alias(_)) {
            let message = "anchors and aliases are not supported: write the value out";
            return Err(SyntaxError::new(place, message));
        }
        match event {
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, _, Some(_))
            | Event::MappingStart(_, _, Some(_)) => {
                Err(SyntaxError::new(place, "tags are not supported: remove the word with `!`"))
            }
            Event::Scalar(text, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                self.put(place, Value::Scalar { text: text.into_owned(), plain })
            }
            Event::SequenceStart(..) => self.begin(Open::List(place, Vec::new()), place),
            Event::MappingStart(..) => self.begin(Open::Map(place, Vec::new(), None), place),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(at, nodes)) => self.put(at, Value::List(nodes)),
                Some(Open::Map(at, entries, _)) => self.put(at, Value::Map(entries)),
                None => Ok(()),
            },
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(SyntaxError::new(place, "a second document begins here: keep one"))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, open: Open, place: Place) -> Result<(), SyntaxError> {
        if self.open.len() >= DEPTH_MAX {
            let message = format!("nested deeper than {DEPTH_MAX} levels: no setting is so deep");
            return Err(SyntaxError::new(place, message));
        }
        if let Some(Open::Map(_, _, None)) = self.open.last() {
            return Err(SyntaxError::new(place, "a key must be a word, not a list or a mapping"));
        }
        self.open.push(open);
        Ok(())
    }

    /// Puts a finished value where it belongs: into the innermost open collection.
    fn put(&mut self, place: Place, value: Value) -> Result<(), SyntaxError> {
        let node = Node { place, value, from_env: false };
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, nodes)) => nodes.push(node),
            Some(Open::Map(_, entries, waiting)) => match (waiting.take(), node.value) {
                (Some((key, at)), value) => {
                    entries.push(Entry { key, place: at, node: Node { value, ..node_at(place) } });
                }
                (None, Value::Scalar { text, .. }) => {
                    if let Some(first) = entries.iter().find(|entry| entry.key == text) {
                        let message = format!(
                            "`{}` is given twice, first in line {}: remove one",
                            shown(&text),
                            first.place.line
                        );
                        return Err(SyntaxError::new(place, message));
                    }
                    *waiting = Some((text, place));
                }
                (None, _) => {
                    return Err(SyntaxError::new(place, "a key must be a word"));
                }
            },
        }
        Ok(())
    }
}

fn node_at(place: Place) -> Node {
    Node { place, value: Value::Broken, from_env: false }
}
