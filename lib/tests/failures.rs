//! What an error comes to is the same, however deep it lies in another one.
#![cfg(feature = "engine")]

#[allow(dead_code, reason = "the listing of what is public needs more of it")]
#[path = "public_api/source.rs"]
mod source;

use std::error::Error as _;
use std::path::{Path, PathBuf};

use c8y_pki_core::crypto::CryptoError;
use c8y_pki_core::csr::CsrError;
use c8y_pki_core::failure::{Failure, Fault, Kind};
use c8y_pki_core::issue::IssueError;
use c8y_pki_core::key::KeyError;
use c8y_pki_core::read::ReadError;
use c8y_pki_core::store::StoreError;
use c8y_pki_engine::Error;
use c8y_pki_engine::device::credentials::CredentialError;
use c8y_pki_engine::inspect::InspectError;
use c8y_pki_engine::manifest::ManifestError;
use c8y_pki_engine::pki::AuthorityError;
use c8y_pki_engine::platform::PlatformError;
use c8y_pki_engine::provision::ProvisionError;
use c8y_pki_engine::rollout::RolloutError;
use c8y_pki_engine::selftest::SelfTestError;

fn failed() -> CryptoError {
    CryptoError::Failed("the system's random generator")
}

fn key() -> KeyError {
    failed().into()
}

#[test]
fn a_failure_of_the_crypto_backend_is_one_of_the_environment_everywhere() {
    let path = || PathBuf::from("key.pem");
    let read = || Box::new(ReadError::Key(key()));
    let all: Vec<Error> = vec![
        failed().into(),
        key().into(),
        IssueError::from(failed()).into(),
        CsrError::from(failed()).into(),
        StoreError::from(failed()).into(),
        ReadError::Key(key()).into(),
        InspectError::Key(key()).into(),
        ManifestError::from(failed()).into(),
        CredentialError::Key { path: path(), source: key() }.into(),
        AuthorityError::Key { path: path(), source: key() }.into(),
        AuthorityError::Certificate { path: path(), source: read() }.into(),
        ProvisionError::Key(key()).into(),
        ProvisionError::KeyFile { path: path(), source: read() }.into(),
        ProvisionError::Authority(AuthorityError::Key { path: path(), source: key() }).into(),
        RolloutError::Provision(ProvisionError::Key(key())).into(),
        PlatformError::Csr(CsrError::from(failed())).into(),
        SelfTestError::Key(key()).into(),
    ];
    for error in all {
        assert_eq!(error.fault(), Fault::Environment, "{error:?}");
        let in_a_file = error.in_file("device.pem");
        assert_eq!(in_a_file.fault(), Fault::Environment, "{in_a_file:?}");
    }
}

#[test]
fn what_is_wrong_with_a_file_stays_so_in_every_error() {
    let wrong = || KeyError::WrongPassword;
    let read = || Box::new(ReadError::Key(wrong()));
    let path = || PathBuf::from("key.pem");
    let all: Vec<Error> = vec![
        wrong().into(),
        CredentialError::Key { path: path(), source: wrong() }.into(),
        AuthorityError::Key { path: path(), source: wrong() }.into(),
        ProvisionError::KeyFile { path: path(), source: read() }.into(),
        RolloutError::Certificate { path: path(), source: read() }.into(),
    ];
    for error in all {
        assert_eq!((error.fault(), error.fault().kind()), (Fault::Input, Kind::WrongInput));
        assert_eq!(error.hint(), wrong().hint(), "{error:?}");
    }
}

#[test]
fn an_error_keeps_the_one_that_it_comes_from() {
    let error = AuthorityError::Key { path: PathBuf::from("key.pem"), source: key() };
    let inner = error.source().and_then(|e| e.downcast_ref::<KeyError>());
    assert!(inner.is_some(), "{error:?}");
}

/// What derives `thiserror::Error` and is public.
fn is_public_error(item: &syn::Item) -> bool {
    let derives = |attribute: &syn::Attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("derive") && list.tokens.to_string().contains("Error")
    };
    source::is_public(item) && source::attributes(item).iter().any(derives)
}

#[test]
fn every_public_error_says_whose_fault_it_is() {
    let mut source = source::Source::default();
    for name in ["core", "engine", "sandbox"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join("src");
        source.add(&format!("c8y_pki_{name}"), &root);
    }
    let (mut known, mut silent) = (0, Vec::new());
    for (module, content) in &source.modules {
        for (name, _) in content.items.iter().filter(|(_, item)| is_public_error(item)) {
            let home = (module.clone(), name.clone());
            let says = source.has(&home, "Failure");
            known += 1;
            silent.extend((!says).then(|| format!("{}::{name}", module.join("::"))));
        }
    }
    assert!(known > 50, "only {known} errors were found");
    assert!(silent.is_empty(), "without the trait Failure: {silent:#?}");
}
