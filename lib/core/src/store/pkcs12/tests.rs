use super::super::tests::{sample, written};
use time::OffsetDateTime;

use super::super::{Format, StoreError, WriteOptions, open};
use super::*;
use crate::crypto::MacHash;
use crate::key::pbe::pkcs12::bmp;
use crate::key::pbe::{Encryption, Secret};
use crate::secret::{Password, SecretBytes};
use crate::{ber, der};

fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    der::element(der::SEQUENCE, elements)
}

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
    // The MAC's SHA-256 becomes something of the same arc.
    let sha256 = ber::element(ber::OID, oid::HASHES[3].1);
    let other = [&sha256[..sha256.len() - 1], &[17]].concat();
    let error = opened_with(Compat::Modern, &sha256, &other);
    assert_eq!(
        error.to_string(),
        "the PKCS#12 store uses a MAC with the hash 2.16.840.1.101.3.4.2.17, which is not supported"
    );
    let error = opened_with(Compat::Modern, oid::DATA, oid::SIGNED_DATA);
    assert!(error.to_string().contains("a signature in place of a MAC"), "{error}");
    let error = opened_with(Compat::Modern, oid::ENCRYPTED_DATA, oid::ENVELOPED_DATA);
    assert!(matches!(error, StoreError::Altered { .. } | StoreError::WrongPassword { .. }));
    let error = opened_with(Compat::Modern, &[2, 1, 3], &[2, 1, 1]);
    assert!(matches!(error, StoreError::Unsupported { .. }), "{error}");
}

#[test]
fn encryption_to_a_public_key_is_named() {
    let info = [&ber::element(ber::OID, oid::ENVELOPED_DATA)[..], &[0xa0, 2, 0x30, 0]].concat();
    let content = sequence(&[&sequence(&[&info])]);
    let octets = ber::element(ber::OCTET_STRING, &content);
    let data = ber::element(ber::OID, oid::DATA);
    let safe = sequence(&[&data, &ber::element(ber::CONTEXT_0, &octets)]);
    let bytes = sequence(&[&[2, 1, 3], &safe]);
    let options = OpenOptions { allow_unverified: true, ..OpenOptions::default() };
    let error = super::super::open_with(&bytes, options).unwrap_err();
    assert!(error.to_string().contains("encryption to a public key"), "{error}");
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
fn line_ends_after_the_end_are_passed_over_and_other_octets_refused() {
    let bytes = written(&sample(), Format::Pkcs12, Compat::Modern);
    for end in ["\n", "\r\n", "\0\0", " \n"] {
        assert_eq!(opened(&[&bytes[..], end.as_bytes()].concat()), Ok(sample()));
    }
    let more = opened(&[&bytes[..], b"\nx"].concat());
    assert!(matches!(more, Err(StoreError::Damaged { .. })));
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

const PBE_SHA1_RC2_128: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 12, 1, 5];

fn encryption(algorithm: &[u8]) -> Result<Encryption, StoreError> {
    Encryption::read(ber::Reader::new(algorithm).any("it").unwrap()).map_err(refused)
}

fn checked(algorithm: &[u8]) -> Result<u64, StoreError> {
    cost::cost_of(&encryption(algorithm)?)
}

#[test]
fn many_costly_keys_do_not_add_up() {
    let most = encryption(&legacy(oid::PBE_SHA1_3DES, MAX_ITERATIONS)).unwrap();
    for found in [0, MAX_ITERATIONS + 1] {
        let error = checked(&legacy(PBE_SHA1_RC2_128, found)).unwrap_err();
        assert!(matches!(error, StoreError::Iterations { .. }), "{error}");
    }
    let mut budget = cost::Budget::new();
    for _ in 0..100 {
        assert_eq!(budget.spend(&most), Ok(()));
    }
    let error = budget.spend(&encryption(&legacy(oid::PBE_SHA1_3DES, 1)).unwrap());
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
        checked(&sequence(&[&id, &params.unwrap().to_der().unwrap()]))
    };
    assert_eq!(scheme(14, 8, 1), Ok(262_144));
    for (n, r, p) in [(18, 8, 1), (14, 8, 17), (20, 16, 1)] {
        let error = scheme(n, r, p).unwrap_err();
        assert!(matches!(error, StoreError::Unsupported { .. }), "{error}");
    }
}

