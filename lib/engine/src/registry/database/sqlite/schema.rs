//! The registry's tables in SQLite, and their version; `registry/migrations.rs` brings an older one up to it.
//!
//! Version 2 added what renewal, revocation and `registry check` need: when and why a certificate
//! was revoked, where its files are, which audit row recorded it, and a digest of each row. Version 3
//! remembers how far the files have come that grow while devices are issued. Version 4 looks serial
//! numbers up chunk by chunk. Version 5 finds the certificates of a key ([`keys`](crate::registry::keys)), and keeps
//! revocations of certificates that it does not have ([`rollback`](crate::registry::rollback)). Version 6 keeps serial
//! numbers that a CA gave before it came here ([`foreign`](crate::registry::foreign)). Version 7 has orders
//! ([`orders`](crate::registry::orders)), and keeps which files were made for a device. Version 8 finds the certificates of
//! CAs, and the audit log's rows of an action, in as much time however long the log is: a service asks for both at each
//! request, and each request adds a row.

use rusqlite::Connection;

/// The schema's version, in SQLite's `user_version`.
pub(in crate::registry) const VERSION: i64 = 8;

/// "c8yp": SQLite's `application_id`, so that another program's database is not taken for ours.
pub(in crate::registry) const APPLICATION: i64 = 0x6338_7970;

/// A CHECK is asked for each row, and SQLite makes a table of its own for each IN of more than two.
const TABLES: &str = "
CREATE TABLE certificate (
    id INTEGER PRIMARY KEY,
    ca TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('ca', 'device')),
    client_id TEXT,
    folded_id TEXT,
    issuer BLOB NOT NULL,
    serial BLOB NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status = 'live' OR status = 'superseded' OR status = 'revoked'),
    recorded INTEGER NOT NULL,
    batch TEXT NOT NULL,
    details TEXT NOT NULL,
    der BLOB NOT NULL,
    revoked_at INTEGER,
    reason INTEGER,
    location TEXT,
    has_key INTEGER NOT NULL DEFAULT 0,
    audit INTEGER NOT NULL DEFAULT 0,
    digest BLOB NOT NULL DEFAULT x'',
    key BLOB NOT NULL DEFAULT x'',
    bundle TEXT
) STRICT;
CREATE UNIQUE INDEX certificate_live_device ON certificate (folded_id)
    WHERE folded_id IS NOT NULL AND status = 'live';
CREATE TABLE crl_number (ca TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT;
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
";

/// Serial numbers are random: in an index of their own each new row would touch another page, the more
/// so the longer the index is. Behind the audit row of their chunk they are written side by side, and
/// looked for chunk by chunk ([`Session::of_serial`](crate::registry::database::Session::of_serial)).
pub(in crate::registry) const SERIALS: &str = "
CREATE UNIQUE INDEX certificate_serial ON certificate (audit, serial, issuer);
";

/// CAs are few, and each issue asks whether one of them was revoked. Actions are names, of which most rows have the same:
/// behind it a row's number only grows.
pub(in crate::registry) const BESIDE_LOG: &str = "
CREATE INDEX certificate_ca ON certificate (serial) WHERE role = 'ca';
CREATE INDEX audit_action ON audit (action, sequence);
";

/// They are looked for as serial numbers are.
pub(in crate::registry) const KEYS: &str = "
CREATE INDEX certificate_key ON certificate (audit, key);
";

pub(in crate::registry) const INDEXES: &str = "
CREATE INDEX certificate_former_device ON certificate (folded_id)
    WHERE folded_id IS NOT NULL AND status <> 'live';
CREATE INDEX certificate_batch ON certificate (batch);
CREATE INDEX certificate_revoked ON certificate (ca) WHERE revoked_at IS NOT NULL;
";

pub(in crate::registry) const GROWING: &str = "
CREATE TABLE growing (path TEXT PRIMARY KEY, length INTEGER NOT NULL, tail BLOB NOT NULL) STRICT;
";

/// Revocations of certificates that have no row: their issuer and serial number is all that is known.
pub(in crate::registry) const UNKNOWN: &str = "
CREATE TABLE unknown_revocation (
    issuer BLOB NOT NULL,
    serial BLOB NOT NULL,
    revoked_at INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    PRIMARY KEY (issuer, serial)
) STRICT;
";

/// Serial numbers of whose certificates there is no file.
pub(in crate::registry) const FOREIGN: &str = "
CREATE TABLE foreign_serial (
    issuer BLOB NOT NULL,
    serial BLOB NOT NULL,
    subject TEXT NOT NULL,
    not_after INTEGER NOT NULL,
    PRIMARY KEY (issuer, serial)
) STRICT;
";

pub(in crate::registry) const ORDERS: &str = "
CREATE TABLE device_order (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    folded_name TEXT NOT NULL UNIQUE,
    customer TEXT,
    ca TEXT NOT NULL,
    options TEXT NOT NULL,
    list TEXT NOT NULL,
    devices INTEGER NOT NULL,
    created INTEGER NOT NULL,
    taken_back INTEGER,
    audit INTEGER NOT NULL
) STRICT;
CREATE TABLE order_device (
    of_order INTEGER NOT NULL,
    position INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    folded_id TEXT NOT NULL,
    line INTEGER,
    details TEXT NOT NULL,
    PRIMARY KEY (of_order, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX order_device_id ON order_device (folded_id);
CREATE TABLE order_step (
    id INTEGER PRIMARY KEY,
    of_order INTEGER NOT NULL,
    position INTEGER NOT NULL,
    step TEXT NOT NULL,
    at INTEGER NOT NULL,
    certificate INTEGER,
    reason TEXT,
    audit INTEGER NOT NULL
) STRICT;
CREATE INDEX order_step_device ON order_step (of_order, position);
CREATE INDEX order_step_audit ON order_step (audit);
";

/// Makes the tables of an empty database.
pub(in crate::registry) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)?;
    connection.execute_batch(SERIALS)?;
    connection.execute_batch(KEYS)?;
    connection.execute_batch(INDEXES)?;
    connection.execute_batch(BESIDE_LOG)?;
    connection.execute_batch(GROWING)?;
    connection.execute_batch(UNKNOWN)?;
    connection.execute_batch(FOREIGN)?;
    connection.execute_batch(ORDERS)?;
    connection.pragma_update(None, "application_id", APPLICATION)?;
    connection.pragma_update(None, "user_version", VERSION)
}
