//! Broken set-ups: certificates of any kind, made in the process, as the files of a device beside a
//! sandbox tenant.

use c8y_pki_core::cert::{Certificate, Serial};
use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::issue::{self, Issuer, Order, Validity};
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::name::Name;
use c8y_pki_core::profile::Profile;
use c8y_pki_core::secret::Password;
use time::{Duration, OffsetDateTime};

use crate::at_tenant::AtTenant;
use crate::cli::{Cli, PASSWORD};

/// A certificate and its key.
#[derive(Debug)]
pub struct Made {
    /// The certificate.
    pub certificate: Certificate,
    /// Its key.
    pub key: PrivateKey,
}

impl Made {
    /// A CA of the PKI directory `pki`.
    ///
    /// # Panics
    ///
    /// When there is none of that name, or its key has another password than [`PASSWORD`].
    pub fn of_pki(cli: &Cli, name: &str) -> Self {
        let key = cli.read(&format!("pki/ca/{name}/key.pem"));
        let key = PrivateKey::read(&key, Some(&Password::new(PASSWORD))).expect("the CA's key");
        let certificate = cli.read(&format!("pki/ca/{name}/cert.pem"));
        let mut all = Certificate::all_from_pem_or_der(&certificate).expect("the CA's certificate");
        Self { certificate: all.remove(0), key }
    }

    /// The certificate as PEM.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// The key as PEM, without a password.
    ///
    /// # Panics
    ///
    /// Never: PEM is text.
    pub fn key_pem(&self) -> String {
        String::from_utf8(self.key.to_pem().expose().to_vec()).expect("PEM is text")
    }
}

/// A CA that signs itself, of a path length or of none.
pub fn root(name: &str, path_length: Option<u8>) -> Made {
    make("root", name, None, path_length, days(-10, 1000))
}

/// A CA that another one signs.
pub fn ca(name: &str, issuer: &Made, path_length: Option<u8>) -> Made {
    make("intermediate", name, Some(issuer), path_length, days(-9, 300))
}

/// A device's certificate, valid since two days ago.
pub fn device(name: &str, issuer: &Made) -> Made {
    device_for(name, issuer, -2, 100)
}

/// The same with other dates: days from now.
pub fn device_for(name: &str, issuer: &Made, from: i64, to: i64) -> Made {
    make("device", name, Some(issuer), None, days(from, to))
}

/// The same, valid from so many minutes from now on, for so many.
pub fn device_minutes(name: &str, issuer: &Made, from: i64, minutes: i64) -> Made {
    let validity = between(Duration::minutes(from), Duration::minutes(from + minutes));
    make("device", name, Some(issuer), None, validity)
}

/// A CA's next certificate: the same name and key, 200 days longer or more.
///
/// # Panics
///
/// When the CA cannot be certified.
pub fn renewed(ca: &Made, issuer: Option<&Made>) -> Made {
    let validity = days(-1, if issuer.is_some() { 600 } else { 1200 });
    let number = Serial::random().expect("a serial number");
    let signer = issuer.unwrap_or(ca);
    let by = Issuer::new(&signer.certificate, &signer.key, validity.counted_from);
    let by = by.expect("the issuer may sign");
    let certificate = issue::renew(&ca.certificate, &number, validity, &by).expect("a renewal");
    let key = ca.key_pem();
    let key = PrivateKey::read(key.as_bytes(), None).expect("its own PEM");
    Made { certificate, key }
}

fn days(from: i64, to: i64) -> Validity {
    between(Duration::days(from), Duration::days(to))
}

fn between(from: Duration, to: Duration) -> Validity {
    let now = OffsetDateTime::now_utc();
    Validity { counted_from: now, not_before: now + from, not_after: now + to }
}

fn make(
    profile: &str,
    name: &str,
    issuer: Option<&Made>,
    path_length: Option<u8>,
    validity: Validity,
) -> Made {
    // Nothing outlives its issuer.
    let end = issuer.map_or(validity.not_after, |made| made.certificate.not_after);
    let validity = Validity { not_after: validity.not_after.min(end), ..validity };
    let profile = Profile::built_in(profile).expect("a profile");
    let profile = profile.with_key(KeyType::EcP256).expect("EC P-256 suits all");
    let key = PrivateKey::generate(profile.key).expect("a key");
    let subject = Name::builder().with("CN", name).and_then(|n| n.build()).expect("a name");
    let order = Order {
        profile: &profile,
        subject: &subject,
        public_key: key.public_key(),
        serial: Serial::random().expect("a serial number"),
        validity,
        path_length,
    };
    let certificate = match issuer {
        Some(made) => Issuer::new(&made.certificate, &made.key, validity.counted_from)
            .and_then(|issuer| issue::issue(&order, &issuer)),
        None => issue::self_sign(&order, &key),
    };
    Made { certificate: certificate.expect("a certificate"), key }
}

/// Writes the files of a device: `<folder>/key.pem`, and these certificates, in their order, as
/// `chain.pem`.
pub fn bundle(cli: &Cli, folder: &str, key: &Made, chain: &[&Made]) {
    cli.write(&format!("{folder}/key.pem"), key.key_pem());
    let chain: String = chain.iter().map(|made| made.pem()).collect();
    cli.write(&format!("{folder}/chain.pem"), chain);
}

/// Uploads a CA to the sandbox's tenant, with more options of `tenant trust add`.
pub fn upload(at: &AtTenant, ca: &Made, more: &str) {
    upload_as("admin", at, ca, more);
}

/// The same as a user, `tenant/name`.
pub fn upload_as(user: &str, at: &AtTenant, ca: &Made, more: &str) {
    at.cli.write("upload.pem", ca.pem());
    at.cli.write("upload.key", ca.key_pem());
    let key = if more.contains("--prove") { "--key upload.key" } else { "" };
    at.run_as(user, &format!("tenant trust add upload.pem {more} {key}")).expect(0);
}
