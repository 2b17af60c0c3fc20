//! The secrets of devices, from the files that have them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use c8y_pki_core::secret::Password;
use c8y_pki_core::shown;
use c8y_pki_engine::files;
use c8y_pki_engine::list::{ListFile, ListOptions};
use c8y_pki_engine::registration::{OneTimePassword, one_time_password};

use super::labelled::{Owner, named};
use crate::failure::{Failure, Result};

/// The one-time passwords of a list or a registration CSV, by device.
pub(super) fn one_time(file: &Path) -> Result<HashMap<String, OneTimePassword>> {
    let list = ListFile::open(file, ListOptions::default())?;
    let mut found = HashMap::new();
    list.each(|device| -> Result<()> {
        if let Some(password) = one_time_password(&device)? {
            found.insert(device.id.to_string(), password);
        }
        Ok(())
    })?;
    if found.is_empty() {
        return Err(Failure::usage(
            format!("{} has no column ENROLLMENT_OTP with one-time passwords", file.display()),
            "`c8y-pki registration create --one-time-passwords` makes such a file",
        ));
    }
    Ok(found)
}

/// Store passwords, as `device issue --secrets` writes them.
#[derive(Debug, Default)]
pub(super) struct StorePasswords {
    /// By the serial number of the certificate in the keystore.
    by_serial: HashMap<String, Password>,
    /// The serial numbers of a device.
    of_device: HashMap<String, Vec<String>>,
}

impl StorePasswords {
    /// Reads all these files; of two rows for one certificate the later one counts.
    pub(super) fn read(files: &[PathBuf]) -> Result<Self> {
        let mut all = Self::default();
        files.iter().try_for_each(|file| all.add(file))?;
        Ok(all)
    }

    /// The password of the keystore with that certificate.
    pub(super) fn of(&mut self, serial: &str) -> Option<Password> {
        self.by_serial.remove(serial)
    }

    /// Refuses store passwords of keystores that devices do not have any more.
    pub(super) fn refuse_former(&self, devices: &[Owner]) -> Result<()> {
        let former: Vec<String> = devices
            .iter()
            .filter_map(|Owner { id, serial, .. }| {
                let serial = serial.as_deref()?;
                let other = self.of_other(id, serial)?;
                Some(format!("{id} (that of {other}, it has {serial} now)"))
            })
            .collect();
        if former.is_empty() {
            return Ok(());
        }
        let (number, all) = (former.len() as u64, devices.len() as u64);
        let part = shown::part(number, all, "device", ("has", "have"));
        Err(Failure::usage(
            format!("{part} only the store password of another certificate: {}", named(&former)),
            "if the device was made again, the file that `device issue --secrets` wrote then has its present password: \
             add it with another --secrets FILE",
        ))
    }

    /// The certificate of a device to which the last of its rows belongs, if that is another one.
    fn of_other(&self, id: &str, serial: &str) -> Option<&str> {
        let known = self.of_device.get(id)?;
        let is_there = known.iter().any(|one| one == serial);
        known.last().filter(|_| !is_there).map(String::as_str)
    }

    fn add(&mut self, file: &Path) -> Result<()> {
        for (id, serial, password) in store(file)? {
            self.of_device.entry(id).or_default().push(serial.clone());
            self.by_serial.insert(serial, password);
        }
        Ok(())
    }
}

/// The rows of a file: id, serial number, password.
fn store(file: &Path) -> Result<Vec<(String, String, Password)>> {
    let wrong = || {
        Failure::usage(
            format!(
                "{} is not a file of store passwords (id,serial,store_password)",
                file.display()
            ),
            "name the file that `c8y-pki device issue --secrets` has written",
        )
    };
    let bytes = files::read(file)?;
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let heads = reader.headers().map_err(|_| wrong())?.clone();
    let column = |name: &str| heads.iter().position(|head| head == name).ok_or_else(wrong);
    let columns = [column("id")?, column("serial")?, column("store_password")?];
    let mut found = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|_| wrong())?;
        let [Some(id), Some(serial), Some(password)] = columns.map(|at| row.get(at)) else {
            return Err(wrong());
        };
        found.push((id.to_owned(), serial.to_owned(), Password::new(password)));
    }
    Ok(found)
}
