//! What is sent and answered, as JSON. The OpenAPI document is made from these types.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::secret_text::SecretText;
use crate::clock::rfc3339;
use crate::crl::{Crl, Reason};
use crate::pki::{Ca, Issued};
use crate::registry::Record;
use crate::serve::answer::{Result, failed};

/// A request as an example, of the device gw-0001. The private key was thrown away.
const REQUEST: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIHNMHQCAQAwEjEQMA4GA1UEAwwHZ3ctMDAwMTBZMBMGByqGSM49AgEGCCqGSM49
AwEHA0IABNP8JCZ18jiZS1GDaVC25PI8pVOeHxliDtItS3hnRxZ3JEwV42/FTyky
+yVqAQVLEU8+w6XijOXaZ41KFU+fFHOgADAKBggqhkjOPQQDAgNJADBGAiEA26qE
lAKggV5jQAwhQkvxwRe4RHsKi19ncafJ1RULUjQCIQCKtZqqXWwYwXEXnvyidIBc
ilZtJsKHtZ7hStm0LtjPzg==
-----END CERTIFICATE REQUEST-----
";

/// What a device is to get: a certificate for the key of its `request`; or, with `bundle`, key and certificate.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["request"] }, { "required": ["bundle"] }]))]
pub(super) struct IssueRequest {
    /// The PKCS#10 request of the device, as PEM. Its key counts, and its common name has to be the device's id.
    #[schemars(example = REQUEST)]
    pub(super) request: Option<String>,
    /// The service makes the key, and answers it once, in a file of this kind.
    pub(super) bundle: Option<Kind>,
    /// The password of a keystore: at least 12 characters of printable ASCII that are not easily guessed. By default
    /// the service makes one.
    #[schemars(extend("minLength" = 12, "pattern" = "^[ -~]*$"))]
    pub(super) password: Option<SecretText>,
    /// Whether to make another one in place of a bundle whose answer was lost.
    #[serde(default)]
    pub(super) replace: bool,
}

/// A kind of file with the private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// The key as PEM (PKCS#8), without a password.
    Pem,
    /// Key and chain as PKCS#12.
    P12,
    /// Key and chain as a Java KeyStore.
    Jks,
}

/// What has the private key. It is answered once and kept nowhere.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct BundleView {
    /// What it is.
    pub(super) kind: Kind,
    /// The private key, as PEM; null if it is in a keystore.
    pub(super) key: Option<SecretText>,
    /// The keystore in base64; key and chain have the alias devicekeyentry.
    pub(super) keystore: Option<SecretText>,
    /// The password of the keystore, if the service has made it.
    pub(super) password: Option<SecretText>,
}

/// The certificate of a device.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct IssuedView {
    /// The device's id.
    id: String,
    /// The order that it is in.
    order: String,
    /// The serial number of the certificate, in hex.
    serial: String,
    /// The first moment of its validity.
    #[schemars(extend("format" = "date-time"))]
    not_before: String,
    /// The last moment of its validity.
    #[schemars(extend("format" = "date-time"))]
    not_after: String,
    /// The certificate, as PEM.
    certificate: String,
    /// What the device presents, as PEM: its certificate, then each issuer, the root last.
    chain: String,
    /// Whether it was made for this request. Else the same request was answered before.
    is_new: bool,
    /// The private key, if it was made here.
    bundle: Option<BundleView>,
    /// The serial number of the certificate in whose place it was made, if `replace` asked for that.
    replaced: Option<String>,
}

impl IssuedView {
    pub(super) fn of(issued: &Issued, order: &str) -> Self {
        Self {
            id: issued.id.to_string(),
            order: order.to_owned(),
            serial: issued.certificate.serial.to_string(),
            not_before: rfc3339(issued.certificate.not_before),
            not_after: rfc3339(issued.certificate.not_after),
            certificate: issued.certificate.pem(),
            chain: issued.chain_pem(),
            is_new: issued.is_new,
            bundle: None,
            replaced: None,
        }
    }

    pub(super) fn with(self, bundle: BundleView, replaced: Option<&Record>) -> Self {
        let replaced = replaced.map(|record| record.serial.to_string());
        Self { bundle: Some(bundle), replaced, ..self }
    }
}

/// What is known of a device.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeviceView {
    /// The device's id.
    id: String,
    /// The order that it is in, if it is in one that was not taken back.
    order: Option<String>,
    /// Its certificates, the oldest first.
    certificates: Vec<CertificateView>,
}

