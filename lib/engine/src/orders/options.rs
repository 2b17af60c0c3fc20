//! How the devices of an order are made.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::{OrderError, Result};
use crate::crypto::KeyType;
use crate::failure::Underlying;
use crate::files;
use crate::name::{Name, NameBuilder, find_field};
use crate::profile::Profile;
use crate::provision::bundle::Bundle;
use crate::registry::OrderRecord;

/// How the devices of an order are made. What is not said is as usual.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderOptions {
    /// Name of a built-in profile, or the whole path of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// What stood in that file when the order was made; it counts. Orders of former versions do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_text: Option<String>,
    /// Type of their keys, in place of the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_type: Option<String>,
    /// Validity in days, in place of the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// Subject without the common name, in RFC 4514 form, in place of the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What each device gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bundle: Vec<Bundle>,
}

impl OrderOptions {
    /// Those of an order.
    ///
    /// Errors: [`OrderError::Options`] if a newer version has written something that is not known here.
    pub fn of(order: &OrderRecord) -> Result<Self> {
        Self::deserialize(&order.options).map_err(|e| OrderError::Options {
            name: order.name.clone(),
            problem: Underlying::of(e),
        })
    }

    /// The profile of its devices, with the type of their keys.
    pub fn profile_of_all(&self) -> Result<Profile> {
        let profile = match self.read_profile()? {
            Some(profile) => profile,
            None => "device".parse()?,
        };
        let key = self.key_type.as_deref().map(str::parse::<KeyType>).transpose()?;
        // What does not go together was refused when the options were read.
        Ok(key.and_then(|key| profile.clone().with_key(key).ok()).unwrap_or(profile))
    }

    /// The subject of its devices without the common name.
    pub(super) fn subject_of_all(&self, profile: &Profile) -> Result<NameBuilder> {
        match self.read_subject()? {
            Some(subject) => Ok(subject),
            None => Ok(profile.subject_except(&[])?),
        }
    }

    /// The subject that it gives, without the common name; none if it gives none.
    pub fn read_subject(&self) -> Result<Option<NameBuilder>> {
        let Some(text) = &self.subject else { return Ok(None) };
        let mut builder = Name::builder();
        for attribute in Name::parse(text)?.attributes() {
            builder.push(find_field(attribute.label())?, &attribute.value)?;
        }
        Ok(Some(builder))
    }

    /// The profile that it names; none if it names none.
    ///
    /// Errors: a file that is not there any more, for an order of a former version.
    pub fn read_profile(&self) -> Result<Option<Profile>> {
        let Some(name) = &self.profile else { return Ok(None) };
        if let Some(profile) = Profile::built_in(name) {
            return Ok(Some(profile));
        }
        let text = match &self.profile_text {
            Some(text) => text.clone(),
            None => String::from_utf8_lossy(&files::read_small(Path::new(name))?).into_owned(),
        };
        Ok(Some(Profile::parse(name, &text)?))
    }
}
