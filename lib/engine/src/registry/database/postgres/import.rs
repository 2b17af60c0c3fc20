//! Rows of another registry, taken in by COPY.
//!
//! A row of the audit log gets a row in `chunk`, whose name follows from its number: certificates refer to that.

use postgres::Client;
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::{ToSql, Type};

use super::work::{Chunk, Open, issuer};
use crate::registry::Result;
use crate::registry::database::value::{Kind, Table, Value};

/// The last of what an import sets right: the head of the log, and the numbers of rows to come.
const END: &str = "
UPDATE head SET sequence = last.sequence, hash = last.hash
    FROM (SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1) AS last;
SELECT setval(pg_get_serial_sequence('certificate_row', 'id'), coalesce(max(id), 0) + 1, false) FROM certificate_row;
SELECT setval(pg_get_serial_sequence('device_order', 'id'), coalesce(max(id), 0) + 1, false) FROM device_order;
SELECT setval(pg_get_serial_sequence('order_step', 'id'), coalesce(max(id), 0) + 1, false) FROM order_step";

type Done<T> = std::result::Result<T, postgres::Error>;

impl Open<'_> {
    pub(in crate::registry) fn import(&self, table: &Table, rows: &[Vec<Value<'_>>]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        self.with(|client| match table.name {
            "audit" => audit(client, table, rows),
            "certificate" => certificates(client, table, rows),
            _ => copy(client, table.name, &columns(table), rows.iter().map(|row| references(row))),
        })
    }

    pub(in crate::registry) fn end_import(&self) -> Result<()> {
        self.with(|client| client.batch_execute(END))?;
        self.know_number()
    }
}

fn columns(table: &Table) -> Vec<(&'static str, Type)> {
    let of = |kind: &Kind| match kind {
        Kind::Int => Type::INT8,
        Kind::Flag => Type::BOOL,
        Kind::Text => Type::TEXT,
        Kind::Blob => Type::BYTEA,
    };
    table.columns.iter().map(|(name, kind)| (*name, of(kind))).collect()
}

fn references<'v>(row: &'v [Value<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    row.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn copy<'v>(
    client: &mut Client,
    table: &str,
    columns: &[(&str, Type)],
    rows: impl Iterator<Item = Vec<&'v (dyn ToSql + Sync)>>,
) -> Done<()> {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let types: Vec<Type> = columns.iter().map(|(_, kind)| kind.clone()).collect();
    let sql = format!("COPY {table} ({}) FROM STDIN BINARY", names.join(", "));
    let mut writer = BinaryCopyInWriter::new(client.copy_in(&sql)?, &types);
    for row in rows {
        writer.write(&row)?;
    }
    writer.finish().map(|_| ())
}

fn number(row: &[Value<'_>], column: usize) -> i64 {
    match row.get(column) {
        Some(Value::Int(number)) => *number,
        _ => 0,
    }
}

/// Each row also has the hash of the one before.
fn audit(client: &mut Client, table: &Table, rows: &[Vec<Value<'_>>]) -> Done<()> {
    let chunks: Vec<Chunk> = rows.iter().map(|row| Chunk::of_row(number(row, 0))).collect();
    copy(client, "chunk", &[("id", Type::UUID)], chunks.iter().map(|chunk| vec![chunk as _]))?;
    let last = "SELECT hash FROM audit ORDER BY sequence DESC LIMIT 1";
    let before: Option<Vec<u8>> =
        client.query_opt(last, &[])?.map(|row| row.try_get(0)).transpose()?;
    let before = Value::Blob(before.unwrap_or_default().into());
    let mut previous: Vec<&Value<'_>> = vec![&before];
    previous.extend(rows.iter().filter_map(|row| row.last()));
    let mut columns = columns(table);
    columns.extend([("previous", Type::BYTEA), ("chunk", Type::UUID)]);
    let all = rows.iter().zip(&previous).zip(&chunks).map(|((row, previous), chunk)| {
        let mut values = references(row);
        values.extend([*previous as &(dyn ToSql + Sync), chunk]);
        values
    });
    copy(client, "audit", &columns, all)
}

/// The table has the issuer's number in place of its name, and the chunk in place of the audit row.
fn certificates(client: &mut Client, table: &Table, rows: &[Vec<Value<'_>>]) -> Done<()> {
    let at = |wanted: &str| table.columns.iter().position(|(name, _)| *name == wanted);
    let (name_at, audit_at) = (at("issuer").unwrap_or(0), at("audit").unwrap_or(0));
    let mut known: Vec<(&[u8], i64)> = Vec::new();
    for row in rows {
        if let Some(Value::Blob(name)) = row.get(name_at)
            && !known.iter().any(|(other, _)| *other == &**name)
        {
            known.push((name, issuer(client, name)?));
        }
    }
    let issuer_of = |row: &Vec<Value<'_>>| match row.get(name_at) {
        Some(Value::Blob(name)) => known.iter().find(|(other, _)| *other == &**name).map(|k| k.1),
        _ => None,
    };
    let more: Vec<(Option<i64>, Chunk)> =
        rows.iter().map(|row| (issuer_of(row), Chunk::of_row(number(row, audit_at)))).collect();
    let mut columns = columns(table);
    columns[name_at] = ("issuer_id", Type::INT8);
    columns[audit_at] = ("chunk", Type::UUID);
    let all = rows.iter().zip(&more).map(|(row, (issuer, chunk))| {
        let mut values = references(row);
        values[name_at] = issuer;
        values[audit_at] = chunk;
        values
    });
    copy(client, "certificate_row", &columns, all)
}
