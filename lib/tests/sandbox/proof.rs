//! The library's proof of possession at a tenant that wants something else signed.

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::failure::Failure;
use c8y_pki_core::key::signer::Signer;
use c8y_pki_core::secret::Password;
use c8y_pki_engine::platform::pop::{self, CodeError};
use c8y_pki_engine::platform::{Client, Login, PlatformError, trusted};
use c8y_pki_sandbox::{Sandbox, Settings};

use crate::client::{PASSWORD, Pair, now, root, start_with};
use crate::wait;

fn tenant(code: Option<&str>) -> (Sandbox, Client, Pair) {
    let verification_code = code.map(str::to_owned);
    let sandbox = start_with(Settings { verification_code, ..Settings::default() });
    let login = Login::user(None, sandbox.user(), Password::new(PASSWORD));
    let roots = Certificate::all_from_pem_or_der(sandbox.ca_pem().as_bytes()).unwrap();
    let settings = c8y_pki_engine::platform::Settings::new(sandbox.url(), login);
    let client = Client::new(&c8y_pki_engine::platform::Settings { roots, ..settings }).unwrap();
    let pair = root(KeyType::EcP256, "Root");
    let new = trusted::NewTrusted {
        certificate: &pair.0,
        name: "Root",
        enabled: true,
        auto_registration: false,
    };
    wait(trusted::add(&client, &[new])).unwrap();
    (sandbox, client, pair)
}

#[test]
fn the_key_is_opened_for_a_code_and_for_nothing_else() {
    let (_sandbox, client, (ca, key)) = tenant(None);
    let open = || Ok::<_, PlatformError>(Box::new(&key) as Box<dyn Signer + '_>);
    let (proof, _) = wait(pop::prove(&client, &ca, open, now())).unwrap();
    assert_eq!(proof, pop::Proof::Made);
    let never = || -> Result<Box<dyn Signer>, PlatformError> { panic!("the key was opened") };
    let (proof, _) = wait(pop::prove(&client, &ca, never, now())).unwrap();
    assert_eq!(proof, pop::Proof::AlreadyComplete);

    let forged = "device_id,serial\nevil,01\n";
    let (sandbox, client, (ca, _)) = tenant(Some(forged));
    let error = wait(pop::prove(&client, &ca, never, now())).unwrap_err();
    assert!(
        matches!(error, PlatformError::Code { problem: CodeError::Control(17), .. }),
        "{error}"
    );
    assert_eq!(c8y_pki_engine::Error::from(error).fault(), c8y_pki_core::failure::Fault::Refusal);
    let found = wait(pop::code(&client, &ca.fingerprint_sha1(), false, now())).unwrap();
    assert!(matches!(pop::code_of(&client, &found), Err(PlatformError::Code { .. })));
    let state = sandbox.state();
    let there = &state["tenants"]["t1001"]["trusted_certificates"][0];
    assert_eq!(there["proof_of_possession_valid"], false);
}
