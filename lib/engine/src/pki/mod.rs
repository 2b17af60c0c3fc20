//! The PKI directory: its CAs, their keys, its registry.
//!
//! ```text
//! pki/pki.toml           version of the directory's form, the longest chain, signing policies (see [`policy`])
//! pki/registry.sqlite    what has been issued
//! pki/ca/<name>/         cert.pem, chain.pem (itself … root), key.pem (encrypted, 0600) or key.uri
//!                        (of a key in a token), crl.pem, last-list.json (its number),
//!                        policy.toml (what the database says that it may sign, if the registry is in one);
//!                        request.pem and the key alone while it waits for its certificate
//! ```
//!
//! A CA appears with all its files or not at all: they are written to a directory beside it, which is
//! then renamed. Changes to CAs hold a lock on `pki.toml`'s neighbour `pki.lock`.

#[cfg(feature = "serve")]
mod able;
mod again;
mod ca;
mod certify;
mod check;
mod clock;
mod config;
mod device_request;
mod error;
mod folder;
mod history;
mod import;
mod issued;
mod key;
mod last_list;
mod longest;
mod making;
mod migrate;
mod opening;
mod owners;
pub mod policy;
mod policy_table;
mod pool;
mod recording;
mod refusal;
mod rename;
mod renew;
mod revocation;
mod rollback;
mod seen_lists;
mod server;
mod server_rules;
mod shared;
mod shared_error;
mod sign_ca;
mod together;
mod unrecorded;
mod waiting;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

pub use again::Again;
pub(crate) use ca::want_kind;
use ca::{check_name, load};
pub(crate) use certify::{Certifier, CertifyError, Terms};
pub use check::{LostCa, TokenKeyStanding, TokenKeyState};
pub(crate) use config::{registry_file, with_registry};
pub(crate) use device_request::id_of;
pub use device_request::{DeviceRequest, Replacing};
pub use error::AuthorityError;
pub use history::{Former, History, Untaken, certificates_in};
pub use import::find_own;
pub use issued::Issued;
pub(crate) use issued::has_twin;
pub use key::{CaKey, KeyPlace, NewKey, OwnKey};
pub use last_list::Lost;
pub use migrate::Migrated;
pub(crate) use owners::KeyOwners;
use policy::{RawPolicy, SigningPolicy};
pub use pool::KeyPool;
pub(crate) use pool::{Drawing, Drawn};
pub use refusal::RequestError;
pub(crate) use renew::FORMER;
pub use rollback::Rollback;
use seen_lists::SeenLists;
pub use shared::Brought;
pub use shared_error::SharedError;
pub use sign_ca::{CaPlan, CaSigning, SignedCa};
use together::Together;
pub use waiting::{Answered, CaWish, WaitingCa};

use crate::cert::{Certificate, LongestChain};
use crate::files::Cached;
use crate::issue::BeyondIssuer;
use crate::name::Name;
use crate::profile::{PathLength, Profile};
use crate::registry::{KeptCas, Newcomers, Registry};

/// Longest name of a CA, in characters.
pub const MAX_NAME: usize = 64;

/// How the directory of a CA begins until it is whole.
const IN_THE_MAKING: &str = ".new-";

type Result<T> = std::result::Result<T, AuthorityError>;

/// Policies as they are given, by the name of the CA.
type Given = Arc<BTreeMap<String, SigningPolicy>>;

/// A CA of the directory: what is known of it without its key.
#[derive(Debug, Clone)]
pub struct Ca {
    /// Its name: that of its directory.
    pub name: String,
    /// Its certificate and those above it, the root last.
    pub chain: Vec<Certificate>,
    /// Name of the CA above it, if that is in the directory too.
    pub parent: Option<String>,
    dir: PathBuf,
    key: KeyPlace,
}

/// How a new CA is to be.
#[derive(Debug, Clone)]
pub struct CaSettings<'a> {
    /// Its profile, of kind `root` or `intermediate`.
    pub profile: &'a Profile,
    /// Its subject.
    pub subject: &'a Name,
    /// Validity in days, in place of the profile's.
    pub days: Option<u32>,
    /// Path length, in place of the profile's.
    pub path_length: Option<PathLength>,
    /// What to do when it would outlive its issuer.
    pub beyond_issuer: BeyondIssuer,
    /// Where its key comes from, and where it is kept.
    pub key: NewKey<'a>,
}

/// An open PKI directory. Threads can share it.
#[derive(Debug)]
pub struct Pki {
    dir: PathBuf,
    registry: Registry,
    policies: BTreeMap<String, SigningPolicy>,
    /// The tables that they come from.
    tables: BTreeMap<String, RawPolicy>,
    /// What the database has of the CAs, if the registry is in one.
    kept: KeptCas,
    /// What came from there when the directory was opened.
    news: Vec<Brought>,
    longest: LongestChain,
    /// The keys that are certified, once [`Pki::issue`] has asked for them.
    certified: OnceLock<Newcomers>,
    /// Those of its requests that wait to be recorded.
    together: Together,
    /// Chains of its CAs, and the policies of pki.toml, as long as their files do not change.
    chains: Cached<Vec<Certificate>>,
    given: Cached<Given>,
    /// The last lists that it has looked at.
    lists: SeenLists,
}
