//! From PEM files to a keystore: `cat`, `openssl pkcs12` and `keytool` in one go.
//!
//! `cargo run -p c8y-pki --example keystore -- key.pem chain.pem keystore.p12 password-file`

#![allow(clippy::disallowed_macros, reason = "an example prints")]
#![allow(clippy::disallowed_methods, reason = "an example looks at the clock and its arguments")]

use std::path::Path;

use c8y_pki::cert::Certificate;
use c8y_pki::chain::{self, LeafChoice};
use c8y_pki::files::{self, Access, Existing};
use c8y_pki::key::PrivateKey;
use c8y_pki::secret::Password;
use c8y_pki::store::{self, DEVICE_KEY_ALIAS, Format, Store, WriteOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [key, chain, out, password] = &args[..] else {
        return Err("usage: keystore KEY CHAIN OUT PASSWORD_FILE".into());
    };
    let password = Password::from_file(&files::read(Path::new(password))?)?;
    let key = PrivateKey::read(&files::read(Path::new(key))?, None)?;
    let heap = Certificate::all_from_pem_or_der(&files::read(Path::new(chain))?)?;
    // Whatever order the certificates are in: leaf first, each followed by its issuer.
    let ordered = chain::order(&heap, LeafChoice::PublicKey(key.public_key()))?;

    let mut keystore = Store::new();
    keystore.add_key(DEVICE_KEY_ALIAS, &key, ordered.certificates)?;
    let options = WriteOptions::new(Some(&password), time::OffsetDateTime::now_utc());
    let bytes = store::write(&keystore, Format::Pkcs12, &options)?;
    files::write(Path::new(out), &bytes, Access::Private, Existing::Refuse)?;
    println!("{out}");
    Ok(())
}
