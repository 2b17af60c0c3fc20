//! The files of a device that is made again.

use std::path::Path;

use super::bundle::{self, Bundle};
use super::error::Result;
use super::job::Rules;
use crate::crypto::KeyType;
use crate::list::{Device, DeviceKey};
use crate::registry::Record;

/// The kinds of files that a device had with its last certificate, for a key of that type: where a job leaves them open it
/// gets them again. Refuses what cannot be made.
pub(super) fn kinds_again(
    last: &Record,
    device: &Device,
    rules: &Rules<'_>,
    (key_type, folder): (KeyType, Option<&Path>),
) -> Result<Vec<Bundle>> {
    let kinds = bundle::had(last, folder);
    if device.key == DeviceKey::New {
        kinds.iter().try_for_each(|kind| kind.check_key(key_type))?;
    }
    bundle::check(&kinds, rules.has_trusted, rules.encrypts_keys)?;
    Ok(kinds)
}
