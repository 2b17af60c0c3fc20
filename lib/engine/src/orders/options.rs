//! How the devices of an order are made.

use serde::{Deserialize, Serialize};

use super::error::{OrderError, Result};
use crate::failure::Underlying;
use crate::provision::bundle::Bundle;
use crate::registry::OrderRecord;

/// How the devices of an order are made. What is not said is as usual.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderOptions {
    /// Name of a built-in profile, or the whole path of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
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
}
