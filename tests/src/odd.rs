//! What `device issue` does not make: certificates of other dates or with a name that the platform
//! refuses, and chains that are not whole or not in order.

use c8y_pki::cert::{Certificate, Serial};
use c8y_pki::issue::{self, Issuer, Order, Validity};
use c8y_pki::key::PrivateKey;
use c8y_pki::name::Name;
use c8y_pki::profile::Profile;
use c8y_pki::secret::Password;
use c8y_pki::store::{self, DEVICE_KEY_ALIAS, Entry, EntryKind, Format, Store, WriteOptions};
use time::{Duration, OffsetDateTime};

use crate::cli::{Cli, PASSWORD};

/// A key, and a certificate of the CA `ca` for it: valid from so many minutes from now on, for so many.
///
/// # Panics
///
/// When it cannot be made.
pub fn dated(
    cli: &Cli,
    ca: &str,
    common_name: &str,
    from: i64,
    minutes: i64,
) -> (PrivateKey, Certificate) {
    let now = OffsetDateTime::now_utc();
    let ca_key = cli.read(&format!("pki/ca/{ca}/key.pem"));
    let ca_key = PrivateKey::read(&ca_key, Some(&Password::new(PASSWORD))).expect("the CA's key");
    let ca = certificates(cli, &format!("pki/ca/{ca}/cert.pem")).remove(0);
    let profile = Profile::built_in("device").expect("a profile");
    let key = PrivateKey::generate(profile.key).expect("a key");
    let not_before = now + Duration::minutes(from);
    let not_after = not_before + Duration::minutes(minutes);
    let name = Name::builder().with("CN", common_name).and_then(|name| name.build());
    let order = Order {
        profile: &profile,
        subject: &name.expect("a name"),
        public_key: key.public_key(),
        serial: Serial::random().expect("a serial number"),
        validity: Validity { issued: now, not_before, not_after },
        path_length: None,
    };
    let issuer = Issuer::new(&ca, &ca_key, now).expect("an issuer");
    let certificate = issue::issue(&order, &issuer).expect("a certificate");
    (key, certificate)
}

/// The certificates of a file.
///
/// # Panics
///
/// When it has none.
pub fn certificates(cli: &Cli, name: &str) -> Vec<Certificate> {
    let all = Certificate::all_from_pem_or_der(&cli.read(name));
    all.unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Writes what a device has into a folder: `key.pem` and `chain.pem`, `keystore.p12` and
/// `keystore.jks` under [`PASSWORD`]. The certificates stay in their order, whether it is right or not.
///
/// # Panics
///
/// When it cannot be written.
pub fn write_device(cli: &Cli, folder: &str, key: &PrivateKey, chain: &[Certificate]) {
    cli.write(&format!("{folder}/key.pem"), key.to_pem().expose());
    cli.write(
        &format!("{folder}/chain.pem"),
        chain.iter().map(Certificate::pem).collect::<String>(),
    );
    let kind = EntryKind::Key { pkcs8: key.pkcs8().clone(), chain: chain.to_vec() };
    let entry = Entry { alias: DEVICE_KEY_ALIAS.to_owned(), modified: None, kind };
    let store = Store { entries: vec![entry] };
    let password = Password::new(PASSWORD);
    let options = WriteOptions::new(Some(&password), OffsetDateTime::now_utc());
    for (name, format) in [("keystore.p12", Format::Pkcs12), ("keystore.jks", Format::Jks)] {
        let octets = store::write(&store, format, &options).expect("a store");
        cli.write(&format!("{folder}/{name}"), octets);
    }
}
