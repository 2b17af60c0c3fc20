//! A certificate that a tenant holds, and how it is shown.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::site::Site;
use crate::cert::Certificate;
use crate::clock::iso;
use crate::crypto::{CryptoError, fill_random};
use crate::shown::{algorithm_name, decimal, lines, spaced};

/// Bytes of a code: "some 150 characters of base64" are made of them.
const LENGTH: usize = 111;

/// A code to be signed, and until when it counts.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) text: String,
    pub(crate) until: OffsetDateTime,
}

impl Code {
    /// A new code, from now on.
    pub(crate) fn new(site: &Site, now: OffsetDateTime) -> Result<Self, CryptoError> {
        let life = i64::try_from(site.code_seconds).unwrap_or(i64::MAX);
        // A life without end is one of a hundred years.
        let until = now + Duration::seconds(life.min(3_155_760_000));
        if let Some(text) = &site.verification_code {
            return Ok(Self { text: text.clone(), until });
        }
        let mut bytes = [0; LENGTH];
        fill_random(&mut bytes)?;
        Ok(Self { text: STANDARD.encode(bytes), until })
    }
}

/// A certificate that a tenant holds.
#[derive(Debug, Clone)]
pub(crate) struct Trusted {
    pub(crate) certificate: Certificate,
    pub(crate) fingerprint: String,
    pub(crate) name: String,
    pub(crate) enabled: bool,
    pub(crate) auto_registration: bool,
    pub(crate) in_trust_store: bool,
    /// Whether its proof of possession is complete.
    pub(crate) proven: bool,
    pub(crate) code: Option<Code>,
    /// Whether it is the tenant's own CA.
    pub(crate) own_authority: bool,
}

impl Trusted {
    pub(crate) fn new(certificate: Certificate, name: String) -> Self {
        Self {
            fingerprint: certificate.fingerprint_sha1(),
            certificate,
            name,
            enabled: true,
            auto_registration: false,
            in_trust_store: false,
            proven: false,
            code: None,
            own_authority: false,
        }
    }

    fn status(&self) -> &'static str {
        if self.enabled { "ENABLED" } else { "DISABLED" }
    }

    /// The certificate as REST shows it.
    pub(crate) fn object(&self, site: &Site, tenant: &str) -> Value {
        let cert = &self.certificate;
        let mut object = json!({
            "algorithmName": algorithm_name(cert),
            "certInPemFormat": lines(&cert.pem()),
            "fingerprint": self.fingerprint,
            "issuer": spaced(&cert.issuer),
            "name": self.name,
            "notAfter": iso(cert.not_after),
            "notBefore": iso(cert.not_before),
            "self": format!("{}/{}", collection_url(site, tenant), self.fingerprint),
            "serialNumber": decimal(&cert.serial),
            "status": self.status(),
            "subject": spaced(&cert.subject),
            "version": cert.version,
            "autoRegistrationEnabled": self.auto_registration,
            "proofOfPossessionValid": self.proven,
            "tenantCertificateAuthority": self.own_authority,
        });
        if let Some(code) = &self.code {
            object["proofOfPossessionUnsignedVerificationCode"] = code.text.clone().into();
            object["proofOfPossessionVerificationCodeUsableUntil"] = iso(code.until).into();
        }
        object
    }

    /// The certificate in the state.
    pub(crate) fn view(&self, locked_out: bool) -> Value {
        let cert = &self.certificate;
        json!({
            "fingerprint": self.fingerprint, "name": self.name, "status": self.status(),
            "subject": cert.subject.to_string(), "issuer": cert.issuer.to_string(),
            "serial_number": cert.serial.to_string(), "not_after": iso(cert.not_after),
            "auto_registration_enabled": self.auto_registration,
            "in_trust_store": self.in_trust_store,
            "proof_of_possession_valid": self.proven,
            "tenant_certificate_authority": self.own_authority,
            "locked_out": locked_out,
        })
    }
}

/// Where a tenant's certificates are.
pub(crate) fn collection_url(site: &Site, tenant: &str) -> String {
    format!("{}/tenant/tenants/{tenant}/trusted-certificates", site.url())
}
