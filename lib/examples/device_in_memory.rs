//! A CA and a device, in memory: nothing touches the disk.
//!
//! `cargo run -p c8y-pki --example device_in_memory -- gw-0001`

#![allow(clippy::disallowed_macros, reason = "an example prints")]
#![allow(clippy::disallowed_methods, reason = "an example looks at the clock and its arguments")]

use c8y_pki::chain::{self, Options};
use c8y_pki::{DeviceId, InMemoryCa, Name, PrivateKey, Profile};
use time::OffsetDateTime;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let id: DeviceId = std::env::args().nth(1).unwrap_or_else(|| "gw-0001".to_owned()).parse()?;
    let now = OffsetDateTime::now_utc();

    let ca = InMemoryCa::new(&Name::parse("CN=Example Root CA,O=Example GmbH,C=DE")?, now)?;
    // `ca.device(&id, now)` does the rest with the usual fields; here the subject has one more.
    let profile = Profile::built_in("device").ok_or("no such profile")?;
    let key = PrivateKey::generate(profile.key)?;
    let subject = Name::builder().with("CN", id.as_str())?.with("O", "Example GmbH")?.build()?;
    let device = ca.certify(&profile, &subject, key.public_key(), now)?;

    let anchors = [ca.certificate().clone()];
    let path = chain::verify(&device, &[], &anchors, &Options::new(now))?;
    for certificate in path.certificates() {
        println!("{}", certificate.subject);
    }
    print!("{}{}", device.pem(), ca.certificate().pem());
    Ok(())
}
