//! The CSV of a registration, made from devices that are looked at twice: once for the columns, the
//! separator and all faults, once to be written. So it takes no more memory for a million devices.

use std::collections::BTreeSet;

use super::columns::{AGENT, KNOWN, NEED_TYPE_AND_NAME, OTP, SEPARATORS};
use super::error::RegistrationError;
use super::one_time::OTP_CHARS;
use super::row::{Row, Settings, row};
use crate::crypto::random_password;
use crate::list::Device;

/// Makes the CSV for these devices; see [`column_of`](super::column_of) for how the columns of a device list are
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

/// What the devices of a CSV have in common; each of them is [added](Self::add) once.
#[derive(Debug)]
pub struct Survey<'s> {
    settings: &'s Settings,
    columns: BTreeSet<String>,
    /// Which of the separators occur in a value.
    taken: [bool; SEPARATORS.len()],
    devices: usize,
    /// The first device without TYPE or NAME, and which of them: a fault if any device has a column that
    /// needs them.
    lacking: Option<(usize, String, &'static str)>,
    /// The first one with a value that cannot stand in its column.
    wrong: Option<(usize, RegistrationError)>,
}

impl<'s> Survey<'s> {
    /// Begins with none.
    pub fn new(settings: &'s Settings) -> Self {
        Self {
            settings,
            columns: BTreeSet::new(),
            taken: [false; SEPARATORS.len()],
            devices: 0,
            lacking: None,
            wrong: None,
        }
    }

    /// Looks at a device. Errors: a column that cannot be in the CSV.
    pub fn add(&mut self, device: &Device) -> Result<(), RegistrationError> {
        let row = row(device, self.settings, "")?;
        for ((separator, _), taken) in SEPARATORS.iter().zip(&mut self.taken) {
            let holds = |text: &str| text.contains(*separator);
            *taken = *taken || row.iter().any(|(column, value)| holds(column) || holds(value));
        }
        let id = device.id.as_str();
        if self.lacking.is_none() {
            let lacks = |column: &&str| row.get(*column).is_none_or(String::is_empty);
            let missing = ["TYPE", "NAME"].into_iter().find(lacks);
            self.lacking = missing.map(|missing| (self.devices, id.to_owned(), missing));
        }
        if self.wrong.is_none() {
            self.wrong = wrong_value(id, &row).map(|e| (self.devices, e));
        }
        self.devices += 1;
        for column in row.into_keys() {
            if !self.columns.contains(&column) {
                self.columns.insert(column);
            }
        }
        Ok(())
    }

    /// How many devices were added.
    pub fn devices(&self) -> usize {
        self.devices
    }

    /// Whether the list gives one-time passwords, so that the CSV is a secret.
    pub fn has_one_time_passwords(&self) -> bool {
        self.columns.contains(OTP)
    }

    /// The CSV that all of them fit into. Errors: the first of them that the platform would not take.
    pub fn sheet(mut self) -> Result<Sheet<'s>, RegistrationError> {
        if self.devices == 0 {
            self.columns.extend(["ID", "AUTH_TYPE"].map(str::to_owned));
        }
        let columns = ordered(self.columns)?;
        let demanding = NEED_TYPE_AND_NAME.into_iter().find(|c| columns.iter().any(|k| k == c));
        let lacking = demanding.zip(self.lacking).map(|(column, (at, id, missing))| {
            (at, RegistrationError::NeedsTypeAndName { id, column, missing })
        });
        // Of one device, what it lacks comes first.
        let first = lacking.into_iter().chain(self.wrong).min_by_key(|(at, _)| *at);
        if let Some((_, fault)) = first {
            return Err(fault);
        }
        // The first separator that no value contains, so that nothing needs quotes.
        let free = SEPARATORS.iter().zip(self.taken).find(|(_, taken)| !taken);
        let free = free.map_or(';', |((separator, _), _)| *separator);
        let separator = self.settings.separator.unwrap_or(free);
        Ok(Sheet { settings: self.settings, columns, separator })
    }
}

/// A CSV whose columns are known.
#[derive(Debug)]
pub struct Sheet<'s> {
    settings: &'s Settings,
    columns: Vec<String>,
    separator: char,
}

