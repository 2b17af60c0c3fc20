//! An order is made from a list, of which every row has to be good.

use time::OffsetDateTime;

use super::error::{OrderError, Result};
use super::options::OrderOptions;
use crate::client_id::{DeviceId, is_kept_by_windows};
use crate::failure::{Failure as _, Hint, Task};
use crate::issue::Validity;
use crate::list::{BadRow, BadRows, Device, ListError, ListFile, new_ids};
use crate::pki::{Ca, CertifyError, Pki, Terms};
use crate::profile::{Kind, Profile};
use crate::provision::ProvisionError;
use crate::registry::{NewOrder, OrderRecord, Ordered, Registry, RegistryError, Standing};

/// Most characters of an order's name: it is part of file names.
const MAX_NAME: usize = 64;

/// Most characters of a customer's name.
const MAX_CUSTOMER: usize = 200;

/// An order that is to be made.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// Its name.
    pub name: &'a str,
    /// Who has ordered.
    pub customer: Option<&'a str>,
    /// Name of the CA that is to issue the devices.
    pub ca: &'a str,
    /// How they are made.
    pub options: &'a OrderOptions,
    /// What the list is called.
    pub list: &'a str,
}

/// Makes an order from a list, with all its rows, in one transaction. Nothing is issued.
///
/// Errors: [`ListError::Rows`] with every row that cannot be used, also those whose device is in another order;
/// [`RegistryError::OrderExists`]; no such CA.
pub fn create(
    pki: &mut Pki,
    draft: &Draft<'_>,
    list: &ListFile,
    now: OffsetDateTime,
) -> Result<OrderRecord> {
    check_name(draft.name)?;
    let length = draft.customer.map_or(0, |name| name.chars().count());
    if length > MAX_CUSTOMER {
        return Err(OrderError::LongCustomer(length));
    }
    let ca = pki.ca(draft.ca)?;
    pki.check_not_revoked(&ca)?;
    if pki.registry().order(draft.name)?.is_some() {
        return Err(RegistryError::OrderExists { name: draft.name.to_owned() }.into());
    }
    let profile = draft.options.profile_of_all()?;
    check_options(&ca, draft.options, &profile, now)?;
    let (policy, subject) = (pki.policy(draft.ca), draft.options.subject_of_all(&profile)?);
    let terms = Terms { ca: &ca, policy: &policy, profile: &profile, subject: &subject };
    refuse_faults(pki.registry(), &terms, list)?;
    let options = serde_json::to_value(draft.options).unwrap_or_default();
    let order = NewOrder {
        name: draft.name,
        customer: draft.customer,
        ca: draft.ca,
        options: &options,
        list: draft.list,
    };
    pki.registry_mut().create_order(
        &order,
        |add| {
            list.each(|Device { id, line, details, .. }| {
                Ok::<_, OrderError>(add(&Ordered { id, line, details })?)
            })
        },
        now,
    )
}

/// The order of that name.
///
/// Errors: [`RegistryError::UnknownOrder`].
pub fn named(registry: &Registry, name: &str) -> Result<OrderRecord> {
    Ok(registry.order_named(name)?)
}

/// Refuses options with which no run could issue anything.
fn check_options(
    ca: &Ca,
    options: &OrderOptions,
    profile: &Profile,
    now: OffsetDateTime,
) -> Result {
    if profile.kind != Kind::Device {
        return Err(ProvisionError::WrongProfile { name: profile.name.clone() }.into());
    }
    if !options.bundle.is_empty() && !options.bundle.iter().any(|kind| kind.has_key()) {
        return Err(ProvisionError::NoKeyInBundle.into());
    }
    let (Some(days), end) = (options.days, ca.certificate().not_after) else { return Ok(()) };
    match Validity::of(profile, now, Some(days)).most_before(end) {
        None => Ok(()),
        Some(most) => Err(OrderError::Days { days, ca: ca.name.clone(), end: end.date(), most }),
    }
}

/// Refuses a list with rows that cannot be used, all of them at once.
fn refuse_faults(registry: &Registry, terms: &Terms<'_>, list: &ListFile) -> Result {
    let mut faults: BadRows = list.faults().clone();
    let mut standings = registry.standings()?;
    list.each(|device| -> Result {
        // One fault for each row.
        let fault = match registry.open_order_with(&device.id)? {
            Some((order, id)) => Some(ordered_already(&device, order, &id)),
            None => match standings.of(&device.id)? {
                Standing::Unknown => new_ids::fault(&device),
                Standing::Twin => Some(BadRow::twin(&device)),
                Standing::Server => Some(BadRow::server(&device)),
                Standing::Live | Standing::Former => None,
            },
        };
        let refused =
            |e: CertifyError| BadRow::of(&device, format!("{}: {e}", device.named()), e.hint());
        let fault = fault.or_else(|| terms.check(&device.id, None).err().map(refused));
        fault.into_iter().for_each(|fault| faults.add(fault));
        Ok(())
    })?;
    if faults.count == 0 {
        return Ok(());
    }
    let total = list.devices() + list.faults().count;
    faults.first.sort_by_key(|fault| fault.line);
    Err(ListError::Rows { faults, total }.into())
}

fn ordered_already(device: &Device, order: String, ordered: &DeviceId) -> BadRow {
    let as_there = match *ordered == device.id {
        true => String::new(),
        false => format!(", written {:?}", ordered.as_str()),
    };
    let message = format!("{} is in the order {order:?} already{as_there}", device.named());
    let hint = Hint::say("leave it out of the list")
        .then(Hint::run("or take that order back", Task::TakeOrderBack { name: order }));
    BadRow::of(device, message, Some(hint))
}

fn check_name(name: &str) -> Result {
    let fits = |b: u8| b.is_ascii_alphanumeric();
    let first = name.bytes().next().is_some_and(fits);
    let rest = name.bytes().all(|b| fits(b) || b"._-".contains(&b));
    if first && rest && name.len() <= MAX_NAME && !is_kept_by_windows(name) {
        Ok(())
    } else {
        Err(OrderError::BadName(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_file_names() {
        for good in ["acme", "ACME-2026.11_a", "7"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "con", "NUL.x", "a.", "../x", "a b", "-x", "ä", "a/b", &"x".repeat(65)]
        {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
