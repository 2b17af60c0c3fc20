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

fn legacy(id: &[u8], iterations: u32) -> Vec<u8> {
    yasna::construct_der(|writer| {
        writer.write_sequence(|algorithm| {
            algorithm.next().write_der(&ber::element(ber::OID, id));
            algorithm.next().write_sequence(|pair| {
                pair.next().write_bytes(&[7; 8]);
                pair.next().write_u32(iterations);
            });
        });
    })
}

fn checked(algorithm: &[u8]) -> Result<cost::Encryption, StoreError> {
    cost::Encryption::check(ber::Reader::new(algorithm).any("it").unwrap())
}

#[test]
fn many_costly_keys_do_not_add_up() {
    let most = checked(&legacy(oid::PBE_SHA1_3DES, MAX_ITERATIONS)).unwrap();
    assert_eq!(most, cost::Encryption { cost: MAX_ITERATIONS.into(), legacy: true });
    for found in [0, MAX_ITERATIONS + 1] {
        let error = checked(&legacy(oid::PBE_SHA1_3DES, found)).unwrap_err();
        assert!(matches!(error, StoreError::Iterations { .. }), "{error}");
    }
    let mut budget = cost::Budget::new();
    for _ in 0..100 {
        assert_eq!(budget.spend(&most), Ok(()));
    }
    let error = budget.spend(&checked(&legacy(oid::PBE_SHA1_3DES, 1)).unwrap());
    assert!(matches!(error, Err(StoreError::Iterations { max: 100_000_000, .. })));
}

#[test]
fn absurd_costs_of_pbes2_are_refused_before_they_are_spent() {
    use pkcs8::der::Encode;
    use pkcs8::pkcs5::{pbes2, scrypt};
    let scheme = |n, r, p| {
        let params = scrypt::Params::new(n, r, p).unwrap();
        let params = pbes2::Parameters::generate_scrypt_aes256cbc(params, &[7; 16], [7; 16]);
        let id = ber::element(ber::OID, oid::PBES2);
        checked(&ber::sequence(&[&id, &params.unwrap().to_der().unwrap()]))
    };
    assert_eq!(scheme(14, 8, 1), Ok(cost::Encryption { cost: 262_144, legacy: false }));
    for (n, r, p) in [(19, 8, 1), (14, 8, 17), (20, 16, 1)] {
        let error = scheme(n, r, p).unwrap_err();
        assert!(matches!(error, StoreError::Unsupported { .. }), "{error}");
    }
}

#[test]
fn encryptions_beyond_the_crate_are_named() {
    // RC2 of 128 bits.
    let error = checked(&legacy(&[&oid::PBE_SHA1_3DES[..9], &[5]].concat(), 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the PKCS#12 store uses the encryption 1.2.840.113549.1.12.1.5, which is not supported"
    );
}

/// The sample without its first parts, and with a MAC made from a password as RFC 7292 takes it.
fn with_mac(compat: Compat, skip: usize, password: &[u8]) -> Vec<u8> {
    let bytes = written(&sample(), Format::Pkcs12, compat);
    let mut pfx = ber::Reader::new(&bytes).sequence("it").unwrap();
    pfx.uint("it").unwrap();
    let mut info = pfx.sequence("it").unwrap();
    info.oid("it").unwrap();
    let explicit = info.any("it").unwrap();
    let content = ber::Reader::new(explicit.contents).octets("it").unwrap();
    let mut infos = ber::Reader::new(&content).sequence("it").unwrap();
    for _ in 0..skip {
        infos.any("it").unwrap();
    }
    let mut kept = Vec::new();
    while !infos.is_empty() {
        kept.extend(infos.any("it").unwrap().to_der().unwrap());
    }
    let content = ber::element(ber::SEQUENCE, &kept);
    let mac =
        pbe::MacKey::derive(crate::crypto::MacHash::Sha1, password, vec![7; 8], 1).mac(&content);
    let octets = |octets: &[u8]| ber::element(ber::OCTET_STRING, octets);
    let id = |id| ber::element(ber::OID, id);
    let digest = ber::sequence(&[&ber::sequence(&[&id(oid::SHA1)]), &octets(&mac.digest)]);
    let safe = ber::element(ber::CONTEXT_0, &octets(&content));
    ber::sequence(&[
        &ber::element(ber::INTEGER, &[3]),
        &ber::sequence(&[&id(oid::DATA), &safe]),
        &ber::sequence(&[&digest, &octets(&mac.salt)]),
    ])
}

#[test]
fn a_key_may_have_a_password_of_its_own() {
    for compat in [Compat::Modern, Compat::Legacy] {
        // The keys alone, which have "store-Secret-1".
        let bytes = with_mac(compat, 1, &pbe::bmp("outer"));
        let (outer, own) = (Password::new("outer"), Password::new("store-Secret-1"));
        let alias = "devicekeyentry".to_owned();
        assert_eq!(
            open(&bytes, Some(&outer), None),
            Err(StoreError::WrongKeyPassword { format: Format::Pkcs12, alias })
        );
        let keys = |store: Store| -> Vec<_> {
            let kinds = store.entries.into_iter().map(|e| (e.alias, e.kind));
            kinds
                .filter_map(|(alias, kind)| match kind {
                    EntryKind::Key { pkcs8, .. } => Some((alias, pkcs8)),
                    _ => None,
                })
                .collect()
        };
        let opened = open(&bytes, Some(&outer), Some(&own)).unwrap();
        assert_eq!(keys(opened), keys(sample()));
    }
}

#[test]
fn contents_under_another_password_than_the_mac_are_damaged() {
    let bytes = with_mac(Compat::Modern, 0, &pbe::bmp("outer"));
    let error = open(&bytes, Some(&Password::new("outer")), None).unwrap_err();
    let StoreError::Damaged { what, .. } = &error else { panic!("{error:?}") };
    assert!(what.starts_with("its MAC is right, and yet"), "{what}");
}

#[test]
fn passwords_that_the_crate_cannot_derive_from_are_refused_by_name() {
    let refused = |bytes: &[u8], password: Option<&str>| {
        let password = password.map(Password::new);
        let error = open(bytes, password.as_ref(), None).unwrap_err();
        matches!(&error, StoreError::Unsupported { what, .. } if what.contains("null password"))
    };
    assert!(refused(&with_mac(Compat::Legacy, 0, &[]), None));
    assert!(refused(&with_mac(Compat::Legacy, 0, &pbe::bmp("😀")), Some("😀")));
}

#[test]
fn equal_aliases_in_a_file_are_all_kept() {
    let mut store = sample();
    store.entries[2].alias = "Devicekeyentry".to_owned();
    let bytes = written(&store, Format::Pkcs12, Compat::Modern);
    let aliases: Vec<_> = opened(&bytes).unwrap().entries.into_iter().map(|e| e.alias).collect();
    assert_eq!(aliases, ["devicekeyentry", "Zweiter Schlüssel", "Devicekeyentry-2"]);
}
