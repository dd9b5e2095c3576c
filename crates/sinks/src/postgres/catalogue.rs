//! What does the catalogue say of a table, and does a mapping fit it?
//!
//! Everything that does not fit is found before anything is said, so that nobody has to start the
//! server once for each mistake.

use std::collections::BTreeSet;

use tokio_postgres::Client;

use super::schema::quoted;
use super::trouble::Trouble;
use super::types::Kind;
use crate::mapping::{Column, ConflictAction, Mapping};

/// A table as the catalogue has it.
#[derive(Debug)]
pub(super) struct Table {
    /// Its name without the schema, as the server's messages give it.
    pub(super) name: String,
    /// Schema and name, quoted.
    pub(super) path: String,
    columns: Vec<Found>,
    /// The columns of every unique index that always holds, sorted.
    keys: Vec<(String, BTreeSet<String>)>,
}

/// A column as the catalogue has it.
#[derive(Debug, Clone)]
struct Found {
    name: String,
    /// The type as the user writes it.
    written: String,
    kind: Option<Kind>,
    /// Whether a row without a value for it is refused.
    is_needed: bool,
    /// Why it takes no value, if so.
    closed: Option<&'static str>,
    may_insert: bool,
    may_update: bool,
}

/// A mapped column with its type.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) column: Column,
    pub(super) kind: Kind,
    /// The type as a cast needs it.
    pub(super) written: String,
}

const FIND: &str = "
    SELECT c.oid, c.relname::text, n.nspname::text, c.relkind::text,
           c.relrowsecurity AND NOT pg_has_role(c.relowner, 'MEMBER')
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = pg_catalog.to_regclass($1)";
/// Domains are looked through: a value is sent in the form of the type below.
const COLUMNS: &str = "
    WITH RECURSIVE base (attnum, oid) AS (
        SELECT attnum, atttypid FROM pg_catalog.pg_attribute
        WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
        UNION ALL
        SELECT base.attnum, t.typbasetype FROM base JOIN pg_catalog.pg_type t USING (oid)
        WHERE t.typtype = 'd')
    SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), t.typname::text,
           t.typtype = 'e', a.attnotnull AND NOT a.atthasdef AND a.attidentity = '',
           a.attgenerated <> '', a.attidentity = 'a',
           pg_catalog.has_column_privilege($1, a.attnum, 'INSERT'),
           pg_catalog.has_column_privilege($1, a.attnum, 'UPDATE')
    FROM pg_catalog.pg_attribute a
    JOIN base ON base.attnum = a.attnum
    JOIN pg_catalog.pg_type t ON t.oid = base.oid AND t.typtype <> 'd'
    WHERE a.attrelid = $1
    ORDER BY a.attnum";
const KEYS: &str = "
    SELECT c.relname::text,
           (SELECT array_agg(a.attname::text) FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[]))
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate
      AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnatts = i.indnkeyatts";

/// Reads the table that `name` names, quoted where it has to be.
pub(super) async fn read(client: &Client, name: &str) -> Result<Table, Trouble> {
    let unusable = |why: String| Trouble::Unusable(why);
    let found = client.query_opt(FIND, &[&name]).await?.ok_or_else(|| {
        unusable(format!(
            "there is no table {name}. Create it, or correct the mapping; a table that is not in \
             the search path needs its schema before a dot"
        ))
    })?;
    let (oid, table, schema): (u32, String, String) = (found.get(0), found.get(1), found.get(2));
    let relation: String = found.get(3);
    if !["r", "p", "f"].contains(&relation.as_str()) {
        return Err(unusable(format!("{name} is no table. Map the table itself")));
    }
    if found.get(4) {
        return Err(unusable(format!(
            "{name} has row-level security, which COPY cannot pass. Give this user BYPASSRLS, or \
             another table"
        )));
    }
    let rows = client.query(COLUMNS, &[&oid]).await?;
    let columns = rows.iter().map(|row| Found {
        name: row.get(0),
        written: row.get(1),
        kind: Kind::of(row.get(2), row.get(3)),
        is_needed: row.get(4),
        closed: match (row.get(5), row.get(6)) {
            (true, _) => Some("is generated: remove it from the mapping"),
            (_, true) => Some("is GENERATED ALWAYS AS IDENTITY: remove it from the mapping"),
            _ => None,
        },
        may_insert: row.get(7),
        may_update: row.get(8),
    });
    let columns = columns.collect();
    let keys = client.query(KEYS, &[&oid]).await?;
    let keys =
        keys.iter().map(|row| (row.get(0), row.get::<_, Vec<String>>(1).into_iter().collect()));
    let path = format!("{}.{}", quoted(&schema), quoted(&table));
    Ok(Table { name: table, path, columns, keys: keys.collect() })
}

