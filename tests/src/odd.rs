//! What `device issue` does not make: chains that are not whole or not in order.

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::secret::Password;
use c8y_pki_core::store::{self, DEVICE_KEY_ALIAS, Format, Store, WriteOptions};
use time::OffsetDateTime;

use crate::cli::{Cli, PASSWORD};

/// The certificates of a file.
///
/// # Panics
///
/// When it has none.
pub fn certificates(cli: &Cli, name: &str) -> Vec<Certificate> {
    let all = Certificate::all_from_pem_or_der(&cli.read(name));
    all.unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Writes what a device has into a directory: `key.pem` and `chain.pem`, `keystore.p12` and
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
    // Nothing looks at the chain here, as it is to be an odd one.
    let store = Store::of_issued_key(DEVICE_KEY_ALIAS, key.pkcs8().clone(), chain.to_vec());
    let password = Password::new(PASSWORD);
    let options = WriteOptions::new(Some(&password), OffsetDateTime::now_utc());
    for (name, format) in [("keystore.p12", Format::Pkcs12), ("keystore.jks", Format::Jks)] {
        let bytes = store::write(&store, format, &options).expect("a store");
        cli.write(&format!("{folder}/{name}"), bytes);
    }
}
