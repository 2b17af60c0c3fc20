//! The rollout file as TOML has it: names, types, nothing checked.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::cert::LongestChain;
use crate::provision::bundle::Bundle;

/// Of the file only the tenants, whatever is in them.
#[derive(Deserialize)]
pub(super) struct Shape {
    pub(super) tenant: Option<BTreeMap<String, toml::Value>>,
}

/// The file; `T` is one tenant, or several by their names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw<T> {
    pub(super) pki: Spanned<FilePath>,
    pub(super) longest_chain: Option<LongestChain>,
    pub(super) passwords: RawPasswords,
    pub(super) ca: Vec<RawCa>,
    pub(super) devices: RawDevices,
    #[serde(default)]
    pub(super) truststore: RawTruststore,
    pub(super) registration: Option<RawRegistration>,
    pub(super) tenant: Option<T>,
}

impl<T> Raw<T> {
    /// The same with this tenant.
    pub(super) fn with<U>(self, tenant: Option<U>) -> Raw<U> {
        let Self { pki, longest_chain, passwords, ca, devices, truststore, registration, .. } =
            self;
        Raw { pki, longest_chain, passwords, ca, devices, truststore, registration, tenant }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPasswords {
    pub(super) ca: FilePath,
    pub(super) store: Option<FilePath>,
    pub(super) pin: Option<FilePath>,
    #[serde(default)]
    pub(super) create: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCa {
    pub(super) name: Spanned<String>,
    pub(super) parent: Option<Spanned<String>>,
    pub(super) profile: Spanned<String>,
    pub(super) subject: Spanned<String>,
    pub(super) days: Option<Spanned<i64>>,
    pub(super) token: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) existing_key: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDevices {
    pub(super) from: FilePath,
    pub(super) id_column: Option<String>,
    pub(super) ca: Spanned<String>,
    pub(super) profile: Spanned<String>,
    pub(super) subject: Option<Spanned<String>>,
    pub(super) days: Option<Spanned<i64>>,
    pub(super) out: Spanned<FilePath>,
    pub(super) bundle: Spanned<Vec<Bundle>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTruststore {
    #[serde(default)]
    pub(super) certificates: Vec<FilePath>,
    #[serde(default)]
    pub(super) cas: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRegistration {
    pub(super) file: FilePath,
    pub(super) separator: Option<Spanned<String>>,
    pub(super) r#type: Option<Spanned<String>>,
    pub(super) name: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) set: BTreeMap<String, Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTenant {
    /// Its name, where there are several.
    #[serde(skip)]
    pub(super) section: Option<String>,
    pub(super) host: Option<String>,
    pub(super) mqtt_port: Option<Spanned<u16>>,
    pub(super) cas: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) auto_registration: bool,
    #[serde(default = "yes")]
    pub(super) prove: bool,
    pub(super) register: Option<Spanned<bool>>,
    pub(super) chunk: Option<Spanned<usize>>,
    pub(super) rate: Option<Spanned<u32>>,
}

/// A path of the file: one that names something.
#[derive(Deserialize)]
#[serde(try_from = "PathBuf")]
pub(super) struct FilePath(PathBuf);

impl TryFrom<PathBuf> for FilePath {
    type Error = &'static str;

    fn try_from(path: PathBuf) -> Result<Self, Self::Error> {
        match path.as_os_str().is_empty() {
            true => Err("the path is empty: name a file or a directory"),
            false => Ok(Self(path)),
        }
    }
}

impl Deref for FilePath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

fn yes() -> bool {
    true
}
