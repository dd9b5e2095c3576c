//! How do the fields of an event become columns of a table that somebody else made?
//!
//! By a list of columns, each with the field it takes its value from. The list knows no database:
//! a sink matches it with what its catalogue says of the table, and turns a [`Value`] into what
//! the column takes.
//!
//! | question | module |
//! |---|---|
//! | Which fields are there, and what do they hold? | [`field`] |
//! | How does a value become a number, a time, an id? | [`value`] |
//! | Where in an object is a member? | `json` |

pub mod field;
mod json;
pub mod value;

use std::collections::BTreeSet;

use tidegate::SettingError;

pub use field::{Field, FieldError, Item, Nature};
pub use value::{Misfit, Value};

/// Which table takes the events, and how.
///
/// ```
/// use tidegate_sinks::mapping::{Column, Conflict, ConflictAction, Mapping};
///
/// let mapping = Mapping {
///     table: "app.requests".to_owned(),
///     columns: vec![
///         Column::new("at", "timestamp")?,
///         Column::new("status", "attributes.http.status")?,
///         Column::new("id", "attributes.request_id")?,
///     ],
///     conflict: Some(Conflict { key: vec!["id".to_owned()], action: ConflictAction::Update }),
/// };
/// assert!(mapping.validate().is_ok());
/// # Ok::<(), tidegate_sinks::mapping::FieldError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The table, with its schema before a dot if that is not the first in the search path.
    pub table: String,
    /// The columns that get values, 1 to 200; all others get their defaults.
    pub columns: Vec<Column>,
    /// What happens to a row whose key is there already; without it the batch is refused.
    pub conflict: Option<Conflict>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name in the table, as the catalogue has it.
    pub name: String,
    /// Where its value comes from.
    pub field: Field,
}

impl Column {
    /// The column of this name with the field of that name.
    ///
    /// # Errors
    ///
    /// [`FieldError`] when there is no such field.
    pub fn new(name: &str, field: &str) -> Result<Self, FieldError> {
        Ok(Self { name: name.to_owned(), field: field.parse()? })
    }
}

/// What happens to a row whose key is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The columns of the key; the table needs a unique index on exactly these.
    pub key: Vec<String>,
    /// What happens.
    pub action: ConflictAction,
}

/// What happens to a row whose key is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictAction {
    /// The new row takes the place of the old one, in the columns that are mapped. Of several
    /// rows of a batch the last one stays; across batches that are in flight together, either.
    Update,
    /// The old row stays.
    Nothing,
}

/// Most columns of a mapping.
const COLUMNS_MAX: usize = 200;

impl Mapping {
    /// Checks what can be checked without the table.
    ///
    /// # Errors
    ///
    /// [`SettingError`] with the field, its value and its bound.
    pub fn validate(&self) -> Result<(), SettingError> {
        if self.table.is_empty() || self.table.contains('\0') {
            return Err(SettingError::new("mapping.table", &self.table, "the name of a table"));
        }
        let count = self.columns.len();
        if !(1..=COLUMNS_MAX).contains(&count) {
            let bound = format!("between 1 and {COLUMNS_MAX} columns");
            return Err(SettingError::new("mapping.columns", count, bound));
        }
        let mut seen = BTreeSet::new();
        for column in &self.columns {
            if column.name.is_empty() || column.name.contains('\0') {
                let bound = "the name of a column";
                return Err(SettingError::new("mapping.columns", &column.name, bound));
            }
            if !seen.insert(&column.name) {
                let bound = "mapped once: remove the other, or this one";
                return Err(SettingError::new("mapping.columns", &column.name, bound));
            }
        }
        let Some(conflict) = &self.conflict else { return Ok(()) };
        if conflict.key.is_empty() {
            let bound = "at least one mapped column";
            return Err(SettingError::new("mapping.conflict.key", "empty", bound));
        }
        match conflict.key.iter().find(|column| !seen.contains(column)) {
            None => Ok(()),
            Some(stray) => {
                let bound = "a column that is mapped";
                Err(SettingError::new("mapping.conflict.key", stray, bound))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping() -> Mapping {
        Mapping {
            table: "t".to_owned(),
            columns: vec![Column::new("a", "body").unwrap(), Column::new("b", "class").unwrap()],
            conflict: None,
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_field_value_and_bound() {
        let refusal = |change: fn(&mut Mapping)| {
            let mut mapping = mapping();
            assert_eq!(mapping.validate(), Ok(()));
            change(&mut mapping);
            mapping.validate().unwrap_err().to_string()
        };
        let nothing = ConflictAction::Nothing;
        for (said, expected) in [
            (refusal(|m| m.table.clear()), "mapping.table is , but must be the name of a table"),
            (
                refusal(|m| m.columns.clear()),
                "mapping.columns is 0, but must be between 1 and 200 columns",
            ),
            (
                refusal(|m| m.columns[1].name = "a".to_owned()),
                "mapping.columns is a, but must be mapped once: remove the other, or this one",
            ),
        ] {
            assert_eq!(said, expected);
        }
        let with_key = |key: Vec<String>| Mapping {
            conflict: Some(Conflict { key, action: nothing }),
            ..mapping()
        };
        assert_eq!(
            with_key(vec!["c".to_owned()]).validate().unwrap_err().to_string(),
            "mapping.conflict.key is c, but must be a column that is mapped"
        );
        assert!(with_key(vec![]).validate().is_err());
        assert_eq!(with_key(vec!["b".to_owned()]).validate(), Ok(()));
    }
}
