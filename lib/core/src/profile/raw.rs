//! The form of a profile's file.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::kind::Kind;
use crate::crypto::RsaKeys;

/// A fault, and the byte at which it stands.
pub(super) type At<E> = (usize, E);

/// Values that know where they stand.
pub(super) type List = Spanned<Vec<Spanned<String>>>;

/// The file's form. `Spanned` remembers where a value stands, for messages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) kind: Kind,
    #[serde(default)]
    pub(super) description: String,
    pub(super) key: Spanned<String>,
    pub(super) rsa_keys: Option<Spanned<RsaKeys>>,
    pub(super) validity_days: Spanned<i64>,
    pub(super) backdate_minutes: Spanned<u32>,
    pub(super) path_length: Option<Spanned<RawPathLength>>,
    pub(super) key_usage: Spanned<Vec<String>>,
    pub(super) extended_key_usage: Option<Spanned<Vec<String>>>,
    pub(super) extended_key_usage_critical: Option<Spanned<bool>>,
    pub(super) subject_alt_name: Option<List>,
    pub(super) crl_distribution_points: Option<List>,
    pub(super) ocsp: Option<List>,
    pub(super) ca_issuers: Option<List>,
    #[serde(default)]
    pub(super) extension: Vec<Spanned<RawCustom>>,
    #[serde(default)]
    pub(super) subject: BTreeMap<Spanned<String>, OneOrMany>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a number from 0 to 255, \"none\" or \"computed\"")]
pub(super) enum RawPathLength {
    Number(u8),
    Word(String),
}

/// A subject field's value: OU may be a list.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a text in quotes, or a list of such texts")]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// `[[extension]]` as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCustom {
    pub(super) oid: Spanned<String>,
    pub(super) critical: bool,
    pub(super) hex: Option<Spanned<String>>,
    pub(super) base64: Option<Spanned<String>>,
}