impl Sheet<'_> {
    /// Its first line.
    pub fn header(&self) -> String {
        self.line(self.columns.iter().map(String::as_str))
    }

    /// The line of a device, one of those that were [added](Survey::add). It has a new one-time password
    /// each time, if they have such.
    pub fn row(&self, device: &Device) -> Result<String, RegistrationError> {
        let password = match self.settings.one_time_passwords {
            true => Some(random_password(OTP_CHARS)?),
            false => None,
        };
        let row = row(device, self.settings, password.as_ref().map_or("", |p| p.expose()))?;
        let value = |column: &String| row.get(column).map_or("", String::as_str);
        Ok(self.line(self.columns.iter().map(value)))
    }

    fn line<'v>(&self, values: impl Iterator<Item = &'v str>) -> String {
        let delimiter = u8::try_from(self.separator).unwrap_or(b',');
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        // Text into memory: none of these fails.
        let _ = writer.write_record(values);
        String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
    }
}

/// All columns in the order of the platform: its own first, then custom properties, `external-…` last.
fn ordered(all: BTreeSet<String>) -> Result<Vec<String>, RegistrationError> {
    let rank = |column: &str| match KNOWN.iter().position(|k| *k == column) {
        Some(index) => index,
        None if column == AGENT => KNOWN.len(),
        None if column.starts_with("external-") => KNOWN.len() + 2,
        None => KNOWN.len() + 1,
    };
    let mut all: Vec<String> = all.into_iter().collect();
    all.sort_by_key(|column| rank(column));
    let mut external = all.iter().filter(|c| c.starts_with("external-"));
    if let (Some(first), Some(second)) = (external.next(), external.next()) {
        return Err(RegistrationError::TwoExternalIds(first.clone(), second.clone()));
    }
    Ok(all)
}

fn wrong_value(id: &str, row: &Row) -> Option<RegistrationError> {
    match row.get("SHELL").map(String::as_str) {
        None | Some("" | "1") => None,
        Some(other) => Some(RegistrationError::Value {
            id: id.to_owned(),
            column: "SHELL",
            value: other.to_owned(),
            rule: "the platform takes 1, or nothing",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::DeviceList;
    use crate::registration::check;

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
        let refusal = |csv: &str| create(&devices(csv), &Settings::default()).unwrap_err();
        assert!(matches!(
            refusal("id,credentials\na,pw\n"),
            RegistrationError::NotWithCertificates(_)
        ));
        assert!(matches!(refusal("id,x[0]\na,1\n"), RegistrationError::Array(_)));
        assert!(matches!(refusal("id,type,TYPE\na,1,2\n"), RegistrationError::SameColumn(..)));
        assert!(matches!(
            refusal("id,external-a,external-b\na,1,2\n"),
            RegistrationError::TwoExternalIds(..)
        ));
        assert!(matches!(
            refusal("id,type,name,shell\na,t,n,yes\n"),
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

    fn refused(csv: &str) -> String {
        let devices = DeviceList::from_csv("d.csv", csv.as_bytes()).unwrap().devices;
        let settings = Settings::default();
        let mut survey = Survey::new(&settings);
        devices.iter().for_each(|device| survey.add(device).unwrap());
        assert_eq!(survey.devices(), devices.len());
        survey.sheet().unwrap_err().to_string()
    }

    #[test]
    fn the_first_device_with_a_fault_is_named_wherever_the_demanding_column_is() {
        // What demands TYPE and NAME comes last, and the first device without them is named.
        let said = refused("id,type,name,group\na,t,n,\nb,t,,\nc,,n,\nd,t,n,P\n");
        assert!(said.starts_with("\"b\" has no NAME"), "{said}");
        let said = refused("id,type,name,shell\na,t,n,x\nb,t,,1\n");
        assert!(said.starts_with("SHELL of \"a\""), "{said}");
        let said = refused("id,type,name,shell\na,t,n,1\nb,t,,x\nc,t,n,y\n");
        assert!(said.starts_with("\"b\" has no NAME"), "{said}");
    }
}
