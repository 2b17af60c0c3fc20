//! A policy as it stands in pki.toml.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::name::find_field;

/// What is asked of a field of the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldRule {
    /// It may be there.
    Optional,
    /// It must be there.
    Supplied,
    /// It must be there with the values that the CA's own subject has, in their order.
    Match,
}

/// A policy as it stands in pki.toml.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(
    expecting = "a table of fields with their rules, ids, ids_from, exact_ids, server_names and server_networks"
)]
pub(super) struct RawPolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ids_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exact_ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) server_names: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) server_networks: Option<Vec<String>>,
    #[serde(flatten, deserialize_with = "fields")]
    pub(super) fields: BTreeMap<String, FieldRule>,
}

/// The fields with their rules: all keys that are no setting. What is wrong is said of the key, which is known only here.
fn fields<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, FieldRule>, D::Error> {
    let all: BTreeMap<String, toml::Value> = Deserialize::deserialize(deserializer)?;
    let rule = |(name, value): (String, toml::Value)| match value.as_str() {
        Some("optional") => Ok((name, FieldRule::Optional)),
        Some("supplied") => Ok((name, FieldRule::Supplied)),
        Some("match") => Ok((name, FieldRule::Match)),
        _ if find_field(&name).is_err() => Err(D::Error::custom(format!(
            "`{name}` is no field of a subject, and no setting: these are ids, ids_from, exact_ids, server_names and \
             server_networks"
        ))),
        _ => Err(D::Error::custom(format!(
            "`{name}` is {value}, but must be \"optional\", \"supplied\" or \"match\""
        ))),
    };
    all.into_iter().map(rule).collect()
}

impl RawPolicy {
    /// Adds the ids of a text, one a line.
    pub(super) fn list(&mut self, text: &str) {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_owned);
        let ids = self.exact_ids.get_or_insert_default();
        ids.extend(lines);
        ids.sort_unstable();
        ids.dedup();
    }
}
