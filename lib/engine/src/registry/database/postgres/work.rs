//! Transactions: certificates by COPY, the audit log by its function, COMMIT and what became of it.

use std::cell::RefCell;
use std::error::Error;
use std::path::Path;

use bytes::BytesMut;
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, SimpleQueryMessage};

use super::failure::is_lost;
use super::link::Link;
use crate::crypto::{fill_random, hex};
use crate::failure::Underlying;
use crate::registry::database::turn::{Entry, Turn};
use crate::registry::database::value::Value;
use crate::registry::new_row::NewRow;
use crate::registry::{RegistryError, Result};

const COLUMNS: [(&str, Type); 20] = [
    ("issuer_id", Type::INT8),
    ("not_before", Type::INT8),
    ("not_after", Type::INT8),
    ("recorded", Type::INT8),
    ("chunk", Type::UUID),
    ("has_key", Type::BOOL),
    ("role", Type::TEXT),
    ("status", Type::TEXT),
    ("ca", Type::TEXT),
    ("batch", Type::TEXT),
    ("client_id", Type::TEXT),
    ("folded_id", Type::TEXT),
    ("location", Type::TEXT),
    ("bundle", Type::TEXT),
    ("details", Type::TEXT),
    ("serial", Type::BYTEA),
    ("key", Type::BYTEA),
    ("digest", Type::BYTEA),
    ("der", Type::BYTEA),
    ("revoked_at", Type::INT8),
];

/// An open transaction; it is taken back when it is dropped.
#[derive(Debug)]
pub(in crate::registry) struct Open<'r> {
    link: &'r Link,
    name: &'r Path,
    /// Its row in `chunk`.
    chunk: Chunk,
    /// PostgreSQL's number of it, once the audit log was written to.
    number: RefCell<Option<String>>,
}

/// The name of a transaction: a random UUID (RFC 9562, version 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk([u8; 16]);

impl Chunk {
    fn new() -> Result<Self> {
        let mut id = [0; 16];
        let failed = |e: crate::crypto::CryptoError| RegistryError::Database {
            path: "random numbers".to_owned(),
            reason: Underlying::of(e),
        };
        fill_random(&mut id).map_err(failed)?;
        id[6] = id[6] & 0x0f | 0x40;
        id[8] = id[8] & 0x3f | 0x80;
        Ok(Self(id))
    }
}

impl Chunk {
    /// The one of an audit row that was taken in from another registry (RFC 9562, version 8).
    pub(super) fn of_row(sequence: i64) -> Self {
        let mut id = [0; 16];
        id[6] = 0x80;
        id[8..].copy_from_slice(&sequence.to_be_bytes());
        id[8] = id[8] & 0x3f | 0x80;
        Self(id)
    }
}

impl ToSql for Chunk {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::UUID
    }

    to_sql_checked!();
}

impl<'r> Open<'r> {
    pub(in crate::registry) fn begin(link: &'r Link, name: &'r Path, turn: Turn) -> Result<Self> {
        let chunk = Chunk::new()?;
        let own = format!("INSERT INTO chunk (id) VALUES ('{}')", hex(&chunk.0));
        let begun = match turn {
            Turn::Shared => own,
            Turn::Alone => format!("{own}; SELECT lock_head()"),
            // Each change begins with a row in `chunk`. What is done meanwhile elsewhere takes its time.
            Turn::Last => format!(
                "SET LOCAL idle_in_transaction_session_timeout = 0;
                 LOCK TABLE chunk IN SHARE ROW EXCLUSIVE MODE; {own}; SELECT lock_head()"
            ),
        };
        link.begin(name, &format!("BEGIN; {begun}"))?;
        Ok(Self { link, name, chunk, number: RefCell::new(None) })
    }

    pub(super) fn with<T>(
        &self,
        mut run: impl FnMut(&mut Client) -> std::result::Result<T, postgres::Error>,
    ) -> Result<T> {
        self.link.with(self.name, |client, _| run(client))
    }

    /// Asks for PostgreSQL's number of the transaction, where the audit log was not written to by its function.
    pub(super) fn know_number(&self) -> Result<()> {
        let sql = "SELECT pg_current_xact_id()::text";
        let number = self.with(|client| client.query_one(sql, &[])?.try_get(0))?;
        *self.number.borrow_mut() = Some(number);
        Ok(())
    }

    /// Adds a row to the audit log, which tells of this transaction's certificates or not; its number.
    fn add(&self, at: i64, (action, detail): (&str, &str), of: Option<Chunk>) -> Result<i64> {
        let sql = "SELECT new_sequence, transaction FROM append($1, $2, $3, $4)";
        let (sequence, number) = self.link.with(self.name, |client, _| {
            let row = client.query_one(sql, &[&at, &action, &detail, &of])?;
            Ok((row.try_get(0)?, row.try_get(1)?))
        })?;
        *self.number.borrow_mut() = Some(number);
        Ok(sequence)
    }

