//! What may others rely on? The public items of the crate, as a list in the tree.
//!
//! `surface.txt` is what was agreed: a change of it is a change that users see, and shows in review.
//! After one that is meant, `UPDATE=1 cargo test -p tidegate --test surface` writes it anew. The
//! sources are read as rustfmt leaves them, so no compiler's internals are needed.
#![allow(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Folders whose items have their examples in the module that uses them: controllers and guards are
/// set up by name, and the parts of the engine are shown together.
const SHOWN_ELSEWHERE: [&str; 3] = ["control/", "engine/", "guard/"];

/// A public item.
struct Item {
    /// The declaration, on one line.
    declared: String,
    /// Whether its own documentation has an example.
    shown: bool,
    /// The name of the type whose `impl` it stands in.
    owner: Option<String>,
}

impl Item {
    /// Whether it declares something of this name by itself.
    fn declares(&self, name: &str) -> bool {
        let mut words = self.declared.split([' ', '<', '(', ':', '{']);
        self.owner.is_none() && words.any(|word| word == name)
    }

    fn is_type(&self) -> bool {
        ["pub struct", "pub enum"].iter().any(|start| self.declared.starts_with(start))
    }

    fn is_field(&self) -> bool {
        let name = self.declared.split(' ').nth(1);
        self.owner.is_none() && name.is_some_and(|name| name.ends_with(':'))
    }

    fn is_path(&self) -> bool {
        ["pub use", "pub mod"].iter().any(|start| self.declared.starts_with(start))
    }
}

struct Source {
    name: String,
    /// Whether the documentation of the module has an example.
    shown: bool,
    items: Vec<Item>,
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// The lines of a file up to its own tests.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let mut cfg_test = false;
    text.lines().take_while(move |line| {
        let tests = cfg_test && line.starts_with("mod ") && line.ends_with('{');
        cfg_test = *line == "#[cfg(test)]";
        !tests
    })
}

/// The type that an `impl` block is for.
fn owner(line: &str) -> Option<String> {
    let block = line.strip_prefix("impl")?;
    let subject = match block.rsplit_once(" for ") {
        Some((_, subject)) => subject,
        None => block.trim_start_matches(|c| c != ' ').trim_start(),
    };
    Some(subject.split(['<', ' ', '{']).next()?.to_owned())
}

fn read(root: &Path, path: &Path) -> Source {
    let text = std::fs::read_to_string(path).unwrap();
    let (mut items, mut shown, mut attribute) = (Vec::new(), false, false);
    let (mut owned, mut open) = (None, None::<String>);
    for line in code(&text) {
        let trimmed = line.trim();
        if let Some(declared) = &mut open {
            declared.push(' ');
            declared.push_str(trimmed);
        } else if attribute {
            attribute = !trimmed.ends_with(")]");
        } else if trimmed.starts_with("#[") {
            attribute = !trimmed.ends_with(']');
        } else if trimmed.starts_with("pub ") {
            open = Some(trimmed.to_owned());
        } else if let Some(doc) = trimmed.strip_prefix("///") {
            shown |= doc.contains("```");
        } else {
            shown = false;
            if line.starts_with("impl") {
                owned = owner(line);
            }
        }
        if line == "}" {
            owned = None;
        }
        if let Some(declared) = open.take_if(|declared| declared.ends_with(['{', ';', ',', '}'])) {
            let declared = declared.trim_end_matches(['{', ',', ';']).trim_end().to_owned();
            items.push(Item { declared, shown: std::mem::take(&mut shown), owner: owned.clone() });
        }
    }
    let shown = text.lines().any(|line| line.starts_with("//!") && line.contains("```"));
    Source { name: path.strip_prefix(root).unwrap().display().to_string(), shown, items }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    paths.sort();
    let is_test = |path: &&PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("tests") || name == "races.rs"
    };
    paths.iter().filter(|path| !is_test(path)).map(|path| read(&root, path)).collect()
}

#[test]
fn the_surface_is_as_agreed() {
    let mut surface = String::new();
    for source in sources() {
        for item in source.items {
            let owner = item.owner.map(|owner| format!("{owner}: ")).unwrap_or_default();
            writeln!(surface, "{}: {owner}{}", source.name, item.declared).unwrap();
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/surface.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &surface).unwrap();
    }
    let agreed = std::fs::read_to_string(&path).unwrap_or_default();
    let new = surface.lines().filter(|line| !agreed.lines().any(|other| other == *line));
    let gone = agreed.lines().filter(|line| !surface.lines().any(|other| other == *line));
    let (new, gone): (Vec<_>, Vec<_>) = (new.collect(), gone.collect());
    assert!(
        new.is_empty() && gone.is_empty(),
        "the public surface changed; if that is meant: UPDATE=1 cargo test -p tidegate --test \
         surface\nnew: {new:#?}\ngone: {gone:#?}"
    );
}

/// Invariant: every public item has an example: in its own documentation, in that of the type it
/// belongs to, or in that of its module.
#[test]
fn every_public_item_has_an_example() {
    let mut without = Vec::new();
    let held = |source: &Source| {
        !source.shown && !SHOWN_ELSEWHERE.iter().any(|folder| source.name.starts_with(folder))
    };
    for source in sources().iter().filter(|source| held(source)) {
        let mut type_shown = false;
        for item in &source.items {
            if item.is_type() {
                type_shown = item.shown;
            }
            let by_owner = item.owner.as_deref().is_some_and(|owner| {
                let mut own = source.items.iter().filter(|item| item.declares(owner)).peekable();
                // A type that is declared elsewhere is held to that file.
                own.peek().is_none() || own.any(|own| own.shown)
            });
            if !(item.shown || by_owner || item.is_path() || (item.is_field() && type_shown)) {
                without.push(format!("{}: {}", source.name, item.declared));
            }
        }
    }
    assert!(without.is_empty(), "public items without an example: {without:#?}");
}
