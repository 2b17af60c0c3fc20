//! What a profile says of extensions: names beside the subject, where lists and issuers are, extensions of the
//! user's own.
//!
//! ```toml
//! subject_alt_name = ["URI:urn:example:device:{id}"]          # devices and servers
//! crl_distribution_points = ["http://pki.example.com/line-7.crl"]
//! ocsp = ["http://ocsp.example.com/"]
//! ca_issuers = ["http://pki.example.com/line-7.cer"]
//! extended_key_usage_critical = true
//!
//! [[extension]]
//! oid = "1.3.6.1.4.1.32473.1"
//! critical = false
//! hex = "0c05762e312e32"                                      # its DER; or base64 = "…"
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use toml::Spanned;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::prelude::FromDer;

use super::raw::{At, List, Raw};
use crate::ber::Reader;
use crate::cert::{AltName, AltNameError, AltNamePattern, MAX_ALT_NAMES};
use crate::der;
use crate::failure::Failure;

/// Most bytes of an extension of the user's own: a certificate is sent with every handshake.
const MAX_CUSTOM: usize = 16 * 1024;

/// Extensions that are made here, and what says what is in them.
const OWN: [(&str, &str); 8] = [
    ("2.5.29.14", "subjectKeyIdentifier is always made from the key"),
    ("2.5.29.35", "authorityKeyIdentifier is always that of the CA's key"),
    ("2.5.29.15", "use key_usage"),
    ("2.5.29.17", "use subject_alt_name"),
    ("2.5.29.19", "use kind and path_length"),
    ("2.5.29.31", "use crl_distribution_points"),
    ("2.5.29.37", "use extended_key_usage"),
    ("1.3.6.1.5.5.7.1.1", "use ocsp and ca_issuers"),
];

/// Extensions that only CAs may have (RFC 5280, 4.2.1.5, 4.2.1.10, 4.2.1.11, 4.2.1.14).
const OF_CAS: [(&str, &str); 4] = [
    ("2.5.29.30", "nameConstraints"),
    ("2.5.29.33", "policyMappings"),
    ("2.5.29.36", "policyConstraints"),
    ("2.5.29.54", "inhibitAnyPolicy"),
];

/// What a profile says of extensions besides key usage and path length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extensions {
    /// Names that every certificate gets beside its subject.
    pub alt_names: Vec<AltNamePattern>,
    /// Addresses of the CA's revocation list, all of the same one (RFC 5280, 4.2.1.13).
    pub crl_distribution_points: Vec<String>,
    /// Addresses of OCSP responders (RFC 5280, 4.2.2.1).
    pub ocsp: Vec<String>,
    /// Addresses of the CA's certificate (RFC 5280, 4.2.2.1).
    pub ca_issuers: Vec<String>,
    /// Whether extKeyUsage is critical.
    pub extended_key_usage_critical: bool,
    /// Extensions of the user's own.
    pub custom: Vec<CustomExtension>,
}

/// An extension whose contents nobody here interprets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomExtension {
    /// The numbers of its object identifier.
    pub oid: Vec<u64>,
    /// Whether a verifier that does not know it must refuse the certificate.
    pub critical: bool,
    /// The DER of its value.
    pub value: Vec<u8>,
}

impl Extensions {
    /// The names of the certificate that is about `id`, beside its subject.
    ///
    /// Errors: the identifier cannot stand in one of them.
    pub fn alt_names_of(&self, id: &str) -> Result<Vec<AltName>, AltNameError> {
        self.alt_names.iter().map(|pattern| pattern.fill(id)).collect()
    }

    /// The value of cRLDistributionPoints: one point with all the addresses. None if there are none.
    pub(crate) fn points(&self) -> Option<Vec<u8>> {
        const FULL_NAME: u8 = der::CONTEXT_0;
        if self.crl_distribution_points.is_empty() {
            return None;
        }
        let names: Vec<Vec<u8>> = self.crl_distribution_points.iter().map(|u| uri(u)).collect();
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        let name = der::element(der::CONTEXT_0, &[&der::element(FULL_NAME, &names)]);
        Some(der::element(der::SEQUENCE, &[&der::element(der::SEQUENCE, &[&name])]))
    }

