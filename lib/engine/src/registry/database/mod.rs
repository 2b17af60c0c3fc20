//! The surface between the registry's rules and a database: an SQLite file, or PostgreSQL.
//!
//! The rules (what takes the place of what, what a row of the audit log says, which hashes there are) stand in the
//! rooms beside this one and are the same for both. They ask and change the tables by statements that both
//! databases understand, and through the operations of [`Work`] where the two differ. A statement that only one
//! of them understands stands in its room.
//!
//! | operation | SQLite | PostgreSQL |
//! | --- | --- | --- |
//! | [`Session::first`], [`all`](Session::all), [`exists`](Session::exists), [`execute`](Session::execute) | a prepared statement | the same, `?1` written `$1` |
//! | [`Session::each`] | steps through the rows | a cursor, some hundred rows at a time |
//! | [`Session::moment`] | a read transaction | repeatable read |
//! | [`Work`], begun [`Turn::Alone`] | BEGIN IMMEDIATE | the log's head is locked first |
//! | [`Work`], begun [`Turn::Last`] | the same | all who write are waited for, and wait |
//! | [`Work`], begun [`Turn::Shared`] | the same | the log's head is locked last |
//! | [`Work::append`] | reads the last row, hashes | the function `append` |
//! | [`Work::record`] | INSERT row by row | COPY BINARY |
//! | [`Session::end`] | UPDATE | the function `end_certificate` |
//! | [`Work::commit`] | COMMIT | COMMIT, and what became of it if the answer is lost |
//!
//! | file | for |
//! | --- | --- |
//! | `value` | values of statements, rows that are read, tables |
//! | `session` | statements, and conditions that databases look up in their own way |
//! | `turn` | how a change is begun, and what it tells the audit log |
//! | `log` | the audit log's last row, and the next one in SQLite |
//! | `lost` | what is done again if the connection is lost |
//! | `work` | changes: one transaction each |
//! | `sqlite/` | the SQLite file: connections, opening, reading, its schema |
//! | `postgres/` | PostgreSQL: addresses, TLS, connections, transactions, its schema |

#[macro_use]
pub(super) mod value;

mod log;
mod lost;
#[cfg(feature = "postgres")]
pub(super) mod postgres;
mod session;
pub(super) mod sqlite;
mod turn;
mod work;

pub(super) use log::{append, head};
pub(super) use lost::again;
pub(super) use session::{Moment, Must, Session};
pub(super) use turn::{Entry, Turn};
pub(super) use value::Table;
pub(super) use work::Work;
