//! The sandbox's own CA, made at its start and kept in memory, and the certificate of its server.

use std::net::IpAddr;

use time::{Duration, OffsetDateTime};

use super::SandboxError;
use crate::ber::Reader;
use crate::cert::{Certificate, Serial};
use crate::crypto::KeyType;
use crate::der;
use crate::issue::{self, IssueError, Issuer, Order, Parts, Replace, Validity, assemble};
use crate::key::{KeyError, PrivateKey};
use crate::name::Name;
use crate::profile::{Kind, PathLength, Profile};

const DAYS: u32 = 30;

/// The CA, and the server's key and certificate.
pub(super) struct Identity {
    pub(super) ca: Certificate,
    pub(super) ca_key: PrivateKey,
    pub(super) server: Certificate,
    pub(super) server_key: PrivateKey,
}

impl Identity {
    /// With a server's certificate that signed itself and says CA:TRUE, as `openssl req -x509` makes it and
    /// installations of Edge have it. It is its own CA.
    pub(super) fn self_signed(
        host: &str,
        bind: IpAddr,
        now: OffsetDateTime,
    ) -> Result<Self, SandboxError> {
        let names = alternative_names(host, bind)?;
        let name = "c8y-pki sandbox, self-signed (not Cumulocity)";
        let (subject, key) = (Name::builder().with("CN", name)?.build()?, generate()?);
        // Without keyUsage, as OpenSSL makes it.
        let plain = root_for(&[], &subject, &key, DAYS, now)?;
        let ca = with_names(&plain, &names, &key)?;
        let (server, server_key) = (ca.clone(), PrivateKey::from_pkcs8(key.pkcs8().expose()));
        let server_key = server_key.map_err(broken)?;
        Ok(Self { ca, ca_key: key, server, server_key })
    }

    /// For a server that is reached as `host`, as `localhost`, and at the loopback addresses.
    pub(super) fn make(
        host: &str,
        bind: IpAddr,
        now: OffsetDateTime,
    ) -> Result<Self, SandboxError> {
        let names = alternative_names(host, bind)?;
        let (ca, ca_key) = authority("c8y-pki sandbox CA (not Cumulocity)", now)?;
        let server_key = generate()?;
        let profile = profile(Kind::Device, &["digitalSignature"], &["serverAuth"]);
        let order = Order {
            profile: &profile,
            subject: &Name::builder().with("CN", "c8y-pki sandbox")?.build()?,
            public_key: server_key.public_key(),
            serial: Serial::random()?,
            validity: validity(now, DAYS),
            path_length: None,
        };
        let issuer = Issuer::new(&ca, &ca_key, now)?;
        let server = with_names(&issue::issue(&order, &issuer)?, &names, &ca_key)?;
        Ok(Self { ca, ca_key, server, server_key })
    }
}

/// A new root of EC P-256 that is called so, for a month.
pub(super) fn authority(
    common_name: &str,
    now: OffsetDateTime,
) -> Result<(Certificate, PrivateKey), SandboxError> {
    let subject = Name::builder().with("CN", common_name)?.build()?;
    let key = generate()?;
    let certificate = root(&subject, &key, DAYS, now)?;
    Ok((certificate, key))
}

/// A certificate of a root that has that key, for so many days.
pub(super) fn root(
    subject: &Name,
    key: &PrivateKey,
    days: u32,
    now: OffsetDateTime,
) -> Result<Certificate, SandboxError> {
    root_for(CA_USAGE, subject, key, days, now)
}

/// What the key of a CA is for.
const CA_USAGE: &[&str] = &["keyCertSign", "cRLSign"];

fn root_for(
    usage: &[&str],
    subject: &Name,
    key: &PrivateKey,
    days: u32,
    now: OffsetDateTime,
) -> Result<Certificate, SandboxError> {
    let profile = profile(Kind::Root, usage, &[]);
    let order = Order {
        profile: &profile,
        subject,
        public_key: key.public_key(),
        serial: Serial::random()?,
        validity: validity(now, days),
        path_length: Some(0),
    };
    Ok(issue::self_sign(&order, key)?)
}

/// A new key of EC P-256.
pub(super) fn generate() -> Result<PrivateKey, SandboxError> {
    PrivateKey::generate(KeyType::EcP256).map_err(broken)
}

fn broken(error: KeyError) -> SandboxError {
    match error {
        KeyError::Crypto(e) => e.into(),
        other => IssueError::Encoding(crate::failure::Underlying::of(other)).into(),
    }
}

fn validity(now: OffsetDateTime, days: u32) -> Validity {
    let now = now.replace_nanosecond(0).unwrap_or(now);
    Validity {
        not_before: now - Duration::hours(1),
        not_after: now + Duration::days(days.into()),
        counted_from: now,
    }
}

