//! A CA is uploaded to a tenant, and possession of its key is proven. The tenant is a sandbox, started
//! as a test would start it; for a real one only host, user and roots differ.
//!
//! `cargo run -p c8y-pki --features sandbox --example proof_of_possession`

#![allow(clippy::disallowed_macros, reason = "an example prints")]
#![allow(clippy::disallowed_methods, reason = "an example looks at the clock")]

use c8y_pki::sandbox::{Sandbox, Settings};
use c8y_pki::tenant::{Access, BlockingTenant, Host, Registering};
use c8y_pki::{Certificate, InMemoryCa, Name};
use time::OffsetDateTime;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now = OffsetDateTime::now_utc();
    let ca = InMemoryCa::new(&Name::parse("CN=Example Root CA,O=Example GmbH,C=DE")?, now)?;

    let sandbox = Sandbox::start(Settings::default())?;
    let host: Host = sandbox.url().parse()?;
    let roots = Certificate::all_from_pem_or_der(sandbox.ca_pem().as_bytes())?;
    let access = Access::user(&host, None, sandbox.user(), sandbox.password().clone());
    let tenant = BlockingTenant::new(&access.trusting(roots))?;

    let added = tenant.trust(ca.certificate(), "Example", Registering::ByHand, now)?;
    let proof = tenant.prove(ca.certificate(), ca.key(), now)?;
    println!("Example: {added:?}, proof {proof:?}");
    Ok(())
}
