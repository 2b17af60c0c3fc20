//! All that a registry holds, taken to another one: from a file to a database, or back.
//!
//! Rows go as they are, with their numbers and digests, and the audit log with its hashes: what was true of the one is
//! true of the other, and can be checked there. The last row of the former registry says where it went. Each change looks at
//! that row before it does anything, also in a process that has the registry open since long ago.

use time::OffsetDateTime;

use super::database::value::Kind;
use super::database::{Session, Table, Turn, Work};
use super::moved::{MOVE, check_here};
use super::{Registry, RegistryError, Result, audit};
use crate::crypto::hex;

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
        copy_all(&self.session()?, other)
    }

    /// Begins to take it to another place. Until that is done, or given up by dropping the answer, others who want to
    /// record something here wait.
    pub(crate) fn depart(&self) -> Result<Departure<'_>> {
        Ok(Departure { from: self, work: self.begin(Turn::Last)? })
    }

    /// Refuses one that has rows already.
    pub(crate) fn check_empty(&self) -> Result<()> {
        match self.last_sequence()? {
            0 => Ok(()),
            _ => Err(RegistryError::NotEmpty(self.path.display().to_string())),
        }
    }

    /// Where this registry is, for who looks for it from anywhere.
    fn place(&self) -> String {
        let file = || std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let place = if self.is_shared() { self.path.clone() } else { file() };
        place.display().to_string()
    }

    /// Refuses a registry that was taken to another place: nothing is to be recorded here any more.
    ///
    /// Errors: [`RegistryError::Moved`].
    pub fn check_here(&self) -> Result<()> {
        check_here(&self.session()?, &self.path)
    }
}

/// A registry on its way to another place.
#[derive(Debug)]
pub(crate) struct Departure<'r> {
    from: &'r Registry,
    work: Work<'r>,
}

impl Departure<'_> {
    /// Copies everything to an empty registry, in one transaction there.
    ///
    /// Errors: [`RegistryError::NotEmpty`] if the other one has rows.
    pub(crate) fn copy_to(&self, other: &mut Registry) -> Result<Transferred> {
        copy_all(&self.work, other)
    }

    /// Says in both audit logs that the registry goes on in the other one, which is a copy of it. There first: if this
    /// ends between the two, it goes on here.
    pub(crate) fn arrive(
        self,
        other: &mut Registry,
        copied: &Transferred,
        now: OffsetDateTime,
    ) -> Result<()> {
        let (here, there) = (self.from.place(), other.place());
        let to = other.begin(Turn::Alone)?;
        to.append(now, ARRIVE, &serde_json::json!({ "from": here, "head": copied.head }))?;
        to.commit()?;
        self.work.append(now, MOVE, &serde_json::json!({ "from": here, "to": there }))?;
        self.work.commit()
    }
}

/// Copies everything that a session sees to an empty registry.
fn copy_all(from: &Session<'_>, other: &mut Registry) -> Result<Transferred> {
    let to = other.begin(Turn::Alone)?;
    if audit::head(&to)?.0 != 0 {
        return Err(RegistryError::NotEmpty(other.path.display().to_string()));
    }
    let mut done = Transferred { audit_rows: 0, certificates: 0, orders: 0, head: String::new() };
    for table in &TABLES {
        let count = copy(from, &to, table)?;
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
