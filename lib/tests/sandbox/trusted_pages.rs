//! More trusted certificates than fit on a page: all of them are listed.

#![allow(clippy::disallowed_methods, reason = "the sandbox goes by the clock")]

use c8y_pki_core::cert::{Certificate, Serial};
use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::issue::{self, Order, Validity};
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::name::Name;
use c8y_pki_core::profile::Profile;
use c8y_pki_engine::platform::trusted::{self, Added, NewTrusted};
use c8y_pki_engine::platform::{Client, Login, Settings};
use c8y_pki_sandbox::{self as sandbox, Sandbox};
use time::OffsetDateTime;

use crate::wait;

/// The client asks for 1000 at a time.
const MANY: usize = 2003;

fn ca(number: usize, key: &PrivateKey, profile: &Profile) -> Certificate {
    let order = Order {
        profile,
        subject: &Name::parse(&format!("CN=CA {number}")).unwrap(),
        public_key: key.public_key(),
        serial: Serial::random().unwrap(),
        validity: Validity::of(profile, OffsetDateTime::now_utc(), None),
        path_length: None,
    };
    issue::self_sign(&order, key).unwrap()
}

#[test]
fn all_pages_are_listed() {
    let sandbox = Sandbox::start(sandbox::Settings::default()).unwrap();
    let login = Login::user(None, sandbox.user(), sandbox.password().clone());
    let roots = Certificate::all_from_pem_or_der(sandbox.ca_pem().as_bytes()).unwrap();
    let settings = Settings { roots, ..Settings::new(sandbox.url(), login) };
    let client = Client::new(&settings).unwrap();

    let profile = Profile::built_in("root").unwrap();
    let key = PrivateKey::generate(KeyType::EcP256).unwrap();
    let all: Vec<Certificate> = (0..MANY).map(|n| ca(n, &key, &profile)).collect();
    let new = |certificate| NewTrusted {
        certificate,
        name: "many",
        enabled: true,
        auto_registration: false,
    };
    // In parts: one request with all of them would be larger than a server takes.
    for part in all.chunks(500) {
        let new: Vec<NewTrusted<'_>> = part.iter().map(new).collect();
        let added = wait(trusted::add(&client, &new)).unwrap();
        assert!(added.iter().all(|added| *added == Added::Created));
    }
    let mut listed: Vec<String> =
        wait(trusted::list(&client)).unwrap().into_iter().map(|c| c.fingerprint).collect();
    let mut expected: Vec<String> = all.iter().map(Certificate::fingerprint_sha1).collect();
    listed.sort();
    expected.sort();
    assert!(listed == expected, "{} of {MANY} are listed", listed.len());
}
