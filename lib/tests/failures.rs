//! What an error comes to is the same, however deep it lies in another one.
#![cfg(feature = "engine")]

#[allow(dead_code, reason = "the listing of what is public needs more of it")]
#[path = "public_api/source.rs"]
mod source;

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::crypto::CryptoError;
use c8y_pki_core::csr::CsrError;
use c8y_pki_core::failure::{Failure, Fault, Kind, Underlying, unsaid};
use c8y_pki_core::issue::IssueError;
use c8y_pki_core::key::KeyError;
use c8y_pki_core::profile::Profile;
use c8y_pki_core::read::ReadError;
use c8y_pki_core::store::StoreError;
use c8y_pki_engine::Error;
use c8y_pki_engine::device::credentials::CredentialError;
use c8y_pki_engine::inspect::InspectError;
use c8y_pki_engine::manifest::ManifestError;
use c8y_pki_engine::pki::{AuthorityError, Pki};
use c8y_pki_engine::platform::PlatformError;
use c8y_pki_engine::platform::fetch::fetch;
use c8y_pki_engine::provision::ProvisionError;
use c8y_pki_engine::registry::{Registry, RegistryError};
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

/// Whether an error of this type lies under another one.
fn is_over<E: std::error::Error + 'static>(error: &dyn std::error::Error) -> bool {
    let mut next = error.source();
    while let Some(error) = next {
        if error.is::<E>() {
            return true;
        }
        next = error.source();
    }
    false
}

#[test]
fn what_lies_under_an_error_is_kept_and_said_once() {
    let refused = fetch("127.0.0.1", 1, Duration::from_secs(5)).unwrap_err();
    let sentence = "cannot connect to 127.0.0.1:1: nothing listens on that port";
    assert_eq!(refused.to_string(), sentence);
    assert!(is_over::<std::io::Error>(&refused), "{refused:?}");
    assert_eq!(unsaid(&refused).len(), 1, "the system's words, which the sentence does not have");

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("pki.toml"), "version = one\n").unwrap();
    let config = Pki::open(dir.path(), time::OffsetDateTime::UNIX_EPOCH).unwrap_err();
    assert!(config.to_string().contains("pki.toml: line 1: "), "{config}");
    let under = config.source().and_then(|e| e.downcast_ref::<Underlying>());
    assert!(under.is_some_and(|under| under.source().is_some()), "{config:?}");

    // A directory is no file of SQLite's.
    let unusable = Registry::open(dir.path(), time::OffsetDateTime::UNIX_EPOCH).unwrap_err();
    assert!(matches!(unusable, RegistryError::Database { .. }), "{unusable:?}");
    assert!(is_over::<rusqlite::Error>(&unusable), "{unusable:?}");

    let profile = Profile::parse("mine.toml", "kind = ").unwrap_err();
    assert!(profile.to_string().starts_with("mine.toml line 1: "), "{profile}");
    assert!(profile.problem.source().is_some(), "{profile:?}");

    let cut = Certificate::from_der(b"\x30\x03\x02\x01").unwrap_err();
    assert!(cut.source().and_then(std::error::Error::source).is_some(), "{cut:?}");
    // An error of ours that another one says in its own sentence is not said again.
    let outer = Error::from(AuthorityError::Key { path: PathBuf::from("key.pem"), source: key() });
    assert_eq!(unsaid(&outer), [""; 0], "{outer}");
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

/// The names of the variants of an error, and of the structs, that keep a reason as a text.
fn reasons_as_text(item: &syn::Item) -> Vec<String> {
    let is_text = |field: &&syn::Field| {
        let syn::Type::Path(path) = &field.ty else { return false };
        let is_named = field.ident.as_ref().is_some_and(|name| name == "reason");
        is_named && path.path.is_ident("String")
    };
    match item {
        syn::Item::Enum(item) => {
            let variants = item.variants.iter();
            let found = variants.filter(|v| v.fields.iter().any(|field| is_text(&field)));
            found.map(|v| v.ident.to_string()).collect()
        }
        syn::Item::Struct(item) => {
            item.fields.iter().filter(is_text).map(|_| item.ident.to_string()).collect()
        }
        _ => Vec::new(),
    }
}

/// A text has no source: what another library or the system says is kept as an `Underlying`, and a rule of ours is
/// a variant with its values.
#[test]
fn no_error_keeps_its_reason_as_a_text() {
    let text: syn::Item =
        syn::parse_str("enum E { A { reason: String }, B { reason: Underlying } }").unwrap();
    assert_eq!(reasons_as_text(&text), ["A"]);
    let mut source = source::Source::default();
    for name in ["core", "engine", "sandbox"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join("src");
        source.add(&format!("c8y_pki_{name}"), &root);
    }
    let mut found = Vec::new();
    for (module, content) in &source.modules {
        for (name, item) in content.items.iter().filter(|(_, item)| is_public_error(item)) {
            let at = format!("{}::{name}", module.join("::"));
            found.extend(
                reasons_as_text(item).into_iter().map(|variant| format!("{at}::{variant}")),
            );
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
