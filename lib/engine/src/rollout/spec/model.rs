//! A rollout file as it is used: checked, with paths made relative to where it stands.

use std::path::PathBuf;

use crate::cert::LongestChain;
use crate::key::pkcs11::KeyUri;
use crate::list::ListOptions;
use crate::name::{Name, NameBuilder};
use crate::profile::Profile;
use crate::provision::bundle::Bundle;
use crate::registration::Settings;
use crate::secret::Password;

/// A rollout file, checked.
#[derive(Debug)]
pub struct Spec {
    /// The file's path.
    pub file: PathBuf,
    /// The PKI directory.
    pub pki: PathBuf,
    /// Most certificates in a chain at the installation, if the file says it.
    pub longest_chain: Option<LongestChain>,
    /// Password files.
    pub passwords: PasswordFiles,
    /// CAs, parents before children.
    pub cas: Vec<CaSpec>,
    /// The devices.
    pub devices: DevicesSpec,
    /// What devices trust.
    pub truststore: TruststoreSpec,
    /// The registration CSV.
    pub registration: Option<RegistrationSpec>,
    /// What the tenant is to know.
    pub tenant: Option<TenantSpec>,
    /// The names of the file's tenants, where it has several: `[tenant.NAME]`.
    pub tenants: Vec<String>,
    /// The files of the profiles that are not built in.
    pub profiles: Vec<PathBuf>,
    /// Whether it is rehearsed: at another tenant than the file's. No file says so: the caller does.
    pub is_rehearsal: bool,
    /// What the rollout may do besides making what is missing. No file says so: the caller does.
    pub allowed: Allowed,
}

/// What a rollout may do only when it is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Make a CA whose subject another CA has: a second one, with another key.
    pub new_ca: bool,
    /// Issue devices again that are not as the file wants them.
    pub replace_differing: bool,
    /// Revoke devices that are no longer in the list, and withdraw them at the tenant.
    pub prune: bool,
    /// Issue devices of the list again that were revoked.
    pub issue_revoked: bool,
}

/// Passwords from elsewhere, for the files that do not exist. No file has them: the caller gives them.
#[derive(Debug, Default)]
pub struct Given {
    /// In place of [`PasswordFiles::ca`].
    pub ca: Option<Password>,
    /// In place of [`PasswordFiles::store`].
    pub store: Option<Password>,
    /// In place of [`PasswordFiles::pin`].
    pub pin: Option<Password>,
}

/// Password files.
#[derive(Debug)]
pub struct PasswordFiles {
    /// For the keys of CAs.
    pub ca: PathBuf,
    /// For keystores and truststores.
    pub store: Option<PathBuf>,
    /// The PIN of the token with keys of CAs. It is never made.
    pub pin: Option<PathBuf>,
    /// Whether those that do not exist are made.
    pub create: bool,
    /// Whether a weak password may protect the keys of new CAs. No file says so: the caller does.
    pub weak: bool,
    /// What is taken where a file does not exist.
    pub given: Given,
}

/// A CA that is to be there.
#[derive(Debug)]
pub struct CaSpec {
    /// Its name.
    pub name: String,
    /// The CA above it; none for a root.
    pub parent: Option<String>,
    /// Its profile.
    pub profile: Profile,
    /// Its subject, the profile's fields included.
    pub subject: Name,
    /// Validity in days, in place of the profile's.
    pub days: Option<u32>,
    /// Where its key is, if that is in a token.
    pub token: Option<TokenSpec>,
}

/// The key of a CA in a token.
#[derive(Debug)]
pub struct TokenSpec {
    /// The key.
    pub uri: KeyUri,
    /// Whether it is there already, and not to be made.
    pub existing_key: bool,
}

/// The devices that are to be there.
#[derive(Debug)]
pub struct DevicesSpec {
    /// Their list.
    pub from: PathBuf,
    /// How it is read.
    pub list: ListOptions,
    /// The issuing CA.
    pub ca: String,
    /// Their profile.
    pub profile: Profile,
    /// Subject fields besides CN.
    pub subject: NameBuilder,
    /// Validity in days, in place of the profile's.
    pub days: Option<u32>,
    /// The directory of their directories.
    pub out: PathBuf,
    /// The files of each.
    pub bundle: Vec<Bundle>,
}

/// What devices trust.
#[derive(Debug, Default)]
pub struct TruststoreSpec {
    /// PEM or DER files.
    pub certificates: Vec<PathBuf>,
    /// CAs of the PKI directory.
    pub cas: Vec<String>,
}

/// The registration CSV.
#[derive(Debug)]
pub struct RegistrationSpec {
    /// Where it is written.
    pub file: PathBuf,
    /// Where the platform's answer to each of its rows is kept.
    pub result: PathBuf,
    /// How it is to be.
    pub settings: Settings,
}

/// What the tenant is to know. Who asks is no part of the file.
#[derive(Debug, Clone)]
pub struct TenantSpec {
    /// Its name in the file, where that has several.
    pub section: Option<String>,
    /// Its host; by default that of the caller.
    pub host: Option<String>,
    /// The port to which devices connect: that of MQTT over TLS, or that of the MQTT Service.
    pub mqtt_port: u16,
    /// CAs of the PKI directory that it trusts.
    pub cas: Vec<String>,
    /// Whether devices are registered at their first connection.
    pub auto_registration: bool,
    /// Whether possession of the CAs' keys is proven.
    pub prove: bool,
    /// Whether the registration CSV is uploaded.
    pub register: bool,
    /// Rows of the CSV in one request.
    pub chunk: usize,
    /// Most rows a second, on average.
    pub rate: Option<u32>,
}

/// Which of a file's tenants is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which<'a> {
    /// The only one.
    TheOnly,
    /// The one of that name.
    Named(&'a str),
    /// None of them, if there are several.
    NoneOfSeveral,
}
