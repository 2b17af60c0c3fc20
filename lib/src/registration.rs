//! The CSV of the platform's bulk registration: made, and checked (platform: "Bulk registration").
//!
//! UTF-8, the first line holds the headers, the separator is a tab, `;` or `,`, which the platform
//! detects by itself. For devices with certificates: `ID` is the device identifier, `AUTH_TYPE` is
//! `CERTIFICATES`, `CREDENTIALS` is absent or empty. `ICCID`, `IDTYPE`, `PATH` and `SHELL` need
//! `TYPE` and `NAME`. `com_cumulocity_model_Agent.active` = `true` lets the device receive
//! operations. One more external id goes into a last column `external-<idtype>`. Any other header
//! is a custom property; dots in it nest.

mod check;
mod one_time;
mod records;
mod sheet;

use std::collections::{BTreeMap, HashMap};

pub(crate) use crate::list::lines::separator;
pub use check::{Finding, Level, Report, check, check_existing};
pub use one_time::{OneTimeError, OneTimePassword};
pub(crate) use records::{Record, records};
pub use sheet::{Sheet, Survey};

use crate::crypto::CryptoError;
use crate::list::Device;

/// The header that makes a device an agent.
pub const AGENT: &str = "com_cumulocity_model_Agent.active";

/// The platform's own columns in the order in which they are written.
const KNOWN: [&str; 10] =
    ["ID", "AUTH_TYPE", OTP, "TENANT", "TYPE", "NAME", "ICCID", "IDTYPE", "PATH", "SHELL"];

/// The one-time password with which a device enrols at the platform's own CA.
const OTP: &str = "ENROLLMENT_OTP";

/// Length of a one-time password, in characters; the platform takes 8 to 32.
const OTP_CHARS: usize = 20;

/// Columns of devices that have a password.
const OF_PASSWORDS: [&str; 2] = ["CREDENTIALS", OTP];

/// Columns that the platform accepts only together with TYPE and NAME.
const NEED_TYPE_AND_NAME: [&str; 4] = ["ICCID", "IDTYPE", "PATH", "SHELL"];

/// The separators that the platform detects.
pub const SEPARATORS: [(char, &str); 3] = [(';', "semicolon"), (',', "comma"), ('\t', "tab")];

/// Why a CSV cannot be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistrationError {
    /// A column without the two that it needs.
    #[error(
        "{id:?} has no {missing}; where there is a column {column}, the platform wants TYPE and NAME too"
    )]
    NeedsTypeAndName {
        /// The device.
        id: String,
        /// The column.
        column: &'static str,
        /// What is missing.
        missing: &'static str,
    },
    /// Two headers that mean the same column.
    #[error("the columns {0:?} and {1:?} of the device list both mean {2}")]
    SameColumn(String, String, String),
    /// More than one additional external id.
    #[error("the columns {0:?} and {1:?} are both external ids; the platform takes one")]
    TwoExternalIds(String, String),
    /// A column that certificate devices do not have.
    #[error("column {0:?} does not go with certificates")]
    NotWithCertificates(String),
    /// A header that makes an array.
    #[error("the custom property {0:?} would be an array, which the platform does not take")]
    Array(String),
    /// Making a one-time password.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// A one-time password that a list gives, and that the platform does not take.
    #[error("the one-time password (ENROLLMENT_OTP) of {id:?} cannot be used: {problem}")]
    OneTime {
        /// The device.
        id: String,
        /// What is wrong with it.
        problem: OneTimeError,
    },
    /// A value that cannot stand in its column.
    #[error("{column} of {id:?} is {value:?}; {rule}")]
    Value {
        /// The device.
        id: String,
        /// The column.
        column: &'static str,
        /// The value.
        value: String,
        /// What the platform takes.
        rule: &'static str,
    },
}

impl RegistrationError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NeedsTypeAndName { missing: "TYPE", .. } => {
                Some("give the devices a type: --type c8y_Gateway".to_owned())
            }
            Self::NeedsTypeAndName { .. } => {
                Some("give the devices a name: --name '{id}' uses the client id".to_owned())
            }
            Self::NotWithCertificates(_) => Some(
                "remove it; a column ENROLLMENT_OTP gives devices the one-time passwords with which they \
                 enrol, and --one-time-passwords makes them"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// How the CSV is to be.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The separator; by default the first of `;` `,` tab that no value contains.
    pub separator: Option<char>,
    /// Values for all devices whose row has none, by header. `{id}` stands for the device
    /// identifier.
    pub defaults: BTreeMap<String, String>,
    /// Leaves out the column that makes devices agents.
    pub no_agent: bool,
    /// Gives each device a random one-time password, to enrol at the platform's own CA with. The CSV
    /// is a secret then.
    pub one_time_passwords: bool,
}

/// Makes the CSV for these devices; see [`column_of`] for how the columns of a device list are
/// understood. For more devices than memory takes, there is [`Survey`].
pub fn create(devices: &[Device], settings: &Settings) -> Result<String, RegistrationError> {
    let mut survey = Survey::new(settings);
    devices.iter().try_for_each(|device| survey.add(device))?;
    let sheet = survey.sheet()?;
    let mut csv = sheet.header();
    for device in devices {
        csv.push_str(&sheet.row(device)?);
    }
    Ok(csv)
}

type Row = BTreeMap<String, String>;

