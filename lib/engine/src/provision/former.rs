//! What a device that is issued again has from its former certificate: the type of its key, and its subject.

use crate::crypto::KeyType;
use crate::failure::{Hint, Setting};
use crate::list::{BadRow, Device, DeviceKey};
use crate::name::{Name, NameBuilder};
use crate::profile::Profile;
use crate::registry::Record;

use super::bundle::Bundle;
use super::error::Result;

/// What of a device's former certificate counts for its next one, in place of what the job says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// The type of its key.
    pub key_type: bool,
    /// Its subject.
    pub subject: bool,
}

impl Keep {
    /// Whether anything does.
    pub(super) fn is_any(self) -> bool {
        self != Self::default()
    }
}

/// What a device has from its former certificate, where the job would make it otherwise.
#[derive(Debug, Default)]
pub(super) struct Former {
    pub(super) key_type: Option<KeyType>,
    pub(super) subject: Option<Name>,
}

impl Former {
    /// Reads it from the device's last certificate.
    pub(super) fn of(
        last: &Record,
        device: &Device,
        keep: Keep,
        (profile, subject): (&Profile, &NameBuilder),
    ) -> Result<Self> {
        let certificate = last.certificate()?;
        let is_new = keep.key_type && device.key == DeviceKey::New;
        let key = certificate.public_key.as_ref().ok().filter(|_| is_new);
        let key_type = key.and_then(|key| KeyType::of(key.algorithm()));
        let own = match keep.subject && device.subject.is_none() {
            true => Some(certificate.subject),
            false => None,
        };
        let usual = subject.clone().with("CN", device.id.as_str())?.build()?;
        Ok(Self {
            key_type: key_type.filter(|key| *key != profile.key),
            subject: own.filter(|own| *own != usual),
        })
    }

    /// Refuses a type of key that the profile or the files are not made for.
    pub(super) fn check(
        &self,
        device: &Device,
        (profile, kinds): (&Profile, &[Bundle]),
    ) -> std::result::Result<(), BadRow> {
        let Some(key) = self.key_type else { return Ok(()) };
        let fit = profile
            .clone()
            .with_key(key)
            .and_then(|_| key.check_available_by(profile.rsa_keys).map_err(|e| e.to_string()))
            .and_then(|()| {
                kinds.iter().try_for_each(|kind| kind.check_key(key)).map_err(|e| e.to_string())
            });
        fit.map_err(|problem| {
            let named = device.named();
            let message = format!("{named} has a key of type {key}, and gets one again: {problem}");
            BadRow::of(device, message, Some(Hint::give("choose another type", Setting::KeyType)))
        })
    }
}
