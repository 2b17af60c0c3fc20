//! A CA is uploaded to a tenant, and possession of its key is proven. The tenant is a sandbox, started
//! as a test would start it; for a real one only host, user and roots differ.
//!
//! `cargo run -p c8y-pki --features sandbox --example proof_of_possession`

#![allow(clippy::disallowed_macros, reason = "an example prints")]
#![allow(clippy::disallowed_methods, reason = "an example looks at the clock")]

use c8y_pki::cert::{Certificate, LongestChain, Serial};
use c8y_pki::issue::{self, Order, Validity};
use c8y_pki::key::PrivateKey;
use c8y_pki::key::signer::Signer;
use c8y_pki::name::Name;
use c8y_pki::platform::blocking::Client;
use c8y_pki::platform::trusted::{self, NewTrusted};
use c8y_pki::platform::{Login, PlatformError, Settings, pop};
use c8y_pki::profile::Profile;
use c8y_pki::sandbox::{self, Sandbox};
use time::OffsetDateTime;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now = OffsetDateTime::now_utc();
    let (ca, key) = make_ca(now)?;

    let sandbox = Sandbox::start(sandbox::Settings::default())?;
    let login = Login::user(None, sandbox.user(), sandbox.password().clone());
    let roots = Certificate::all_from_pem_or_der(sandbox.ca_pem().as_bytes())?;
    let client = Client::new(&Settings { roots, ..Settings::new(sandbox.url(), login) })?;

    trusted::check(&ca, now)?;
    let new =
        NewTrusted { certificate: &ca, name: "Example", enabled: true, auto_registration: false };
    let added = client.wait(trusted::add(&client, &[new]))?;
    let open = || Ok::<_, PlatformError>(Box::new(&key) as Box<dyn Signer + '_>);
    let (proof, there) = client.wait(pop::prove(&client, &ca, open, now))?;
    println!("{}: {:?}, proof {proof:?}", there.name, added[0]);
    Ok(())
}

fn make_ca(now: OffsetDateTime) -> Result<(Certificate, PrivateKey), Box<dyn std::error::Error>> {
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
