//! What the registry has of a server, and what the next certificate takes from it.

use std::collections::BTreeMap;

use super::error::{Result, ServerError};
use super::order::ServerOrder;
use crate::cert::{AltName, Certificate, oid};
use crate::crypto::KeyType;
use crate::name::{Name, NameBuilder, find_field};
use crate::pki::Pki;
use crate::registry::{Record, ServerName};

/// The detail in the registry that keeps which profile a server's certificate is of.
const PROFILE: &str = "profile";
/// The detail that keeps the type of the key that was made.
const KEY_TYPE: &str = "key_type";

/// The profile by which a server's certificate was made, as it was named then.
pub fn profile_of(record: &Record) -> Option<&str> {
    record.details.get(PROFILE).map(String::as_str)
}

/// The type of the key that was made for it.
pub fn key_type_of(record: &Record) -> Option<KeyType> {
    record.details.get(KEY_TYPE).and_then(|name| name.parse().ok())
}

/// The names of a server's certificate beside its subject.
///
/// Errors: a name of a form that no server has here.
pub fn alt_names_of(certificate: &Certificate) -> Result<Vec<AltName>> {
    match certificate.extension(oid::SUBJECT_ALT_NAME) {
        None => Ok(Vec::new()),
        Some(extension) => Ok(AltName::all_of_extension(&extension.value)?),
    }
}

/// The subject of a server's certificate without its common name, for the next one.
pub fn subject_of(certificate: &Certificate) -> Result<NameBuilder> {
    let mut builder = Name::builder();
    for attribute in certificate.subject.attributes().filter(|a| a.label() != "CN") {
        builder.push(find_field(attribute.label())?, &attribute.value)?;
    }
    Ok(builder)
}

/// The live certificate of a server.
///
/// Errors: [`ServerError::Unknown`] if there is none.
pub fn live(pki: &Pki, name: &ServerName) -> Result<Record> {
    let found = pki.registry().live_server(name)?;
    found.ok_or_else(|| ServerError::Unknown { name: name.clone() })
}

/// What the next certificate of the server is made by, unless somebody says otherwise.
pub(super) fn details(order: &ServerOrder<'_>, has_key: bool) -> BTreeMap<String, String> {
    let mut details = BTreeMap::from([(PROFILE.to_owned(), order.profile.name.clone())]);
    if has_key {
        details.insert(KEY_TYPE.to_owned(), order.profile.key.to_string());
    }
    details
}
