//! How a device's certificate is made: as its order says, or as is usual at this service.

use std::collections::BTreeMap;

use super::answer::{Result, failed, forbidden};
use super::state::Shared;
use super::usual::Usual;
use crate::client_id::DeviceId;
use crate::crypto::{KeyType, PublicKey};
use crate::list::Device;
use crate::orders::OrderOptions;
use crate::provision::bundle::Bundle;
use crate::registration::{OneTimePassword, column_of, has_password, one_time_password};
use crate::registry::{OrderRecord, Record};

/// How one device's certificate is made.
pub(super) struct Terms {
    pub(super) usual: Usual,
    /// Columns of the device's list; they may be secrets.
    details: BTreeMap<String, String>,
    /// The one-time password that the list gives it.
    pub(super) password: Option<OneTimePassword>,
    /// The order that it is in.
    pub(super) order: Option<OrderRecord>,
    /// The type of key that its order wants.
    key_type: Option<KeyType>,
    /// What its order makes of each device; nothing if it does not say.
    pub(super) bundle: Vec<Bundle>,
}

impl Terms {
    /// Those of a device, by the order that it is in.
    pub(super) fn of(shared: &Shared, id: &DeviceId) -> Result<Self> {
        let usual = || shared.usual.clone();
        let registry = shared.pki.registry();
        let Some(name) = registry.open_order_of(id).map_err(|e| failed(&e))? else {
            let (details, bundle) = (BTreeMap::new(), Vec::new());
            let (order, password, key_type) = (None, None, None);
            return Ok(Self { usual: usual(), details, password, order, key_type, bundle });
        };
        let order = crate::orders::named(registry, &name).map_err(|e| failed(&e))?;
        let ordered = registry.ordered(id).map_err(|e| failed(&e))?;
        let details = match ordered {
            Some(ordered) if ordered.id != *id => {
                return Err(forbidden(&format!(
                    "device id {:?} is not in the order {name}, which has {:?}: an id is the same to the letter",
                    id.as_str(),
                    ordered.id.as_str()
                )));
            }
            Some(ordered) => ordered.details,
            // Taken back just now.
            None => BTreeMap::new(),
        };
        let device = Device { details, ..Device::from(id.clone()) };
        let password = one_time_password(&device).map_err(|e| failed(&e))?;
        let details = device.details;
        let options = OrderOptions::of(&order).map_err(|e| failed(&e))?;
        let key_type = options.key_type.as_deref().map(str::parse::<KeyType>);
        let key_type = key_type.transpose().map_err(|e| failed(&e))?;
        let bundle = options.bundle.clone();
        let order_kept = Some(order.clone());
        let mut terms =
            Self { usual: usual(), details, password, order: order_kept, key_type, bundle };
        terms.take_over(shared, &order, &options)?;
        Ok(terms)
    }

    fn take_over(
        &mut self,
        shared: &Shared,
        order: &OrderRecord,
        said: &OrderOptions,
    ) -> Result<()> {
        if order.ca != shared.ca()?.name {
            return Err(forbidden(&format!(
                "the device is in the order {}, which is for another CA than that of this service",
                order.name
            )));
        }
        if let Some(profile) = said.read_profile().map_err(|e| failed(&e))? {
            self.usual.profile = profile;
            let own = self.usual.profile.subject_except(&[]);
            self.usual.subject = own.map_err(|e| failed(&e))?;
        }
        if let Some(subject) = said.read_subject().map_err(|e| failed(&e))? {
            self.usual.subject = subject;
        }
        self.usual.days = said.days.or(self.usual.days);
        Ok(())
    }

    /// What is kept of the device with its next certificate: what its order says, and what was kept with the one before
    /// and the order does not say. No passwords.
    pub(super) fn kept_after(&self, before: Option<&Record>) -> BTreeMap<String, String> {
        let said: Vec<String> = self.details.keys().map(|header| column_of(header)).collect();
        let before = before.into_iter().flat_map(|record| &record.details);
        let before = before.filter(|(header, _)| !said.contains(&column_of(header)));
        let all = before.chain(&self.details).filter(|(header, _)| !has_password(header));
        all.map(|(header, value)| (header.clone(), value.clone())).collect()
    }

    /// The type of a key that is made here.
    pub(super) fn key_type(&self) -> KeyType {
        self.key_type.unwrap_or(self.usual.profile.key)
    }

    /// Refuses a key of another type than the order wants.
    pub(super) fn check_key(&self, key: &PublicKey) -> Result<()> {
        match (self.key_type, &self.order) {
            (Some(wanted), Some(order)) if KeyType::of(key.algorithm()) != Some(wanted) => {
                Err(forbidden(&format!(
                    "the order {} is for keys of type {wanted}, and the request has a key of {}",
                    order.name,
                    key.algorithm()
                )))
            }
            _ => Ok(()),
        }
    }
}
