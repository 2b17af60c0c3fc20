//! The row of one device.

use std::collections::{BTreeMap, HashMap};

use super::columns::{AGENT, OF_PASSWORDS, OTP, column_of, has_password};
use super::error::RegistrationError;
use super::one_time::OneTimePassword;
use crate::list::Device;

/// How the CSV is to be.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The separator; by default the first of `;` `,` tab that no value contains.
    pub separator: Option<char>,
    /// Values for all devices whose row has none, by header. `{id}` stands for the device
    /// identifier; another word in braces is refused.
    pub defaults: BTreeMap<String, String>,
    /// Leaves out the column that makes devices agents.
    pub no_agent: bool,
    /// Gives each device a random one-time password, to enrol at the platform's own CA with. The CSV
    /// is a secret then.
    pub one_time_passwords: bool,
}

pub(super) type Row = BTreeMap<String, String>;

/// The one-time password that a device's list gives it, if it gives one.
///
/// Errors: the platform does not take it.
pub fn one_time_password(device: &Device) -> Result<Option<OneTimePassword>, RegistrationError> {
    let given = device.details.iter().find(|(header, _)| column_of(header) == OTP);
    let given = given.map(|(_, value)| value).filter(|value| !value.is_empty());
    let wrong = |problem| RegistrationError::OneTime { id: device.id.to_string(), problem };
    given.map(|value| OneTimePassword::parse(value).map_err(wrong)).transpose()
}

/// What is said of a device of an order: by its list, unless something was said `later`, when it got a certificate. Then
/// only the passwords of the list count, which are not kept with certificates.
pub fn said_last(
    ordered: BTreeMap<String, String>,
    later: Option<&BTreeMap<String, String>>,
) -> BTreeMap<String, String> {
    let Some(later) = later.filter(|later| !later.is_empty()) else { return ordered };
    let passwords = ordered.into_iter().filter(|(header, _)| has_password(header));
    passwords.chain(later.clone()).collect()
}

/// What a device's list says in one of the platform's columns, `TYPE` for example, if it says anything.
pub fn column<'d>(details: &'d BTreeMap<String, String>, wanted: &str) -> Option<&'d str> {
    let found = details.iter().find(|(header, _)| column_of(header) == wanted);
    found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

/// The types of the external ids (`IDTYPE`) that these devices' list gives them, by their ids; the others
/// have the platform's default.
pub fn id_types<'a>(devices: impl IntoIterator<Item = &'a Device>) -> HashMap<String, String> {
    let of = |device: &Device| {
        let found = device.details.iter().find(|(header, _)| column_of(header) == "IDTYPE");
        found.map(|(_, value)| (device.id.to_string(), value.clone()))
    };
    devices.into_iter().filter_map(of).collect()
}

/// Looks for a placeholder other than `{id}` in a value for all devices: each device would get it as it is. Other
/// text in braces, such as JSON, is left alone.
pub(crate) fn check_placeholders(text: &str) -> Result<(), RegistrationError> {
    let is_word =
        |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let names = text.split('{').skip(1).filter_map(|after| after.split_once('}'));
    let unknown = names.map(|(name, _)| name).filter(is_word).find(|name| *name != "id");
    unknown.map_or(Ok(()), |name| Err(RegistrationError::Placeholder(name.to_owned())))
}

/// The cells of a device, by their columns; `password` is a new one-time password.
pub(super) fn row(
    device: &Device,
    settings: &Settings,
    password: &str,
) -> Result<Row, RegistrationError> {
    let mut row = Row::new();
    let mut origin: BTreeMap<String, &String> = BTreeMap::new();
    for (header, value) in &device.details {
        let column = column_of(header);
        match column.as_str() {
            OTP => {
                let wrong =
                    |problem| RegistrationError::OneTime { id: device.id.to_string(), problem };
                if !value.is_empty() {
                    OneTimePassword::parse(value).map_err(wrong)?;
                }
            }
            of_passwords if OF_PASSWORDS.contains(&of_passwords) => {
                return Err(RegistrationError::NotWithCertificates(header.clone()));
            }
            "AUTH_TYPE" => continue,
            other if other.contains('[') => return Err(RegistrationError::Array(column)),
            _ => {}
        }
        if let Some(first) = origin.insert(column.clone(), header) {
            return Err(RegistrationError::SameColumn(first.clone(), header.clone(), column));
        }
        row.insert(column, value.clone());
    }
    for (header, value) in &settings.defaults {
        check_placeholders(value)?;
        let value = value.replace("{id}", device.id.as_str());
        row.entry(column_of(header)).or_insert(value);
    }
    if !settings.no_agent {
        row.entry(AGENT.to_owned()).or_insert_with(|| "true".to_owned());
    }
    // One that the list gives was chosen by the device, which has it already.
    if settings.one_time_passwords && row.get(OTP).is_none_or(String::is_empty) {
        row.insert(OTP.to_owned(), password.to_owned());
    }
    row.insert("ID".to_owned(), device.id.as_str().to_owned());
    row.insert("AUTH_TYPE".to_owned(), "CERTIFICATES".to_owned());
    Ok(row)
}