    /// The value of authorityInfoAccess; none if it would be empty.
    pub(crate) fn access(&self) -> Option<Vec<u8>> {
        /// id-ad-ocsp and id-ad-caIssuers.
        const OCSP: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 48, 1];
        const CA_ISSUERS: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 48, 2];
        let one = |method: &[u64], at: &String| {
            der::element(der::SEQUENCE, &[&der::oid(method), &uri(at)])
        };
        let all: Vec<Vec<u8>> = (self.ocsp.iter().map(|at| one(&OCSP, at)))
            .chain(self.ca_issuers.iter().map(|at| one(&CA_ISSUERS, at)))
            .collect();
        let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
        (!all.is_empty()).then(|| der::element(der::SEQUENCE, &all))
    }
}

/// A uniformResourceIdentifier.
fn uri(text: &str) -> Vec<u8> {
    der::element(der::CONTEXT_0_PRIMITIVE | 6, &[text.as_bytes()])
}

/// Reads and checks what a file says of extensions.
pub(super) fn read(raw: &Raw) -> Result<Extensions, At<String>> {
    let critical = match &raw.extended_key_usage_critical {
        Some(flag) if *flag.get_ref() && raw.extended_key_usage.is_none() => {
            let problem = "extended_key_usage_critical is given, and extended_key_usage is not";
            return Err((flag.span().start, problem.to_owned()));
        }
        Some(flag) => *flag.get_ref(),
        None => false,
    };
    Ok(Extensions {
        alt_names: alt_names(raw)?,
        crl_distribution_points: addresses(
            "crl_distribution_points",
            raw.crl_distribution_points.as_ref(),
            &["http", "ldap"],
        )?,
        ocsp: addresses("ocsp", raw.ocsp.as_ref(), &["http"])?,
        ca_issuers: addresses("ca_issuers", raw.ca_issuers.as_ref(), &["http", "ldap"])?,
        extended_key_usage_critical: critical,
        custom: custom(raw)?,
    })
}

/// The values of a list, which is not empty and has nothing twice.
fn values<'l>(key: &str, list: Option<&'l List>) -> Result<&'l [Spanned<String>], At<String>> {
    let Some(list) = list else { return Ok(&[]) };
    let (values, start) = (list.get_ref(), list.span().start);
    if values.is_empty() {
        return Err((start, format!("{key} is empty; leave the key out instead")));
    }
    if values.len() > MAX_ALT_NAMES {
        return Err((start, format!("{key} has more than {MAX_ALT_NAMES} values")));
    }
    for (at, value) in values.iter().enumerate() {
        if values[..at].iter().any(|other| other.get_ref() == value.get_ref()) {
            return Err((value.span().start, format!("{key} has {:?} twice", value.get_ref())));
        }
    }
    Ok(values)
}

fn alt_names(raw: &Raw) -> Result<Vec<AltNamePattern>, At<String>> {
    const KEY: &str = "subject_alt_name";
    if let Some(list) = raw.subject_alt_name.as_ref().filter(|_| raw.kind.is_ca()) {
        let problem =
            format!("{KEY} contradicts kind = \"{}\": devices and servers have one", raw.kind);
        return Err((list.span().start, problem));
    }
    let read = |value: &Spanned<String>| {
        AltNamePattern::parse(value.get_ref()).map_err(|e| {
            let hint = e.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
            (value.span().start, format!("{KEY}: {e}{hint}"))
        })
    };
    values(KEY, raw.subject_alt_name.as_ref())?.iter().map(read).collect()
}

/// Addresses with one of these schemes: RFC 5280, section 8, wants no https, since who fetches a list would have
/// to check a certificate first.
fn addresses(key: &str, list: Option<&List>, schemes: &[&str]) -> Result<Vec<String>, At<String>> {
    let read = |value: &Spanned<String>| {
        let text = value.get_ref();
        let fail = |problem: String| (value.span().start, format!("{key}: {problem}"));
        format!("URI:{text}")
            .parse::<AltName>()
            .map_err(|e| fail(format!("{text:?}: {}", e.problem)))?;
        let scheme = text.split(':').next().unwrap_or_default();
        if !schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme)) || !text.contains("://")
        {
            let known: Vec<String> = schemes.iter().map(|s| format!("{s}://")).collect();
            return Err(fail(format!(
                "{text:?} does not begin with {} (RFC 5280, section 8)",
                known.join(" or ")
            )));
        }
        Ok(text.clone())
    };
    values(key, list)?.iter().map(read).collect()
}

