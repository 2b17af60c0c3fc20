//! What is known of a device, and what of it can stand on a label.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use time::{Date, OffsetDateTime};

use crate::cert::Certificate;
use crate::registration::OneTimePassword;
use crate::secret::Password;

/// What is not escaped in the address of a page: the unreserved characters (RFC 3986, 2.3).
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is known of a device.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Its identifier.
    pub id: String,
    /// Its live certificate's serial number, fingerprints and last day.
    pub certificate: Option<OfCertificate>,
    /// What its list says of it, by the platform's columns (`TYPE`, `NAME`, `PATH`, `ICCID`).
    pub list: std::collections::BTreeMap<String, String>,
    /// The order to which it belongs.
    pub order: Option<String>,
    /// For whom that is.
    pub customer: Option<String>,
    /// The tenant's domain, for the address of its registration.
    pub domain: Option<String>,
    /// With which it enrols.
    pub one_time: Option<OneTimePassword>,
    /// With which its keystore is opened.
    pub store_password: Option<Password>,
}

/// What a label says of a certificate.
#[derive(Debug, Clone)]
pub struct OfCertificate {
    serial: String,
    sha1: String,
    sha256: String,
    not_after: OffsetDateTime,
}

impl From<&Certificate> for OfCertificate {
    fn from(certificate: &Certificate) -> Self {
        Self {
            serial: certificate.serial.to_string(),
            sha1: certificate.fingerprint_sha1(),
            sha256: certificate.fingerprint_sha256(),
            not_after: certificate.not_after,
        }
    }
}

/// What stands in braces in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placeholder {
    /// The device's identifier.
    Id,
    /// The serial number of its certificate, as hex.
    Serial,
    /// The SHA-1 of its certificate, as the platform shows fingerprints.
    Sha1,
    /// The SHA-256 of its certificate.
    Sha256,
    /// The last day of its certificate (UTC).
    NotAfter,
    /// Its type, of its list.
    Type,
    /// Its name, of its list.
    Name,
    /// Its group, of its list.
    Group,
    /// Its SIM card, of its list.
    Iccid,
    /// The order.
    Order,
    /// For whom the order is.
    Customer,
    /// The page of the platform on which it is registered, with id and one-time password.
    Registration,
    /// Its one-time password.
    OneTime,
    /// The password of its keystore.
    StorePassword,
}

impl Placeholder {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Id,
        Self::Serial,
        Self::Sha1,
        Self::Sha256,
        Self::NotAfter,
        Self::Type,
        Self::Name,
        Self::Group,
        Self::Iccid,
        Self::Order,
        Self::Customer,
        Self::Registration,
        Self::OneTime,
        Self::StorePassword,
    ];

    /// What stands between the braces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Serial => "serial",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::NotAfter => "not_after",
            Self::Type => "type",
            Self::Name => "name",
            Self::Group => "group",
            Self::Iccid => "iccid",
            Self::Order => "order",
            Self::Customer => "customer",
            Self::Registration => "registration",
            Self::OneTime => "otp",
            Self::StorePassword => "store_password",
        }
    }

    /// Whether a person who reads it can pass for the device, or open its keystore.
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Registration | Self::OneTime | Self::StorePassword)
    }

    /// Whether it is of the device's certificate.
    pub fn is_of_certificate(self) -> bool {
        matches!(self, Self::Serial | Self::Sha1 | Self::Sha256 | Self::NotAfter)
    }

    /// What is missing where there is none; `None` where a device may well have none.
    pub(super) fn needed(self, facts: &Facts) -> Option<&'static str> {
        Some(match self {
            _ if self.is_of_certificate() => "live certificate",
            Self::Registration if facts.one_time.is_some() => "domain of its tenant",
            Self::Registration | Self::OneTime => "one-time password",
            Self::StorePassword => "store password",
            _ => return None,
        })
    }

    /// Its value; `None` if there is none.
    pub(super) fn of(self, facts: &Facts) -> Option<Cow<'_, str>> {
        let listed = |column: &str| facts.list.get(column).map(|value| value.as_str().into());
        let certificate = facts.certificate.as_ref();
        match self {
            Self::Id => Some(facts.id.as_str().into()),
            Self::Serial => certificate.map(|c| c.serial.as_str().into()),
            Self::Sha1 => certificate.map(|c| c.sha1.as_str().into()),
            Self::Sha256 => certificate.map(|c| c.sha256.as_str().into()),
            Self::NotAfter => certificate.map(|c| day(c.not_after.date()).into()),
            Self::Type => listed("TYPE"),
            Self::Name => listed("NAME"),
            Self::Group => listed("PATH"),
            Self::Iccid => listed("ICCID"),
            Self::Order => facts.order.as_deref().map(Cow::from),
            Self::Customer => facts.customer.as_deref().map(Cow::from),
            Self::Registration => registration(facts).map(Cow::from),
            Self::OneTime => facts.one_time.as_ref().map(|p| p.expose().into()),
            Self::StorePassword => facts.store_password.as_ref().map(|p| p.expose().into()),
        }
    }
}

fn day(date: Date) -> String {
    date.to_string()
}

/// The page that takes id and one-time password from its address (platform: "Bulk registration").
fn registration(facts: &Facts) -> Option<String> {
    let (domain, password) = (facts.domain.as_ref()?, facts.one_time.as_ref()?);
    let id = utf8_percent_encode(&facts.id, VALUE);
    let password = utf8_percent_encode(password.expose(), VALUE);
    Some(format!(
        "https://{domain}/apps/devicemanagement/index.html#/deviceregistration?externalId={id}&one-time-password={password}"
    ))
}
