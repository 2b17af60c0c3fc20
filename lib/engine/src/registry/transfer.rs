//! All that a registry holds, taken to another one: from a file to a database, or back.
//!
//! Rows go as they are, with their numbers and digests, and the audit log with its hashes: what was true of the one is
//! true of the other, and can be checked there. The last row of the former registry says where it went; it is not
//! written to any more.

use time::OffsetDateTime;

use super::database::value::Kind;
use super::database::{Session, Table, Turn, Work};
use super::{Registry, RegistryError, Result, audit};
use crate::crypto::hex;

/// The action of the last audit row of a registry that was taken to another place.
const MOVE: &str = "move";

/// The action of the audit row with which a registry goes on at its new place.
const ARRIVE: &str = "arrive";

/// Rows that are copied at a time.
const PORTION: usize = 1_000;

/// The tables, in an order in which no row refers to one that is not there yet.
const TABLES: [Table; 9] = [
    Table {
        name: "audit",
        columns: &[
            ("sequence", Kind::Int),
            ("at", Kind::Int),
            ("action", Kind::Text),
            ("detail", Kind::Text),
            ("hash", Kind::Blob),
        ],
        order: "sequence",
    },
    Table {
        name: "certificate",
        columns: &[
            ("id", Kind::Int),
            ("issuer", Kind::Blob),
            ("audit", Kind::Int),
            ("ca", Kind::Text),
            ("role", Kind::Text),
            ("client_id", Kind::Text),
            ("folded_id", Kind::Text),
            ("serial", Kind::Blob),
            ("not_before", Kind::Int),
            ("not_after", Kind::Int),
            ("status", Kind::Text),
            ("recorded", Kind::Int),
            ("batch", Kind::Text),
            ("details", Kind::Text),
            ("der", Kind::Blob),
            ("revoked_at", Kind::Int),
            ("reason", Kind::Int),
            ("location", Kind::Text),
            ("has_key", Kind::Flag),
            ("digest", Kind::Blob),
            ("key", Kind::Blob),
            ("bundle", Kind::Text),
        ],
        order: "id",
    },
    Table {
        name: "crl_number",
        columns: &[("ca", Kind::Text), ("number", Kind::Int)],
        order: "ca",
    },
    Table {
        name: "growing",
        columns: &[("path", Kind::Text), ("length", Kind::Int), ("tail", Kind::Blob)],
        order: "path",
    },
    Table {
        name: "unknown_revocation",
        columns: &[
            ("issuer", Kind::Blob),
            ("serial", Kind::Blob),
            ("revoked_at", Kind::Int),
            ("reason", Kind::Int),
        ],
        order: "serial",
    },
    Table {
        name: "foreign_serial",
        columns: &[
            ("issuer", Kind::Blob),
            ("serial", Kind::Blob),
            ("subject", Kind::Text),
            ("not_after", Kind::Int),
        ],
        order: "serial",
    },
    Table {
        name: "device_order",
        columns: &[
            ("id", Kind::Int),
            ("name", Kind::Text),
            ("folded_name", Kind::Text),
            ("customer", Kind::Text),
            ("ca", Kind::Text),
            ("options", Kind::Text),
            ("list", Kind::Text),
            ("devices", Kind::Int),
            ("created", Kind::Int),
            ("taken_back", Kind::Int),
            ("audit", Kind::Int),
        ],
        order: "id",
    },
    Table {
        name: "order_device",
        columns: &[
            ("of_order", Kind::Int),
            ("position", Kind::Int),
            ("client_id", Kind::Text),
            ("folded_id", Kind::Text),
            ("line", Kind::Int),
            ("details", Kind::Text),
        ],
        order: "of_order, position",
    },
    Table {
        name: "order_step",
        columns: &[
            ("id", Kind::Int),
            ("of_order", Kind::Int),
            ("position", Kind::Int),
            ("step", Kind::Text),
            ("at", Kind::Int),
            ("certificate", Kind::Int),
            ("reason", Kind::Text),
            ("audit", Kind::Int),
        ],
        order: "id",
    },
];

/// What was taken to another place.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Transferred {
    /// Rows of the audit log.
    pub audit_rows: i64,
    /// Certificates.
    pub certificates: u64,
    /// Orders.
    pub orders: u64,
    /// The last hash of the audit log that was copied.
    pub head: String,
}

impl Registry {
    /// Copies everything to an empty registry, in one transaction there. Nothing is changed here.
    ///
    /// Errors: [`RegistryError::NotEmpty`] if the other one has rows.
    pub fn copy_to(&self, other: &mut Self) -> Result<Transferred> {
        let _moment = self.snapshot()?;
        let (from, to) = (self.session()?, other.begin(Turn::Alone)?);
        if audit::head(&to)?.0 != 0 {
            return Err(RegistryError::NotEmpty(other.path.display().to_string()));
        }
        let mut done =
            Transferred { audit_rows: 0, certificates: 0, orders: 0, head: String::new() };
        for table in &TABLES {
            let count = copy(&from, &to, table)?;
            match table.name {
                "certificate" => done.certificates = count,
                "device_order" => done.orders = count,
                _ => {}
            }
        }
        to.end_import()?;
        let (sequence, hash) = audit::head(&to)?;
        (done.audit_rows, done.head) = (sequence, hex(&hash));
        to.commit()?;
        Ok(done)
    }

    /// Says in both audit logs that this registry goes on in the other one, which is a copy of it.
    ///
    /// Errors: [`RegistryError::Conflict`] if something was recorded here since it was copied.
    pub fn hand_over_to(
        &mut self,
        other: &mut Self,
        copied: &Transferred,
        now: OffsetDateTime,
    ) -> Result<()> {
        let place = |registry: &Self| registry.path.display().to_string();
        let (here, there) = (place(self), place(other));
        let from = self.begin(Turn::Alone)?;
        if hex(&audit::head(&from)?.1) != copied.head {
            return Err(RegistryError::Conflict);
        }
        from.append(now, MOVE, &serde_json::json!({ "from": here, "to": there }))?;
        from.commit()?;
        let to = other.begin(Turn::Alone)?;
        to.append(now, ARRIVE, &serde_json::json!({ "from": here, "head": copied.head }))?;
        to.commit()
    }

    /// Where this registry was taken to, if it was: then nothing is to be recorded here any more.
    pub fn moved_to(&self) -> Result<Option<String>> {
        let sql = "SELECT action, detail FROM audit ORDER BY sequence DESC LIMIT 1";
        let last: Option<(String, String)> =
            self.session()?.first(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let Some((_, detail)) = last.filter(|(action, _)| action == MOVE) else {
            return Ok(None);
        };
        let detail: serde_json::Value = serde_json::from_str(&detail).unwrap_or_default();
        Ok(Some(detail["to"].as_str().unwrap_or_default().to_owned()))
    }
}

/// Copies the rows of a table; how many.
fn copy(from: &Session<'_>, to: &Work<'_>, table: &Table) -> Result<u64> {
    let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let sql = format!("SELECT {} FROM {} ORDER BY {}", names.join(", "), table.name, table.order);
    let (mut rows, mut count) = (Vec::new(), 0);
    from.each(&sql, &[], |row| -> Result<()> {
        let read = |(column, (_, kind)): (usize, &(&str, Kind))| row.value(column, *kind);
        let values = table.columns.iter().enumerate().map(read).collect::<Result<Vec<_>>>()?;
        rows.push(values);
        count += 1;
        if rows.len() == PORTION {
            to.import(table, &rows)?;
            rows.clear();
        }
        Ok(())
    })?;
    to.import(table, &rows)?;
    Ok(count)
}
