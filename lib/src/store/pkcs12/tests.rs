use super::super::tests::{sample, written};
use super::super::{Format, StoreError, open};
use super::*;
use crate::secret::Password;

fn opened(bytes: &[u8]) -> Result<Store, StoreError> {
    open(bytes, Some(&Password::new("store-Secret-1")), None)
}

/// Replaces the first `from` by `to`, of the same length, and opens.
fn opened_with(compat: Compat, from: &[u8], to: &[u8]) -> StoreError {
    let mut bytes = written(&sample(), Format::Pkcs12, compat);
    let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    opened(&bytes).unwrap_err()
}

#[test]
fn algorithms_that_are_not_supported_are_named() {
    // The MAC's SHA-256 becomes SHA-224.
    let error = opened_with(Compat::Modern, oid::SHA256, &[&oid::SHA256[..8], &[4]].concat());
    assert_eq!(
        error.to_string(),
        "the PKCS#12 store uses a MAC with the hash 2.16.840.1.101.3.4.2.4, which is not supported"
    );
    let error = opened_with(Compat::Modern, oid::DATA, oid::SIGNED_DATA);
    assert!(matches!(error, StoreError::Unsupported { .. }), "{error}");
    let error = opened_with(Compat::Modern, &[2, 1, 3], &[2, 1, 1]);
    assert!(matches!(error, StoreError::Unsupported { .. }), "{error}");
}

#[test]
fn a_changed_ciphertext_is_told_from_a_wrong_password() {
    for compat in [Compat::Modern, Compat::Legacy] {
        let mut bytes = written(&sample(), Format::Pkcs12, compat);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        assert_eq!(opened(&bytes), Err(StoreError::Altered { format: Format::Pkcs12 }));
        let wrong = open(&bytes, Some(&Password::new("guess")), None);
        assert_eq!(wrong, Err(StoreError::WrongPassword { format: Format::Pkcs12 }));
    }
}

#[test]
fn octets_after_the_end_are_refused() {
    let bytes = [&written(&sample(), Format::Pkcs12, Compat::Modern)[..], b"\n"].concat();
    assert!(matches!(opened(&bytes), Err(StoreError::Damaged { .. })));
}

#[test]
fn many_costly_keys_do_not_add_up() {
    let budget = pbe::Budget::new();
    let costly = |n: u32| {
        let parameters = yasna::construct_der(|writer| {
            writer.write_sequence(|algorithm| {
                algorithm.next().write_der(&[&[6, 10], oid::PBE_SHA1_3DES].concat());
                algorithm.next().write_sequence(|pair| {
                    pair.next().write_bytes(&[7; 8]);
                    pair.next().write_u32(n);
                });
            });
        });
        let reader = ber::Reader::new(&parameters).sequence("it").unwrap();
        match pbe::decrypt(reader, &[0; 8], pbe::Passphrase::Null, &budget) {
            Err(pbe::Failure::Store(error)) => Some(error),
            _ => None,
        }
    };
    assert!(matches!(costly(MAX_ITERATIONS + 1), Some(StoreError::Iterations { .. })));
    assert!(matches!(costly(0), Some(StoreError::Iterations { found: 0, .. })));
    assert_eq!(costly(1), None);
    budget.drain_but(1);
    assert!(matches!(costly(2), Some(StoreError::Iterations { max: 100_000_000, .. })));
    assert_eq!(costly(1), None);
}

#[test]
fn equal_aliases_in_a_file_are_all_kept() {
    let mut store = sample();
    store.entries[2].alias = "Devicekeyentry".to_owned();
    let bytes = written(&store, Format::Pkcs12, Compat::Modern);
    let aliases: Vec<_> = opened(&bytes).unwrap().entries.into_iter().map(|e| e.alias).collect();
    assert_eq!(aliases, ["devicekeyentry", "Zweiter Schlüssel", "Devicekeyentry-2"]);
}