#[test]
fn ciphers_that_are_not_decrypted_are_named() {
    for (id, name) in [
        (&[0x2a, 0x83, 0x08, 0x8c, 0x9a, 0x4b, 0x3d, 1, 1, 1, 4][..], "Camellia-256"),
        (&[0x2a, 0x83, 0x1a, 0x8c, 0x9a, 0x6e, 1, 1, 12], "ARIA-256"),
    ] {
        let pbes2 = sequence(&[
            &ber::element(ber::OID, oid::PBES2),
            &sequence(&[&sequence(&[]), &sequence(&[&ber::element(ber::OID, id)])]),
        ]);
        let error = checked(&pbes2).unwrap_err().to_string();
        assert!(error.contains(&format!("uses PBES2 with {name} (1.2.")), "{error}");
    }
}

/// The sample without its first parts, and with a MAC made from a password as RFC 7292 takes it.
fn with_mac(compat: Compat, skip: usize, password: &Secret) -> Vec<u8> {
    let bytes = written(&sample(), Format::Pkcs12, compat);
    let mut pfx = ber::Reader::new(&bytes).sequence("it").unwrap();
    pfx.uint("it").unwrap();
    let mut info = pfx.sequence("it").unwrap();
    info.oid("it").unwrap();
    let explicit = info.any("it").unwrap();
    let content = ber::Reader::new(explicit.contents).octet_string("it").unwrap();
    let mut infos = ber::Reader::new(&content).sequence("it").unwrap();
    for _ in 0..skip {
        infos.any("it").unwrap();
    }
    let mut kept = Vec::new();
    while !infos.is_empty() {
        kept.extend(infos.any("it").unwrap().to_der().unwrap());
    }
    let content = ber::element(ber::SEQUENCE, &kept);
    let mac = mac::MacKey::derive(MacHash::Sha1, password, vec![7; 8], 1, false).mac(&content);
    let octets = |octets: &[u8]| ber::element(ber::OCTET_STRING, octets);
    let id = |id| ber::element(ber::OID, id);
    let digest = sequence(&[&sequence(&[&id(oid::HASHES[1].1)]), &octets(&mac.digest)]);
    let safe = ber::element(ber::CONTEXT_0, &octets(&content));
    sequence(&[
        &ber::element(ber::INTEGER, &[3]),
        &sequence(&[&id(oid::DATA), &safe]),
        &sequence(&[&digest, &octets(&[7; 8])]),
    ])
}

fn outer() -> Secret {
    Secret::readings("outer").remove(0)
}