impl Table {
    /// The name of the unique index on exactly these columns.
    pub(super) fn key(&self, columns: &[&str]) -> Option<&str> {
        let wanted: BTreeSet<String> = columns.iter().map(ToString::to_string).collect();
        self.keys.iter().find(|(_, key)| *key == wanted).map(|(name, _)| name.as_str())
    }

    /// The mapping with its types, or everything that does not fit, a line each.
    pub(super) fn bind(&self, mapping: &Mapping) -> Result<Vec<Bound>, Vec<String>> {
        let mut problems = Vec::new();
        let mut bound = Vec::new();
        let updates = mapping
            .conflict
            .as_ref()
            .is_some_and(|conflict| conflict.action == ConflictAction::Update);
        for column in &mapping.columns {
            match self.fit(column, updates) {
                Ok(kind) => bound.push(kind),
                Err(problem) => problems.push(problem),
            }
        }
        let is_mapped = |name: &str| mapping.columns.iter().any(|column| column.name == name);
        for found in self.columns.iter().filter(|found| found.is_needed && !is_mapped(&found.name))
        {
            problems.push(format!(
                "column `{}` ({}) must not be null, has no default, and nothing is mapped to it: map \
                 a field, or give it a default",
                found.name, found.written
            ));
        }
        if let Some(conflict) = &mapping.conflict {
            let key: Vec<&str> = conflict.key.iter().map(String::as_str).collect();
            if self.key(&key).is_none() {
                problems.push(format!(
                    "the key ({0}) has no unique index on exactly these columns: CREATE UNIQUE \
                     INDEX ON {1} ({0})",
                    key.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", "),
                    self.path
                ));
            }
        }
        if problems.is_empty() { Ok(bound) } else { Err(problems) }
    }

    fn fit(&self, column: &Column, updates: bool) -> Result<Bound, String> {
        let Column { name, field } = column;
        let Some(found) = self.columns.iter().find(|found| found.name == *name) else {
            let known: Vec<_> = self.columns.iter().map(|found| found.name.as_str()).collect();
            let known = known.join(", ");
            return Err(format!("column `{name}` is not in the table, which has {known}"));
        };
        let written = &found.written;
        if let Some(why) = found.closed {
            return Err(format!("column `{name}` ({written}) {why}"));
        }
        let Some(kind) = found.kind else {
            return Err(format!(
                "column `{name}` is of the type {written}, which nothing can be mapped to: use \
                 bool, an integer, float, numeric, text, an enum, json, jsonb, bytea, uuid, \
                 timestamptz, timestamp or date"
            ));
        };
        if let Err(advice) = kind.fits(field.nature()) {
            return Err(format!(
                "column `{name}` is of the type {written}, which `{field}` does not fit: {advice}"
            ));
        }
        if !found.may_insert || (updates && !found.may_update) {
            let right = if found.may_insert { "UPDATE" } else { "INSERT" };
            return Err(format!(
                "column `{name}` may not be written by this user: GRANT {right} ON {} TO it",
                self.path
            ));
        }
        Ok(Bound { column: column.clone(), kind, written: written.clone() })
    }
}
