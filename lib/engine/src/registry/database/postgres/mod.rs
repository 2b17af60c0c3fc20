//! The registry in a PostgreSQL database (feature `postgres`).
//!
//! Each thread has a connection of its own, as with SQLite. What is written is one transaction with a row in the
//! table `chunk`, whose name the station has chosen. If the answer to COMMIT is lost, that row is inserted again:
//! if it is there already, the transaction was done; if it is not, it can never be done any more.
//!
//! The audit log is one chain for all stations. Its last row, `head`, is locked by the function `append`, as the last
//! thing of a transaction, so that stations write their rows side by side.
//!
//! | file | for |
//! | --- | --- |
//! | `address` | which server, as whom: the URL, the PG* variables, the file of passwords |
//! | `tls` | whom to trust, as `sslmode` and `sslrootcert` say |
//! | `failure` | what PostgreSQL's errors mean, and what is wrong with an address |
//! | `link` | a connection: statements, cursors, and finding a lost server again |
//! | `work` | transactions: COPY, the audit log, COMMIT |
//! | `import` | rows of another registry |
//! | `opening` | the schema is made, or brought up to the present version |

mod address;
mod failure;
mod import;
mod link;
mod opening;
mod tls;
mod work;

pub(in crate::registry) use link::{Link, Links, ReadMoment};
pub(in crate::registry) use opening::{create_if_missing, open};
pub(in crate::registry) use work::Open;

/// What gives stations and auditors their rights: statements for psql.
pub const ROLES: &str = include_str!("roles.sql");

pub use address::{Address, Surroundings};
pub use failure::AddressError;