#[test]
fn a_key_may_have_a_password_of_its_own() {
    for compat in [Compat::Modern, Compat::Legacy] {
        // The keys alone, which have "store-Secret-1".
        let bytes = with_mac(compat, 1, &outer());
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
    let bytes = with_mac(Compat::Modern, 0, &outer());
    let error = open(&bytes, Some(&Password::new("outer")), None).unwrap_err();
    let StoreError::Damaged { what, .. } = &error else { panic!("{error:?}") };
    assert!(what.starts_with("its MAC is right, and yet"), "{what}");
}

/// A file without bags, whose MAC has a password in these bytes.
fn sealed_with(text: &str, bytes: &[u8]) -> Vec<u8> {
    let secret = Secret { text: text.as_bytes().to_vec().into(), bmp: bytes.to_vec().into() };
    with_mac(Compat::Modern, 2, &secret)
}

#[test]
fn no_password_is_the_empty_one_or_none_at_all() {
    for encoded in [&[][..], &[0, 0]] {
        let bytes = sealed_with("", encoded);
        for password in [None, Some(Password::new(""))] {
            assert_eq!(open(&bytes, password.as_ref(), None), Ok(Store::new()));
        }
        assert!(open(&bytes, Some(&Password::new("x")), None).is_err());
    }
}

#[test]
fn passwords_beyond_ascii_are_read_as_tools_read_them() {
    // OpenSSL before 1.1.0 took each byte for a character.
    for (password, encoded) in
        [("pässword", bmp("pässword")), ("pässword", bmp("p\u{c3}\u{a4}ssword")), ("😀", bmp("😀"))]
    {
        let bytes = sealed_with(password, &encoded);
        assert_eq!(open(&bytes, Some(&Password::new(password)), None), Ok(Store::new()));
    }
}

#[test]
fn pbmac1_is_written_and_read() {
    let password = Password::new("store-Secret-1");
    let modified = time::OffsetDateTime::UNIX_EPOCH;
    let mut options = super::super::WriteOptions::new(Some(&password), modified);
    options.pkcs12.pbmac1 = true;
    let bytes = super::super::write(&sample(), Format::Pkcs12, &options).unwrap();
    assert!(bytes.windows(oid::PBMAC1.len()).any(|w| w == oid::PBMAC1));
    assert_eq!(opened(&bytes), Ok(sample()));
    let wrong = open(&bytes, Some(&Password::new("guess")), None);
    assert_eq!(wrong, Err(StoreError::WrongPassword { format: Format::Pkcs12 }));
}

#[test]
fn p12_keystore_reads_what_is_written_here() {
    let password = Password::new("store-Secret-1");
    for compat in [Compat::Modern, Compat::Legacy] {
        let mut options = WriteOptions::new(Some(&password), OffsetDateTime::UNIX_EPOCH);
        options.pkcs12.compat = compat;
        let bytes = written(&sample(), Format::Pkcs12, compat);
        assert_eq!(confirm(&bytes, &sample(), &options), Ok(true));
        // Another key than is said, and a file that is cut.
        let mut other = sample();
        let entry = other.entries.iter_mut().find_map(|entry| match &mut entry.kind {
            EntryKind::Key { pkcs8, .. } => Some(pkcs8),
            _ => None,
        });
        *entry.unwrap() = SecretBytes::new(b"another key".to_vec());
        let error = confirm(&bytes, &other, &options).unwrap_err();
        assert!(matches!(error, StoreError::Unconfirmed { .. }), "{error}");
        assert!(confirm(&bytes[..bytes.len() - 9], &sample(), &options).is_err());
        options.pkcs12.pbmac1 = true;
        assert_eq!(confirm(&bytes, &sample(), &options), Ok(false));
    }
}

#[test]
fn what_p12_keystore_writes_is_read_here() {
    use p12_keystore::{
        Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, PrivateKey,
        PrivateKeyChain,
    };
    let store = sample();
    let EntryKind::Key { pkcs8, chain } = &store.entries[0].kind else { panic!() };
    let certificates: Vec<Certificate> =
        chain.iter().map(|c| Certificate::from_der(c.der()).unwrap()).collect();
    let key = PrivateKey::from_der(pkcs8.expose()).unwrap();
    let mut theirs = KeyStore::new();
    let chain_entry = PrivateKeyChain::new([1_u8, 2, 3].as_slice(), key, certificates);
    theirs.add_entry("devicekeyentry", KeyStoreEntry::PrivateKeyChain(chain_entry));
    for (encryption, mac) in [
        (EncryptionAlgorithm::PbeWithHmacSha256AndAes256, MacAlgorithm::HmacSha512_256),
        (EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc, MacAlgorithm::HmacSha1),
        (EncryptionAlgorithm::PbeWithShaAnd40BitRc4Cbc, MacAlgorithm::HmacSha224),
    ] {
        let writer = theirs.writer("store-Secret-1");
        let bytes = writer.encryption_algorithm(encryption).mac_algorithm(mac).write().unwrap();
        let found = opened(&bytes).unwrap().entries.remove(0).kind;
        assert_eq!(found, store.entries[0].kind);
    }
}

/// The bytes that a MAC covers, with certificates in sight.
fn content() -> Vec<u8> {
    let password = Password::new("store-Secret-1");
    let mut options =
        super::super::WriteOptions::new(Some(&password), time::OffsetDateTime::UNIX_EPOCH);
    (options.pkcs12.encryption_iterations, options.pkcs12.plain_certificates) = (1, true);
    let bytes = super::super::write(&sample(), Format::Pkcs12, &options).unwrap();
    let mut pfx = ber::Reader::new(&bytes).sequence("it").unwrap();
    pfx.uint("it").unwrap();
    let mut info = pfx.sequence("it").unwrap();
    info.oid("it").unwrap();
    let explicit = info.any("it").unwrap();
    ber::Reader::new(explicit.contents).octet_string("it").unwrap().into_owned()
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(1_000))]

    /// Without its MAC, a change reaches every bag.
    #[test]
    fn changed_bags_are_read_or_refused(
        changes in proptest::collection::vec(
            (proptest::prelude::any::<proptest::sample::Index>(), proptest::prelude::any::<u8>()),
            1..4,
        ),
    ) {
        static CONTENT: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(content);
        let mut bytes = CONTENT.clone();
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        let secrets = Secret::readings("store-Secret-1");
        let mut opener = bags::Opener::new(&secrets, &[], OpenOptions::default(), false);
        let _ = opener.safe(&bytes);
    }
}

#[test]
fn equal_aliases_in_a_file_are_all_kept() {
    let mut store = sample();
    store.entries[2].alias = "Devicekeyentry".to_owned();
    let bytes = written(&store, Format::Pkcs12, Compat::Modern);
    let aliases: Vec<_> = opened(&bytes).unwrap().entries.into_iter().map(|e| e.alias).collect();
    assert_eq!(aliases, ["devicekeyentry", "Zweiter Schlüssel", "Devicekeyentry-2"]);
}
