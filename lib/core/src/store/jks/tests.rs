use proptest::prelude::*;
use time::macros::datetime;

use super::super::tests::{sample, written};
use super::super::{Compat, Format, WriteOptions, open};
use super::*;
use crate::secret::SecretBytes;

fn protected(key: &[u8], password: &str) -> Vec<u8> {
    protect::protect(&SecretBytes::new(key), &Password::new(password), [7; 20])
}

#[test]
fn key_and_store_may_have_passwords_of_their_own() {
    let (store_password, key_password) = (Password::new("store"), Password::new("key"));
    let mut options = WriteOptions::new(Some(&store_password), datetime!(2026-01-01 0:00 UTC));
    options.key_password = Some(&key_password);
    let bytes = super::super::write(&sample(), Format::Jks, &options).unwrap();
    let with_both = open(&bytes, Some(&store_password), Some(&key_password)).unwrap();
    assert!(matches!(with_both.entries[0].kind, EntryKind::Key { .. }));
    let sealed = open(&bytes, Some(&store_password), None).unwrap();
    assert!(matches!(sealed.entries[0].kind, EntryKind::Sealed { .. }));
    // The key's password says nothing about the store's.
    let wrong = open(&bytes, Some(&Password::new("guess")), Some(&key_password));
    assert_eq!(wrong, Err(StoreError::WrongPassword { format: Format::Jks }));
    let refused = super::super::write(
        &sealed,
        Format::Pkcs12,
        &WriteOptions { key_password: None, ..options },
    );
    assert!(matches!(refused, Err(StoreError::SealedKey { .. })));
    // A sealed key survives being written again.
    let again = super::super::write(&sealed, Format::Jks, &options).unwrap();
    assert_eq!(open(&again, Some(&store_password), Some(&key_password)).unwrap(), with_both);
}

#[test]
fn version_1_has_no_certificate_types() {
    let bytes = written(&sample(), Format::Jks, Compat::Modern);
    let mut old = bytes[..bytes.len() - DIGEST].to_vec();
    old[7] = 1;
    while let Some(at) = old.windows(7).position(|w| w == b"\0\x05X.509") {
        old.drain(at..at + 7);
    }
    let password = Password::new("store-Secret-1");
    old.extend(protect::integrity_digest(&password, &old));
    let opened = open(&old, Some(&password), None).unwrap();
    assert_eq!(opened, open(&bytes, Some(&password), None).unwrap());
}

#[test]
fn counts_beyond_the_file_cost_nothing() {
    let count = [&MAGIC[..], &[0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff]].concat();
    let error = open(&count, Some(&Password::new("x")), None).unwrap_err();
    assert!(matches!(error, StoreError::Truncated { what: "an entry's tag", .. }), "{error}");
}

#[test]
fn other_versions_are_refused() {
    let bytes = [&MAGIC[..], &[0, 0, 0, 3, 0, 0, 0, 0], &[0; 20]].concat();
    let error = open(&bytes, Some(&Password::new("x")), None).unwrap_err();
    assert!(matches!(error, StoreError::Unsupported { .. }), "{error}");
}

proptest! {
    #[test]
    fn a_protected_key_opens_with_its_password_only(
        key in prop::collection::vec(any::<u8>(), 0..100),
        password in "[ -~]{1,20}",
        other in "[ -~]{1,20}",
    ) {
        let sealed = protected(&key, &password);
        let opened = protect::recover(&sealed, &Password::new(password.as_str())).unwrap();
        prop_assert_eq!(opened.expose(), &key[..]);
        prop_assume!(other != password);
        prop_assert!(protect::recover(&sealed, &Password::new(other)).is_none());
    }

    #[test]
    fn any_octets_are_no_protected_key(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(protect::recover(&bytes, &Password::new("x")).is_none());
    }
}