fn custom(raw: &Raw) -> Result<Vec<CustomExtension>, At<String>> {
    let mut all: Vec<CustomExtension> = Vec::new();
    for one in &raw.extension {
        let (start, own) = (one.span().start, one.get_ref());
        let (dotted, at) = (own.oid.get_ref().as_str(), own.oid.span().start);
        let fail = |problem: String| Err((at, format!("extension {dotted:?}: {problem}")));
        let Some(oid) = der::dotted_oid(dotted) else {
            return fail("that is no object identifier, such as 1.3.6.1.4.1.32473.1".to_owned());
        };
        if let Some((_, instead)) = OWN.iter().find(|(known, _)| *known == dotted) {
            return fail(format!("it is made from other keys of the profile: {instead}"));
        }
        if let Some((_, name)) =
            OF_CAS.iter().find(|(known, _)| *known == dotted && !raw.kind.is_ca())
        {
            return fail(format!("{name} is for CAs only (RFC 5280, 4.2.1)"));
        }
        if all.iter().any(|other| other.oid == oid) {
            return fail(
                "it is there twice (RFC 5280, 4.2: no extension more than once)".to_owned(),
            );
        }
        let value = match (&own.hex, &own.base64) {
            (Some(hex), None) => from_hex(hex.get_ref()).ok_or("hex is not pairs of hex digits"),
            (None, Some(text)) => {
                let text: String = text.get_ref().split_whitespace().collect();
                STANDARD.decode(text).map_err(|_| "base64 is not base64 (RFC 4648, section 4)")
            }
            _ => Err("give its DER as either hex or base64"),
        };
        let value = value.map_err(|problem| (start, format!("extension {dotted:?}: {problem}")))?;
        let extension = CustomExtension { oid, critical: own.critical, value };
        check_value(&extension, dotted)
            .map_err(|problem| (start, format!("extension {dotted:?}: {problem}")))?;
        all.push(extension);
    }
    Ok(all)
}

/// Hex digits in pairs, with spaces and colons between them or not.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
    base16ct::mixed::decode_vec(digits).ok()
}

/// Holds the value to DER, and that of an extension whose form is known to that.
fn check_value(extension: &CustomExtension, dotted: &str) -> Result<(), String> {
    let value = &extension.value;
    if value.is_empty() || value.len() > MAX_CUSTOM {
        return Err(format!("its value has {} bytes, not 1 to {MAX_CUSTOM}", value.len()));
    }
    let not_der = || "its value is not the DER of one element (X.690)".to_owned();
    let mut reader = Reader::new(value);
    let element = reader.any("its value").map_err(|_| not_der())?;
    if !reader.is_empty() || element.to_der().ok().as_ref() != Some(value) {
        return Err(not_der());
    }
    let critical: &[u8] = if extension.critical { &[der::BOOLEAN, 1, 0xff] } else { &[] };
    let wrapped = der::element(der::OCTET_STRING, &[value]);
    let whole = der::element(der::SEQUENCE, &[&der::oid(&extension.oid), critical, &wrapped]);
    let is_of_its_form = |extension: &X509Extension<'_>| {
        !matches!(extension.parsed_extension(), ParsedExtension::ParseError { .. })
    };
    match X509Extension::from_der(&whole) {
        Ok((rest, read)) if rest.is_empty() && is_of_its_form(&read) => Ok(()),
        _ => Err(format!("its value is not what {dotted} holds")),
    }
}

#[cfg(test)]
mod tests {
    use crate::profile::{BUILT_IN, Kind, Profile};

    fn with(more: &str) -> Result<Profile, String> {
        let (_, device) = BUILT_IN.iter().find(|(name, _)| *name == "device").unwrap();
        Profile::parse("my.toml", &format!("{device}{more}")).map_err(|e| e.to_string())
    }