/// The platform's column that a column of a device list means: `type`, `name`, `iccid`, `idtype`,
/// `shell`, `tenant` in any case, `group` for `PATH`, `otp` and `one-time-password` for `ENROLLMENT_OTP`; everything else stays as it is.
pub fn column_of(header: &str) -> String {
    let upper = header.to_uppercase();
    if upper == "GROUP" {
        return "PATH".to_owned();
    }
    if ["OTP", "ONE-TIME-PASSWORD", "ONE_TIME_PASSWORD"].contains(&upper.as_str()) {
        return OTP.to_owned();
    }
    if KNOWN.iter().chain(&OF_PASSWORDS).any(|known| *known == upper) {
        return upper;
    }
    header.to_owned()
}

/// The one-time password that a device's list gives it, if it gives one.
///
/// Errors: the platform does not take it.
pub fn one_time_password(device: &Device) -> Result<Option<OneTimePassword>, RegistrationError> {
    let given = device.details.iter().find(|(header, _)| column_of(header) == OTP);
    let given = given.map(|(_, value)| value).filter(|value| !value.is_empty());
    let wrong = |problem| RegistrationError::OneTime { id: device.id.to_string(), problem };
    given.map(|value| OneTimePassword::parse(value).map_err(wrong)).transpose()
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

fn row(device: &Device, settings: &Settings, password: &str) -> Result<Row, RegistrationError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::DeviceList;

    fn devices(csv: &str) -> Vec<Device> {
        DeviceList::from_csv("d.csv", csv.as_bytes()).unwrap().devices
    }

    #[test]
    fn the_order_of_columns_is_the_platforms() {
        let list =
            devices("id,site.floor,name,type,group,external-mac\na,2,A,t,P/Q,AABB\nb,,B,t,,\n");
        assert_eq!(
            create(&list, &Settings::default()).unwrap(),
            "ID;AUTH_TYPE;TYPE;NAME;PATH;com_cumulocity_model_Agent.active;site.floor;external-mac\n\
             a;CERTIFICATES;t;A;P/Q;true;2;AABB\n\
             b;CERTIFICATES;t;B;;true;;\n"
        );
    }

    #[test]
    fn path_needs_type_and_name() {
        let list = devices("id,group\na,P\n");
        let error = create(&list, &Settings::default()).unwrap_err();
        assert!(matches!(error, RegistrationError::NeedsTypeAndName { missing: "TYPE", .. }));
        let defaults = [("type", "acme"), ("NAME", "Device {id}")];
        let defaults = defaults.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let csv = create(&list, &Settings { defaults, ..Settings::default() }).unwrap();
        assert!(csv.contains("a;CERTIFICATES;acme;Device a;P;true"), "{csv}");
    }

    #[test]
    fn a_separator_is_chosen_that_needs_no_quotes() {
        let list = devices("id,name,type\na,\"x;y\",t\n");
        let csv = create(&list, &Settings::default()).unwrap();
        assert!(csv.contains("a,CERTIFICATES,t,x;y,true"), "{csv}");
        let separator = Some(';');
        let csv = create(&list, &Settings { separator, ..Settings::default() }).unwrap();
        assert!(csv.contains("a;CERTIFICATES;t;\"x;y\";true"), "{csv}");
    }

    #[test]
    fn columns_that_contradict_certificates_are_refused() {
        let refused = |csv: &str| create(&devices(csv), &Settings::default()).unwrap_err();
        assert!(matches!(
            refused("id,credentials\na,pw\n"),
            RegistrationError::NotWithCertificates(_)
        ));
        assert!(matches!(refused("id,x[0]\na,1\n"), RegistrationError::Array(_)));
        assert!(matches!(refused("id,type,TYPE\na,1,2\n"), RegistrationError::SameColumn(..)));
        assert!(matches!(
            refused("id,external-a,external-b\na,1,2\n"),
            RegistrationError::TwoExternalIds(..)
        ));
        assert!(matches!(
            refused("id,type,name,shell\na,t,n,yes\n"),
            RegistrationError::Value { .. }
        ));
    }

    #[test]
    fn what_we_make_passes_our_check() {
        let list = devices("id,name,type,group,external-mac\na,\"A;B\",t,P/Q,AABB\nb,B,t,,\n");
        for separator in [None, Some(';'), Some(','), Some('\t')] {
            let csv = create(&list, &Settings { separator, ..Settings::default() }).unwrap();
            let report = check("r.csv", csv.as_bytes());
            assert_eq!(report.findings, [], "{csv}");
            assert_eq!(report.rows, 2);
        }
    }

    #[test]
    fn one_time_passwords_are_random_and_as_the_platform_takes_them() {
        let devices: Vec<String> = (0..50).map(|n| format!("d-{n}\n")).collect();
        let devices = DeviceList::from_csv("d.csv", format!("id\n{}", devices.concat()).as_bytes());
        let settings = Settings { one_time_passwords: true, ..Settings::default() };
        let csv = create(&devices.unwrap().devices, &settings).unwrap();
        assert!(csv.starts_with("ID;AUTH_TYPE;ENROLLMENT_OTP;"), "{csv}");
        let report = check("r.csv", csv.as_bytes());
        assert_eq!(report.findings, []);
        let mut all: Vec<&str> = csv.lines().skip(1).filter_map(|l| l.split(';').nth(2)).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 50);
        assert!(all.iter().all(|otp| otp.len() == OTP_CHARS));
    }
}