impl DeviceView {
    pub(super) fn of(id: &str, order: Option<String>, records: &[Record]) -> Result<Self> {
        // As it was recorded; a path may have it in another case.
        let recorded = records.iter().rev().find_map(|record| record.holder.device());
        let id = recorded.map_or(id, |id| id.as_str()).to_owned();
        let certificates = records.iter().map(CertificateView::of).collect::<Result<_>>()?;
        Ok(Self { id, order, certificates })
    }
}

/// A certificate of a device.
#[derive(Debug, Serialize, JsonSchema)]
struct CertificateView {
    /// Its serial number, in hex.
    serial: String,
    /// The name of the CA that has issued it.
    ca: String,
    /// Where it stands in its life.
    #[schemars(schema_with = "statuses")]
    status: &'static str,
    /// The first moment of its validity.
    #[schemars(extend("format" = "date-time"))]
    not_before: String,
    /// The last moment of its validity.
    #[schemars(extend("format" = "date-time"))]
    not_after: String,
    /// Since when it is revoked.
    #[schemars(extend("format" = "date-time"))]
    revoked_at: Option<String>,
    /// Why it is revoked (RFC 5280, 5.3.1).
    reason: Option<&'static str>,
    /// The SHA-256 of the certificate, in hex.
    fingerprint_sha256: String,
    /// The certificate, as PEM.
    certificate: String,
}

impl CertificateView {
    fn of(record: &Record) -> Result<Self> {
        let certificate = record.certificate().map_err(|e| failed(&e))?;
        Ok(Self {
            serial: record.serial.to_string(),
            ca: record.ca.clone(),
            status: record.status.name(),
            not_before: rfc3339(record.not_before),
            not_after: rfc3339(record.not_after),
            revoked_at: record.revoked.map(|(at, _)| rfc3339(at)),
            reason: record.revoked.map(|(_, reason)| reason.name()),
            fingerprint_sha256: certificate.fingerprint_sha256(),
            certificate: certificate.pem(),
        })
    }
}

fn statuses(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["live", "superseded", "revoked"] })
}

/// What is to be revoked, and why.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevocationRequest {
    /// Why.
    #[schemars(schema_with = "reasons")]
    pub(super) reason: String,
    /// The serial number of the certificate, in hex; by default the live one is meant.
    #[serde(default)]
    #[schemars(extend("pattern" = "^[0-9a-f]{2,64}$"))]
    pub(super) serial: Option<String>,
}

impl RevocationRequest {
    /// The reason, if it is one that is offered.
    pub(super) fn reason(&self) -> Option<Reason> {
        Reason::offered().find(|(_, name)| *name == self.reason).map(|(reason, _)| reason)
    }
}

fn reasons(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Reason::offered().map(|(_, name)| name).collect();
    json_schema!({ "type": "string", "enum": names })
}

/// A CA.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CaView {
    /// Its name.
    name: String,
    /// Its subject, as in RFC 4514.
    subject: String,
    /// The name of the CA above it, if that is in the PKI directory.
    parent: Option<String>,
    /// The first moment of its validity.
    #[schemars(extend("format" = "date-time"))]
    not_before: String,
    /// The last moment of its validity.
    #[schemars(extend("format" = "date-time"))]
    not_after: String,
    /// The SHA-256 of its certificate, in hex.
    fingerprint_sha256: String,
    /// Its certificate, as PEM.
    certificate: String,
    /// Its certificate and those above it, as PEM, the root last.
    chain: String,
    /// Its last revocation list, if it has made one.
    crl: Option<CrlView>,
}

/// What a revocation list says of itself.
#[derive(Debug, Serialize, JsonSchema)]
struct CrlView {
    /// When it was made.
    #[schemars(extend("format" = "date-time"))]
    this_update: String,
    /// When the next one is due.
    #[schemars(extend("format" = "date-time"))]
    next_update: Option<String>,
    /// How many certificates it has.
    revoked: usize,
}

impl CaView {
    pub(super) fn of(ca: &Ca, list: Option<&Crl>) -> Self {
        let own = ca.certificate();
        Self {
            name: ca.name.clone(),
            subject: own.subject.to_string(),
            parent: ca.parent.clone(),
            not_before: rfc3339(own.not_before),
            not_after: rfc3339(own.not_after),
            fingerprint_sha256: own.fingerprint_sha256(),
            certificate: own.pem(),
            chain: ca.chain_pem(),
            crl: list.map(|list| CrlView {
                this_update: rfc3339(list.this_update),
                next_update: list.next_update.map(rfc3339),
                revoked: list.revoked.len(),
            }),
        }
    }
}
