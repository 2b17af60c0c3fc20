//! The rollout file as TOML has it: names, types, nothing checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

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
    pub(super) pki: Spanned<PathBuf>,
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
    pub(super) ca: PathBuf,
    pub(super) store: Option<PathBuf>,
    pub(super) pin: Option<PathBuf>,
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
    pub(super) days: Option<Spanned<u32>>,
    pub(super) token: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) existing_key: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDevices {
    pub(super) from: PathBuf,
    pub(super) id_column: Option<String>,
    pub(super) ca: Spanned<String>,
    pub(super) profile: Spanned<String>,
    pub(super) subject: Option<Spanned<String>>,
    pub(super) days: Option<Spanned<u32>>,
    pub(super) out: Spanned<PathBuf>,
    pub(super) bundle: Spanned<Vec<Bundle>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTruststore {
    #[serde(default)]
    pub(super) certificates: Vec<PathBuf>,
    #[serde(default)]
    pub(super) cas: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRegistration {
    pub(super) file: PathBuf,
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

fn yes() -> bool {
    true
}
