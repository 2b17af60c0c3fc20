//! What has been issued: the registry of a PKI directory.
//!
//! Every certificate stands here with its DER. A device is issued if and only if its certificate
//! has a row, and at most one row of a device is `live`; a unique index on the folded client id
//! decides, between processes and machines too. Rows are never removed: a certificate that was
//! replaced or revoked stays as history.
//!
//! Each change also adds a row to an append-only audit log, which carries the hash of the row
//! before it and a digest of the rows that it is about. [`Registry::check`] recomputes all of them.

#[macro_use]
mod database;

mod adopt;
mod audit;
mod backup;
mod cas;
mod check;
mod error;
mod foreign;
mod handle;
mod handover;
mod hashes;
mod holder;
mod issue;
mod keys;
mod marks;
mod migrations;
mod moved;
mod new_row;
mod opening;
mod orders;
pub(crate) mod pipeline;
mod place;
mod query;
mod record;
mod renames;
mod rollback;
mod row;
mod times;
mod transfer;
mod unknown;
mod who;

pub use adopt::{Adopted, Adoption};
pub(crate) use audit::AuditHead;
pub use audit::AuditRow;
pub(crate) use cas::{KeptCa, KeptCas, SharedCa, Told, digest};
pub use check::{Checked, Finding, Scan, Unfinished};
pub use error::RegistryError;
pub use foreign::ForeignSerial;
pub use handle::Registry;
pub(crate) use hashes::{KeyStart, key_start};
pub use holder::{Holder, Role, ServerName, ServerNameError};
pub(crate) use issue::With;
pub use keys::KeyHolders;
pub(crate) use keys::Newcomers;
#[cfg(feature = "serve")]
pub(crate) use orders::Recent;
pub(crate) use orders::{Hold, Taken};
pub use orders::{NewOrder, OpenShare, OrderRecord, OrderState, Ordered, OrderedDevice, Step};
pub(crate) use place::{is_file, is_server, without_secrets};
pub use query::{Snapshot, Standings};
pub(crate) use record::batch_name;
pub use record::{Filter, NewRecord, Record, Replaced, RowId, Standing, Status};
pub(crate) use rollback::number_of;
pub use rollback::{FoundRevocation, Takeover};
pub use transfer::Transferred;
pub use who::Who;

#[cfg(feature = "postgres")]
pub use self::database::postgres::{Address, AddressError, ROLES, Surroundings};

type Result<T> = std::result::Result<T, RegistryError>;
