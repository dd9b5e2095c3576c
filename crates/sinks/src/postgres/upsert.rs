//! How do rows get into a table where some of them may be already? COPY refuses them all for one,
//! so they go as arrays, one for each column, and a statement says what becomes of the others.
//!
//! That serves a mapped table with a key, and the sink's own table when a COPY met a row that is
//! there: an event that is stored under its name with the same content is not stored again. That
//! happens when a class was declared after another lane had delivered some of its events. Other
//! content under the same name is an alarm, not a repetition: then two journals share an id, or
//! the table was edited.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::Client;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::catalogue::{Bound, Table};
use super::copy::{self, Owner};
use super::schema::quoted;
use super::trouble::Trouble;
use crate::contract::Batch;
use crate::mapping::{Conflict, ConflictAction};
use crate::shape::{broken, slice_end};

/// An array in its binary form.
#[derive(Debug)]
struct Array(Vec<u8>);

impl ToSql for Array {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Bytes before the first element of an array.
const HEAD: usize = 20;

/// The columns of the batch, and how many rows they have.
fn arrays(columns: &[Bound], owner: Owner, batch: &Batch) -> Result<Vec<Array>, Trouble> {
    let mut arrays: Vec<Vec<u8>> = columns.iter().map(|_| vec![0; HEAD]).collect();
    let mut rows = 0_i32;
    for slice in &batch.slices {
        let end = slice_end(slice).map_err(|why| Trouble::Data(why, None))?;
        let mut next = end - i64::from(slice.rows.len());
        for event in &slice.rows {
            let item = copy::item(owner, next, &event);
            for (column, array) in columns.iter().zip(&mut arrays) {
                column.write(&item, array)?;
            }
            next += 1;
            rows = rows.saturating_add(1);
        }
        if next != end {
            return Err(Trouble::Data(broken(next, end), None));
        }
    }
    let head = |column: &Bound, mut array: Vec<u8>| {
        // One dimension, perhaps with nulls, its type, its length, counted from 1.
        let oid = column.kind.element().oid().to_be_bytes();
        let fields = [
            1_i32.to_be_bytes(),
            1_i32.to_be_bytes(),
            oid,
            rows.to_be_bytes(),
            1_i32.to_be_bytes(),
        ];
        array.iter_mut().zip(fields.iter().flatten()).for_each(|(to, from)| *to = *from);
        Array(array)
    };
    Ok(columns.iter().zip(arrays).map(|(column, array)| head(column, array)).collect())
}

/// The names of the columns, and the arrays as a table of rows `incoming`, with their order.
fn incoming(columns: &[Bound]) -> (String, String) {
    let names: Vec<_> = columns.iter().map(|bound| quoted(&bound.column.name)).collect();
    let list = names.join(", ");
    let parameters: Vec<_> = (1..=columns.len()).map(|number| format!("${number}")).collect();
    let casts: Vec<_> = columns
        .iter()
        .zip(&names)
        .map(|(bound, name)| format!("{name}::{}", bound.written))
        .collect();
    let table = format!(
        "(SELECT {}, ordinality FROM unnest({}) WITH ORDINALITY AS t ({list}, ordinality)) AS incoming",
        casts
            .iter()
            .zip(&names)
            .map(|(cast, name)| format!("{cast} AS {name}"))
            .collect::<Vec<_>>()
            .join(", "),
        parameters.join(", ")
    );
    (list, table)
}

async fn execute(
    client: &Client,
    sql: &str,
    columns: &[Bound],
    arrays: &[Array],
) -> Result<Option<tokio_postgres::Row>, Trouble> {
    let types: Vec<Type> = columns.iter().map(|bound| bound.kind.array()).collect();
    let parameters: Vec<&(dyn ToSql + Sync)> =
        arrays.iter().map(|array| array as &(dyn ToSql + Sync)).collect();
    let statement = client.prepare_typed(sql, &types).await?;
    Ok(client.query(&statement, &parameters).await?.into_iter().next())
}

/// Stores the rows of a mapped table with a key.
pub(super) async fn rows(
    client: &Client,
    table: &Table,
    columns: &[Bound],
    conflict: &Conflict,
    owner: Owner,
    batch: &Batch,
) -> Result<(), Trouble> {
    let arrays = arrays(columns, owner, batch)?;
    let (list, incoming) = incoming(columns);
    let key: Vec<_> = conflict.key.iter().map(|column| quoted(column)).collect();
    let key = key.join(", ");
    let updated: Vec<_> = columns
        .iter()
        .filter(|bound| !conflict.key.contains(&bound.column.name))
        .map(|bound| quoted(&bound.column.name))
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    // One row a key: a statement may touch a row once. The last one of a batch stays, or the first
    // where old rows stay. Sorted by the key, so that batches lock common rows in one order.
    let (action, order) = match conflict.action {
        ConflictAction::Update if !updated.is_empty() => {
            (format!("DO UPDATE SET {}", updated.join(", ")), "DESC")
        }
        ConflictAction::Update => ("DO NOTHING".to_owned(), "DESC"),
        ConflictAction::Nothing => ("DO NOTHING".to_owned(), "ASC"),
    };
    let sql = format!(
        "INSERT INTO {} ({list}) SELECT DISTINCT ON ({key}) {list} FROM {incoming}
         ORDER BY {key}, ordinality {order} ON CONFLICT ({key}) {action}",
        table.path
    );
    execute(client, &sql, columns, &arrays).await?;
    Ok(client.batch_execute("COMMIT").await?)
}

/// Stores the rows of the sink's own table that are not there, and insists that the others are the
/// very same.
pub(super) async fn missing(
    client: &Client,
    table: &Table,
    columns: &[Bound],
    owner: Owner,
    batch: &Batch,
) -> Result<(), Trouble> {
    let arrays = arrays(columns, owner, batch)?;
    let (list, incoming) = incoming(columns);
    let path = &table.path;
    let insert = format!(
        "INSERT INTO {path} ({list}) SELECT {list} FROM {incoming} ORDER BY ordinality
         ON CONFLICT (journal, \"position\") DO NOTHING"
    );
    execute(client, &insert, columns, &arrays).await?;
    // A statement of its own: it sees what was committed while the insert waited for it.
    let row = |of: &str| {
        let names = columns.iter().map(|bound| format!("{of}.{}", quoted(&bound.column.name)));
        names.collect::<Vec<_>>().join(", ")
    };
    let compare = format!(
        "SELECT incoming.\"position\" FROM {incoming} JOIN {path} AS stored
             USING (journal, \"position\")
         WHERE ({}) IS DISTINCT FROM ({}) ORDER BY 1 LIMIT 1",
        row("incoming"),
        row("stored")
    );
    if let Some(other) = execute(client, &compare, columns, &arrays).await? {
        let position: i64 = other.get(0);
        let why = format!(
            "position {position}: another event is stored under this name already. Either the \
             table was edited, or two journals with one id deliver here"
        );
        return Err(Trouble::Data(why, u64::try_from(position).ok()));
    }
    Ok(client.batch_execute("COMMIT").await?)
}
