//! The secrets of devices, from the files that have them.

use std::collections::HashMap;
use std::path::Path;

use c8y_pki_core::secret::Password;
use c8y_pki_engine::files;
use c8y_pki_engine::list::{ListFile, ListOptions};
use c8y_pki_engine::registration::{OneTimePassword, one_time_password};

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

/// The store passwords of `device issue --secrets`, by the certificate's serial number.
pub(super) fn store(file: &Path) -> Result<HashMap<String, Password>> {
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
    let (serial, password) = (column("serial")?, column("store_password")?);
    let mut found = HashMap::new();
    for row in reader.records() {
        let row = row.map_err(|_| wrong())?;
        let (Some(serial), Some(password)) = (row.get(serial), row.get(password)) else {
            return Err(wrong());
        };
        found.insert(serial.to_owned(), Password::new(password));
    }
    Ok(found)
}
