//! A device in a manifest.

use serde::{Deserialize, Serialize};

use super::error::ManifestError;
use crate::cert::Certificate;
use crate::client_id::DeviceId;
use crate::clock::rfc3339;
use crate::crypto::{hex, sha256};
use crate::registry::Record;

/// A row of the CSV, and an object of the JSON: its fields are the columns and keys, and each of them has to be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) device_id: String,
    pub(crate) serial: String,
    pub(crate) fingerprint_sha256: String,
    pub(crate) public_key_sha256: String,
    pub(crate) not_before: String,
    pub(crate) not_after: String,
    pub(crate) status: String,
    pub(crate) issuer_fingerprint_sha256: String,
}

impl Row {
    /// The header of the CSV.
    pub(super) const COLUMNS: [&str; 8] = [
        "device_id",
        "serial",
        "fingerprint_sha256",
        "public_key_sha256",
        "not_before",
        "not_after",
        "status",
        "issuer_fingerprint_sha256",
    ];

    /// What is said of a device's certificate, and of the CA that has issued it.
    pub(super) fn of(record: &Record, issuer: &Certificate) -> Result<Self, ManifestError> {
        let cert = record.certificate()?;
        Ok(Self {
            device_id: record.holder.device().map(DeviceId::to_string).unwrap_or_default(),
            serial: cert.serial.to_string(),
            fingerprint_sha256: cert.fingerprint_sha256(),
            public_key_sha256: hex(&sha256(&cert.spki)),
            not_before: rfc3339(cert.not_before),
            not_after: rfc3339(cert.not_after),
            status: record.status.name().to_owned(),
            issuer_fingerprint_sha256: issuer.fingerprint_sha256(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_names_the_fields_in_their_order() {
        let text = [Row::COLUMNS.join(","), Row::COLUMNS.join(",")].join("\n") + "\n";
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let row: Row = reader.deserialize().next().unwrap().unwrap();
        assert_eq!(row.issuer_fingerprint_sha256, "issuer_fingerprint_sha256");
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.serialize(&row).unwrap();
        assert_eq!(writer.into_inner().unwrap(), text.as_bytes());
    }
}
