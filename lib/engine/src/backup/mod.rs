//! A backup of a PKI directory: its registry as it is at one moment, and the files of its CAs.
//!
//! | file | for |
//! | --- | --- |
//! | `manifest` | what a backup holds, with the SHA-256 of each file |
//! | `make` | copies, checks and packs |
//! | `source` | reads a backup again, and holds it to its manifest |
//! | `restore` | puts it into an empty place, or its registry into a PKI directory |
//! | `error` | what goes wrong |
//!
//! Keys of CAs are in it only if that is asked for. What is newer than a backup is not in it: what is out in the world
//! (lists, archives, hand-over files) tells of that, and `rollback` compares.

mod error;
mod make;
mod manifest;
mod restore;
mod source;

pub use error::BackupError;
pub use make::{Contents, make};
pub use manifest::{Entry, Manifest, Recorded};
pub use restore::{Restored, restore};
pub use source::Opened;

type Result<T> = std::result::Result<T, BackupError>;
