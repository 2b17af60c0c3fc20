//! A trusted certificate as the platform writes it, read with tolerance: what is not known is passed
//! over, what may be missing may be missing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::lenient;
use crate::cert::{CertError, Certificate};

/// A trusted certificate as the platform knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct TrustedCertificate {
    /// SHA-1 of the DER, 40 lower-case hexadecimal digits.
    pub fingerprint: String,
    /// Its name in the tenant.
    #[serde(default, deserialize_with = "text")]
    pub name: String,
    /// `ENABLED` or `DISABLED`.
    #[serde(default, deserialize_with = "text")]
    pub status: String,
    /// Whether devices are registered at their first connection.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub auto_registration_enabled: bool,
    /// Whether possession of its key is proven.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub proof_of_possession_valid: bool,
    /// The code to be signed, if one is out.
    #[serde(default)]
    pub proof_of_possession_unsigned_verification_code: Option<String>,
    /// Until when the code can be used.
    #[serde(
        default,
        deserialize_with = "moment",
        serialize_with = "time::serde::rfc3339::option::serialize"
    )]
    pub proof_of_possession_verification_code_usable_until: Option<OffsetDateTime>,
    /// Its subject.
    #[serde(default, deserialize_with = "text")]
    pub subject: String,
    /// Its issuer.
    #[serde(default, deserialize_with = "text")]
    pub issuer: String,
    /// First moment of validity.
    #[serde(
        default,
        deserialize_with = "moment",
        serialize_with = "time::serde::rfc3339::option::serialize"
    )]
    pub not_before: Option<OffsetDateTime>,
    /// Last moment of validity.
    #[serde(
        default,
        deserialize_with = "moment",
        serialize_with = "time::serde::rfc3339::option::serialize"
    )]
    pub not_after: Option<OffsetDateTime>,
    /// Whether it is the platform's own CA for this tenant.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub tenant_certificate_authority: bool,
    /// The certificate.
    #[serde(default, deserialize_with = "text")]
    pub cert_in_pem_format: String,
}

impl TrustedCertificate {
    /// Whether devices may use it.
    pub fn is_enabled(&self) -> bool {
        self.status == "ENABLED"
    }

    /// The certificate itself.
    ///
    /// Errors: the platform's PEM is none.
    pub fn certificate(&self) -> Result<Certificate, CertError> {
        // The platform answers with base64 without BEGIN and END, in lines of any length.
        let text = &self.cert_in_pem_format;
        let base64: String = text.split_ascii_whitespace().collect();
        match STANDARD.decode(base64) {
            Ok(der) => Certificate::from_der(&der),
            Err(_) => Certificate::all_from_pem_or_der(self.cert_in_pem_format.as_bytes())?
                .into_iter()
                .next()
                .ok_or(CertError::NoCertificate),
        }
    }

    /// Whether the verification code can still be used at that moment.
    pub fn has_usable_code(&self, now: OffsetDateTime) -> bool {
        self.proof_of_possession_unsigned_verification_code.is_some()
            && self.proof_of_possession_verification_code_usable_until.is_none_or(|t| t > now)
    }
}

/// A text as it is, which may hold anything; nothing for null.
fn text<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(input)?.unwrap_or_default())
}

/// An ISO 8601 time; none if it is missing or has another form, which must not stop a list.
fn moment<'de, D: Deserializer<'de>>(input: D) -> Result<Option<OffsetDateTime>, D::Error> {
    let text = Option::<String>::deserialize(input)?;
    Ok(text.and_then(|t| OffsetDateTime::parse(&t, &Rfc3339).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_is_read_in_each_form_that_servers_send() {
        let pem = include_str!("../../../testdata/root.cert.pem");
        let certificate = Certificate::all_from_pem_or_der(pem.as_bytes()).unwrap().remove(0);
        let pem = certificate.pem();
        let lines: Vec<&str> = pem.lines().filter(|line| !line.starts_with('-')).collect();
        for form in [
            pem.clone(),
            pem.replace('\n', "\r\n"),
            lines.join("\n"),
            lines.join("\r\n") + "\r\n",
            lines.join(" "),
            lines.concat(),
        ] {
            let object = serde_json::json!({ "fingerprint": "ab", "certInPemFormat": form });
            let read: TrustedCertificate = serde_json::from_value(object).unwrap();
            assert_eq!(read.certificate().unwrap(), certificate, "{form}");
        }
    }

    #[test]
    fn what_the_platform_sends_is_read_with_tolerance() {
        let text = r#"{"fingerprint":"ab","name":"n","status":"ENABLED","version":3,
            "autoRegistrationEnabled":"true","proofOfPossessionValid":null,
            "subject":null,"issuer":"CN=\u001b[31mred","certInPemFormat":null,
            "notAfter":"2026-08-14T10:00:00.000Z","notBefore":"whenever","unknown":{}}"#;
        let read: TrustedCertificate = serde_json::from_str(text).unwrap();
        assert!(read.auto_registration_enabled && !read.proof_of_possession_valid);
        assert_eq!(read.not_after, Some(time::macros::datetime!(2026-08-14 10:00 UTC)));
        assert_eq!(read.not_before, None);
        assert_eq!((read.subject.as_str(), read.issuer.as_str()), ("", "CN=\u{1b}[31mred"));
        let shown = serde_json::to_value(&read).unwrap();
        assert_eq!(shown["not_after"], "2026-08-14T10:00:00Z");
        assert_eq!(shown["auto_registration_enabled"], true);
    }
}