/// What goes into certificates that are made here.
pub(super) fn profile(kind: Kind, key_usage: &[&str], extended: &[&str]) -> Profile {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Profile {
        name: "sandbox".to_owned(),
        description: String::new(),
        kind,
        key: KeyType::EcP256,
        rsa_keys: Default::default(),
        validity_days: DAYS,
        backdate_minutes: 60,
        path_length: PathLength::Unlimited,
        key_usage: owned(key_usage),
        extended_key_usage: owned(extended),
        subject: Vec::new(),
        extensions: Default::default(),
    }
}

/// The value of subjectAltName (RFC 5280, 4.2.1.6): DNS names and addresses.
fn alternative_names(host: &str, bind: IpAddr) -> Result<Vec<u8>, SandboxError> {
    const DNS_NAME: u8 = 0x82;
    const IP_ADDRESS: u8 = 0x87;
    let mut addresses: Vec<IpAddr> =
        vec![[127, 0, 0, 1].into(), std::net::Ipv6Addr::LOCALHOST.into()];
    let mut names = vec!["localhost"];
    match host.parse::<IpAddr>() {
        Ok(address) => addresses.push(address),
        Err(_) if is_dns_name(host) => names.push(host),
        Err(_) => return Err(SandboxError::Host(host.to_owned())),
    }
    addresses.extend(Some(bind).filter(|bind| !bind.is_unspecified()));
    addresses.sort_unstable();
    addresses.dedup();
    names.dedup();
    let mut all = Vec::new();
    for name in names {
        all.extend(der::element(DNS_NAME, &[name.as_bytes()]));
    }
    for address in addresses {
        let bytes = match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        all.extend(der::element(IP_ADDRESS, &[&bytes]));
    }
    Ok(der::element(der::SEQUENCE, &[&all]))
}

fn is_dns_name(host: &str) -> bool {
    let label = |label: &str| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !label.is_empty() && label.len() < 64 && label.bytes().all(fits) && !label.starts_with('-')
    };
    host.len() < 254 && host.split('.').all(label)
}

/// The certificate with one more extension, signed again: profiles know no subjectAltName.
fn with_names(
    plain: &Certificate,
    names: &[u8],
    ca_key: &PrivateKey,
) -> Result<Certificate, SandboxError> {
    const EXTENSIONS: u8 = 0xa3;
    /// id-ce-subjectAltName, 2.5.29.17.
    const SUBJECT_ALT_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x11];
    let broken = || IssueError::Encoding("it has no extensions".into());
    let parts = Parts::read(plain.tbs())?;
    let explicit = parts.get(7)?;
    let inner = Reader::new(explicit).any("extensions").map_err(|_| broken())?.contents;
    let old =
        Reader::new(inner).tagged(der::SEQUENCE, "extensions").map_err(|_| broken())?.contents;
    let value = der::element(der::OCTET_STRING, &[names]);
    let extension = der::element(der::SEQUENCE, &[SUBJECT_ALT_NAME, &value]);
    let extensions = der::element(der::SEQUENCE, &[old, &extension]);
    let extensions = der::element(EXTENSIONS, &[&extensions]);
    let tbs = parts.replace(7, Replace::Der(&extensions))?.write();
    let der = assemble(&tbs, ca_key)?;
    let read = Certificate::from_der(&der);
    Ok(read.map_err(|e| IssueError::Encoding(crate::failure::Underlying::of(e)))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cert::GeneralName;
    use crate::chain::{self, Options, Purpose};

    #[test]
    fn the_servers_certificate_holds_its_names_and_its_chain() {
        let now = super::super::clock::now();
        let identity = Identity::make("edge.example.com", [127, 0, 0, 1].into(), now).unwrap();
        let mut options = Options::new(now);
        options.purpose = Purpose::ServerAuth;
        chain::verify(&identity.server, &[], &[identity.ca], &options).unwrap();
        let names = identity.server.subject_alt_names().unwrap().unwrap();
        let dns: Vec<_> = names
            .iter()
            .filter_map(|name| match name {
                GeneralName::Dns(name) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(dns, ["localhost", "edge.example.com"]);
        assert_eq!(names.len(), 4, "{names:?}");
    }

    #[test]
    fn hosts_that_are_none() {
        let loopback = [127, 0, 0, 1].into();
        for host in ["", "a b", "https://x", "x:1", "-x", "a..b"] {
            assert!(
                matches!(alternative_names(host, loopback), Err(SandboxError::Host(_))),
                "{host}"
            );
        }
    }
}
