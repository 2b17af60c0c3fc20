//! From PEM files to a keystore: `cat`, `openssl pkcs12` and `keytool` in one go.
//!
//! `cargo run -p c8y-pki --example keystore -- key.pem chain.pem keystore.p12 password-file`

#![allow(clippy::disallowed_macros, reason = "an example prints")]
#![allow(clippy::disallowed_methods, reason = "an example looks at the clock and its arguments")]

use std::fs;
use std::io::Write as _;
use std::path::Path;

use c8y_pki::chain::{self, LeafChoice};
use c8y_pki::store::{self, DEVICE_KEY_ALIAS};
use c8y_pki::{Certificate, Format, Password, PrivateKey, Store, WriteOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [key, chain, out, password] = &args[..] else {
        return Err("usage: keystore KEY CHAIN OUT PASSWORD_FILE".into());
    };
    let password = Password::from_file(&fs::read(password)?)?;
    let key = PrivateKey::read(&fs::read(key)?, None)?;
    let heap = Certificate::all_from_pem_or_der(&fs::read(chain)?)?;
    // Whatever order the certificates are in: leaf first, each followed by its issuer.
    let ordered = chain::order(&heap, LeafChoice::PublicKey(key.public_key()))?;

    let mut keystore = Store::new();
    keystore.add_key(DEVICE_KEY_ALIAS, &key, ordered.certificates)?;
    let options = WriteOptions::new(Some(&password), time::OffsetDateTime::now_utc());
    let bytes = store::write(&keystore, Format::Pkcs12, &options)?;
    write_secret(Path::new(out), &bytes)?;
    println!("{out}");
    Ok(())
}

/// Into a new file that nobody else can read.
fn write_secret(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