    #[test]
    fn everything_is_read() {
        let profile = with(
            "extended_key_usage_critical = true\n\
             subject_alt_name = [\"URI:urn:x:{id}\", \"hardwareModuleName:1.3.6.1.4.1.32473.7:{id}\"]\n\
             crl_distribution_points = [\"http://a.com/a.crl\", \"ldap://a.com/cn=a\"]\n\
             ocsp = [\"http://a.com/\"]\nca_issuers = [\"http://a.com/a.cer\"]\n\
             [[extension]]\noid = \"1.3.6.1.4.1.32473.1\"\ncritical = false\nhex = \"0c 02:76 31\"\n\
             [[extension]]\noid = \"1.3.6.1.5.5.7.1.24\"\ncritical = true\nbase64 = \"MAMCAQU=\"\n",
        )
        .unwrap();
        let read = profile.extensions;
        let names = read.alt_names_of("gw-1").unwrap();
        assert_eq!(names[0].to_string(), "URI:urn:x:gw-1");
        assert_eq!(names[1].to_string(), "hardwareModuleName:1.3.6.1.4.1.32473.7:gw-1");
        assert!(read.extended_key_usage_critical);
        assert_eq!(read.custom[0].value, b"\x0c\x02v1");
        assert_eq!(read.custom[1].value, [0x30, 3, 2, 1, 5]);
        assert!(read.custom[1].critical && !read.custom[0].critical);
        assert_eq!(read.crl_distribution_points.len(), 2);
    }

    #[test]
    fn malformed_values_are_refused_with_the_rule_and_the_line() {
        let custom = |oid: &str, value: &str| {
            format!("[[extension]]\noid = \"{oid}\"\ncritical = false\n{value}\n")
        };
        for (more, rule) in [
            (
                "subject_alt_name = [\"DNS:a_b\"]".to_owned(),
                "line 10: subject_alt_name: \"DNS:a_b\"",
            ),
            ("subject_alt_name = [\"1.2.3.4\"]".to_owned(), "(write IP:1.2.3.4)"),
            ("subject_alt_name = []".to_owned(), "leave the key out"),
            ("subject_alt_name = [\"URI:a:b\", \"URI:a:b\"]".to_owned(), "twice"),
            (
                "crl_distribution_points = [\"https://a.com/a.crl\"]".to_owned(),
                "http:// or ldap://",
            ),
            ("crl_distribution_points = [\"a.crl\"]".to_owned(), "has a scheme"),
            ("ocsp = [\"ldap://a.com\"]".to_owned(), "does not begin with http://"),
            ("ca_issuers = [\"http://a b\"]".to_owned(), "percent-encoded"),
            (custom("1.3", "hex = '0500'\nbase64 = 'BQA='"), "either hex or base64"),
            (custom("1.3.6.1", ""), "either hex or base64"),
            (custom("1.3.6.1", "hex = '050'"), "pairs of hex digits"),
            (custom("1.3.6.1", "base64 = '?'"), "not base64"),
            (custom("1.3.6.1", "hex = ''"), "0 bytes"),
            (custom("1.3.6.1", "hex = '0501'"), "not the DER"),
            (custom("1.3.6.1", "hex = '05000500'"), "not the DER"),
            (custom("1.3.6.1", "hex = '04810161'"), "not the DER"),
            (custom("1.50.1", "hex = '0500'"), "no object identifier"),
            (custom("2.5.29.17", "hex = '0500'"), "use subject_alt_name"),
            (custom("2.5.29.30", "hex = '3000'"), "nameConstraints is for CAs only"),
            (custom("2.5.29.32", "hex = '0500'"), "not what 2.5.29.32 holds"),
            (custom("1.3.6.1", "hex = '0500'").repeat(2), "no extension more than once"),
        ] {
            let error = with(&more).unwrap_err();
            assert!(error.contains(rule), "{more}: {error}");
            assert!(error.starts_with("my.toml line "), "{error}");
        }
    }

    #[test]
    fn a_ca_has_no_names_beside_its_subject_and_may_have_constraints() {
        let (_, root) = BUILT_IN[0];
        let error = Profile::parse("r", &format!("subject_alt_name = [\"DNS:a.com\"]\n{root}"));
        assert!(error.unwrap_err().problem.to_string().contains("contradicts kind = \"root\""));
        let constrained = format!(
            "{root}\n[[extension]]\noid = \"2.5.29.30\"\ncritical = true\nhex = \"300ea00c300a820865782e6c6f63616c\"\n"
        );
        assert_eq!(Profile::parse("r", &constrained).unwrap().extensions.custom.len(), 1);
        assert!(!Kind::Server.is_ca());
    }
}
