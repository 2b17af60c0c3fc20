//! `registry check`: is everything as it was written, and does it all fit together?
//!
//! Found and named: a file that SQLite finds damaged; an audit row that was changed or removed; a
//! certificate's row that was changed, removed or added; a state (live, superseded, revoked) that
//! the audit log does not account for, and so with CRL numbers; a certificate that does not parse, or that no recorded CA has
//! signed; a key that several holders have live certificates for; an order, a row of it or a step that was changed. Not found: an end of the audit log that was cut off together with the rows that it is
//! about, unless its last hash ([`Checked::head`]) was kept elsewhere.
//!
//! All of it is of one moment, whatever other processes record meanwhile. The audit log is read first
//! (`audit_log`); then one thread reads the certificates' rows, the others hold each to it and verify its
//! signature (`rows`, `signers`). The order of all that is in `run`, what was found in `findings`. What is kept for each row is 32 bytes, and for each one that the log
//! names as superseded or revoked about as many again.

mod audit_log;
mod findings;
mod rows;
mod run;
mod shared;
mod signers;

pub use findings::{Checked, Finding, Scan, Unfinished};
