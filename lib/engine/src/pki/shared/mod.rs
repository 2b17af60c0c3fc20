//! A PKI directory whose registry is in a database that other directories share.
//!
//! The database has what a station needs of each CA besides the key: its certificates, its signing policy, its last list.
//! What is newer there comes into the directory when it is opened; what is newer here goes there with the change that has
//! made it, or, where that has no row in the registry, right after. The policies of the database are those that count.
//!
//! | file | for |
//! | --- | --- |
//! | `news` | what it has taken, in words |
//! | `chains` | which of two chains of a CA is the newer one, and whether it may take the other's place |
//! | `bring` | from the database into the directory |
//! | `publish` | from the directory into the database |
//! | `policies` | which policies count, and how they become texts |
//! | `check` | are the database, its audit log and the directory at one? |
//! | `join` | a new directory for a database that has CAs |

mod bring;
mod chains;
mod check;
mod join;
mod news;
mod policies;
mod publish;

pub use news::Brought;
pub(super) use policies::remove_copies;