    pub(in crate::registry) fn append(
        &self,
        at: i64,
        action: &str,
        detail: &serde_json::Value,
    ) -> Result<i64> {
        self.add(at, (action, &detail.to_string()), None)
    }

    pub(in crate::registry) fn record(
        &self,
        at: i64,
        rows: &[NewRow<'_>],
        before: &[Entry],
        (action, detail): &Entry,
    ) -> Result<i64> {
        self.link.with(self.name, |client, _| copy(client, self.chunk, rows))?;
        for (action, detail) in before {
            self.append(at, action, detail)?;
        }
        self.add(at, (action, &detail.to_string()), Some(self.chunk))
    }

    /// Makes the change last. COMMIT of a transaction that has failed is answered as if it had not, so what became
    /// of it is asked in the same round trip.
    pub(in crate::registry) fn commit(self) -> Result<()> {
        let path = || self.name.display().to_string();
        // A change that has found everything as it is to be has no row in the audit log.
        if self.number.borrow().is_none() {
            self.know_number()?;
        }
        let number = self.number.borrow().clone().unwrap_or_default();
        let sql = format!("COMMIT; SELECT pg_xact_status('{number}')");
        let mut lost = false;
        let answer = self.link.with(self.name, |client, _| {
            client.simple_query(&sql).inspect_err(|e| lost = is_lost(e))
        });
        match answer {
            Ok(messages) => {
                let status = messages.iter().find_map(|message| match message {
                    SimpleQueryMessage::Row(row) => row.get(0),
                    _ => None,
                });
                match status {
                    Some("committed") => {
                        self.link.is_over();
                        Ok(())
                    }
                    _ => {
                        let reason = "the database has taken the change back".into();
                        Err(RegistryError::Database { path: path(), reason })
                    }
                }
            }
            Err(_) if lost => self.look_up(),
            Err(e) => Err(e),
        }
    }

    /// The answer to COMMIT was lost: what became of it? To ask for the row would not do: it may be there a moment
    /// later. If it can be inserted, the lost transaction cannot any more; that it was is kept in it, so that this can
    /// be asked again.
    fn look_up(&self) -> Result<()> {
        self.link.end();
        let insert = "INSERT INTO chunk (id, lost) VALUES ($1, true) ON CONFLICT DO NOTHING";
        let is_lost = self.link.with(self.name, |client, _| {
            client.execute(insert, &[&self.chunk])?;
            let row = client.query_one("SELECT lost FROM chunk WHERE id = $1", &[&self.chunk])?;
            row.try_get(0)
        })?;
        match is_lost {
            true => Err(RegistryError::NotDone { path: self.name.display().to_string() }),
            false => Ok(()),
        }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if self.link.is_in_transaction() {
            self.link.end();
        }
    }
}

/// Adds rows by COPY.
fn copy(
    client: &mut Client,
    chunk: Chunk,
    rows: &[NewRow<'_>],
) -> std::result::Result<(), postgres::Error> {
    let mut issuers: Vec<(Vec<u8>, i64)> = Vec::new();
    for new in rows {
        let name = new.row().issuer;
        if !issuers.iter().any(|(known, _)| known == name) {
            issuers.push((name.to_vec(), issuer(client, name)?));
        }
    }
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let types: Vec<Type> = COLUMNS.iter().map(|(_, kind)| kind.clone()).collect();
    let sql = format!("COPY certificate_row ({}) FROM STDIN BINARY", names.join(", "));
    let mut writer = BinaryCopyInWriter::new(client.copy_in(&sql)?, &types);
    for new in rows {
        let row = new.row();
        let issuer_id = issuers.iter().find(|(name, _)| name == row.issuer).map(|(_, id)| *id);
        let digest = new.digest.as_slice();
        let key = new.key.as_slice();
        writer.write(&[
            &issuer_id,
            &row.not_before,
            &row.not_after,
            &row.recorded,
            &chunk,
            &row.has_key,
            &row.role,
            &new.status.name(),
            &row.ca,
            &row.batch,
            &row.client_id,
            &row.folded_id,
            &row.location,
            &row.bundle,
            &row.details,
            &row.serial,
            &key,
            &digest,
            &row.der,
            &None::<i64>,
        ])?;
    }
    writer.finish().map(|_| ())
}

/// The number of an issuer's name.
pub(super) fn issuer(
    client: &mut Client,
    name: &[u8],
) -> std::result::Result<i64, postgres::Error> {
    let known = "SELECT id FROM issuer WHERE name = $1";
    if let Some(row) = client.query_opt(known, &[&name])? {
        return row.try_get(0);
    }
    // Another station may have been first.
    client.execute("INSERT INTO issuer (name) VALUES ($1) ON CONFLICT DO NOTHING", &[&name])?;
    client.query_one(known, &[&name])?.try_get(0)
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        of: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) => value.to_sql_checked(of, out),
            Self::Flag(value) => value.to_sql_checked(of, out),
            Self::Text(value) => value.to_sql_checked(of, out),
            Self::Blob(value) => value.to_sql_checked(of, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
