//! A CA and a device, in memory: nothing touches the disk.
//!
//! `cargo run -p c8y-pki --example device_in_memory -- gw-0001`

#![allow(clippy::disallowed_macros, reason = "an example prints")]
#![allow(clippy::disallowed_methods, reason = "an example looks at the clock and its arguments")]

use c8y_pki::cert::{Certificate, LongestChain, Serial};
use c8y_pki::chain::{self, Options};
use c8y_pki::client_id::DeviceId;
use c8y_pki::issue::{self, Issuer, Order, Validity};
use c8y_pki::key::PrivateKey;
use c8y_pki::name::Name;
use c8y_pki::profile::Profile;
use time::OffsetDateTime;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let id = DeviceId::parse(&std::env::args().nth(1).unwrap_or_else(|| "gw-0001".to_owned()))?;
    let now = OffsetDateTime::now_utc();

    let (root, root_key) = make_root(now)?;
    let profile = Profile::built_in("device").ok_or("no such profile")?;
    let key = PrivateKey::generate(profile.key)?;
    let order = Order {
        profile: &profile,
        subject: &Name::builder().with("CN", id.as_str())?.with("O", "Example GmbH")?.build()?,
        public_key: key.public_key(),
        serial: Serial::random()?,
        validity: Validity::of(&profile, now, Some(90)),
        path_length: None,
    };
    let device = issue::issue(&order, &Issuer::new(&root, &root_key, now)?)?;

    let anchors = [root.clone()];
    let path = chain::verify(&device, &[], &anchors, &Options::new(now))?;
    for certificate in path.certificates() {
        println!("{}", certificate.subject);
    }
    print!("{}{}", device.pem(), root.pem());
    Ok(())
}

fn make_root(now: OffsetDateTime) -> Result<(Certificate, PrivateKey), Box<dyn std::error::Error>> {
    let profile = Profile::built_in("root").ok_or("no such profile")?;
    let key = PrivateKey::generate(profile.key)?;
    let order = Order {
        profile: &profile,
        subject: &Name::parse("CN=Example Root CA,O=Example GmbH,C=DE")?,
        public_key: key.public_key(),
        serial: Serial::random()?,
        validity: Validity::of(&profile, now, None),
        path_length: issue::path_length(profile.path_length, &[], LongestChain::CLOUD)?,
    };
    Ok((issue::self_sign(&order, &key)?, key))
}
