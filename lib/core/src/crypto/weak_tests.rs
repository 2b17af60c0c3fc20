//! Weak keys, made here from numbers of the right shape, and published ones.

use num_bigint::BigUint;

use super::super::{CryptoError, KeyPair, KeyType, PublicKey};
use super::*;

const STRICT: KeyPolicy = KeyPolicy { allow_exponent_3: false };

/// A good modulus of 2048 bits.
fn good_modulus() -> BigUint {
    let (pair, _) = KeyPair::generate(KeyType::Rsa2048).unwrap();
    let (modulus, _) = rsa_numbers(pair.public().bits()).unwrap();
    BigUint::from_bytes_be(&modulus)
}

fn rsa(modulus: &BigUint, exponent: u64, policy: KeyPolicy) -> Result<(), WeakKey> {
    let length = u32::try_from(modulus.bits()).unwrap();
    check_rsa(length, modulus, &BigUint::from(exponent), policy)
}

#[test]
fn keys_of_our_own_are_fit() {
    for key_type in KeyType::ALL.into_iter().filter(|t| t.check_available().is_ok()) {
        let (pair, _) = KeyPair::generate(key_type).unwrap();
        assert_eq!(pair.public().check_fit(STRICT), Ok(()), "{key_type}");
    }
}

#[test]
fn exponents_are_odd_and_neither_small_nor_large() {
    let n = good_modulus();
    assert_eq!(rsa(&n, 3, STRICT), Err(WeakKey::SmallExponent(3)));
    assert_eq!(rsa(&n, 3, KeyPolicy { allow_exponent_3: true }), Ok(()));
    for small in [1, 5, 17, 65535] {
        let expected = Err(WeakKey::SmallExponent(u32::try_from(small).unwrap()));
        assert_eq!(rsa(&n, small, STRICT), expected);
        assert_eq!(rsa(&n, small, KeyPolicy { allow_exponent_3: true }), expected);
    }
    for even in [0, 2, 65536, 1 << 32] {
        assert_eq!(rsa(&n, even, STRICT), Err(WeakKey::EvenExponent(even.to_string())));
    }
    for good in [65537, 65539, (1 << 33) - 1] {
        assert_eq!(rsa(&n, good, STRICT), Ok(()), "{good}");
    }
    assert_eq!(rsa(&n, (1 << 33) + 1, STRICT), Err(WeakKey::LargeExponent(34)));
}

#[test]
fn a_modulus_has_no_small_factor() {
    // A good one times a prime, its length kept by the prime's.
    let good = good_modulus() >> 12;
    for prime in [2u32, 3, 5, 167, 173, 751] {
        let n = (&good | BigUint::from(1u32)) * prime;
        let found = rsa(&n, 65537, STRICT).unwrap_err();
        let WeakKey::SmallFactor(found) = found else { panic!("{prime}: {found}") };
        assert!((&n % found) == BigUint::from(0u32) && found <= prime, "{prime}: {found}");
    }
    // The first prime that is not tried.
    assert_eq!(rsa(&(good_modulus() * 757u32), 65537, STRICT), Ok(()));
    assert_eq!(GROUPS.iter().map(|g| g.primes.len()).sum::<usize>(), 132);
}

/// A number whose size is that of a prime, with no factor up to 751.
fn like_a_prime(from: BigUint) -> BigUint {
    let mut n = from | BigUint::from(1u32);
    while matches!(check_residues(&n), Err(WeakKey::SmallFactor(_))) {
        n += 2u32;
    }
    n
}

#[test]
fn close_primes_are_found_and_distant_ones_are_not() {
    let p = like_a_prime(good_modulus() >> 1024);
    for distance in [0u32, 2, 1000, 1 << 30] {
        let q = like_a_prime(&p + distance);
        assert_eq!(rsa(&(&p * &q), 65537, STRICT), Err(WeakKey::ClosePrimes), "{distance}");
    }
    // Fermat's method needs (p - q)^2 / (8 sqrt(n)) rounds: 2^511 from each other is 110 rounds at most.
    let q = like_a_prime(&p + (BigUint::from(1u32) << 512));
    assert_eq!(rsa(&(&p * &q), 65537, STRICT), Err(WeakKey::ClosePrimes));
    let q = like_a_prime(&p + (BigUint::from(1u32) << 520));
    assert_eq!(rsa(&(&p * &q), 65537, STRICT), Ok(()));
}

#[test]
fn a_square_is_known_from_any_other_number() {
    let root = good_modulus();
    let square = &root * &root;
    assert!(is_square(&square) && is_square(&BigUint::from(0u32)));
    let mut passed = 0;
    for more in 1u32..2000 {
        passed += u32::from(is_square(&(&square + more)));
    }
    assert_eq!(passed, 0);
    let small: Vec<u32> = (0..200).filter(|n| is_square(&BigUint::from(*n))).collect();
    assert_eq!(small, (0..15).map(|n| n * n).collect::<Vec<u32>>());
}

/// From the tests of the detectors that others wrote (github.com/titanous/rocacheck).
const ROCA: [&str; 3] = [
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlze9c7qGdjDLVR/ntk+4ZkfMcYsAnmfTFHfe3Xv7jRQqPCXCULtr0y0jG3aRJmEenoXO9uDveqr43gFB9yvAdLEhu0aJqpB7lNZ+yXsvfVp/96dkSN8oWYL/dd9Z7GQOvVniHUY3Xsd7zdw2eYOyHSXhhA2Ttwnj3c1jEYfC0y9q1cU99aL0ogGDqolcOvlkJu+mGb+6+WyboFa1gwRukYxBHZWKiHCt/eihvXsPTzTlXmTXWdGJtA1xZDnCBWuZ90b5R0agXVIESTl0cCyHaQM/tLZmktJIU+Eu7ALBXemPg9kh3SCnYd3/YvDGCtYSXOWthHwlP5CImRBcQaNncQIDAQAB",
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAnDSwGO+LetuWIPxBrWIVEZhfr8VB7tnXBnFaNev61bT1lViBUAN8rmMBw2rd/a6Lw4SjDi+3Fc7hpQtccMyrz3Z52VVsuS1Df94/2GJ2J+B8qw0dTHQoVjPGaOrRads5cjrI1fvgcKNhfwXHd8jh6fCHwVIruU8E2wgTu91ceTzAODzCe1aWbE0QMYTV11E0t2+vt808AWsYMDOWMIOa0sFZD1DzQSw1YC74YV92yDGsHA4JNZVl6JB0H21lxENKrkOF9MJx+doXHiEEfwNC3F7kf2QDd+3oyRcrrGZt9rhfRPQckUnYM495nfaQcHzTXyIySnY0s6PkwbgL4B44dQIDAQAB",
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAkVOD39Rao7yBD5Msly74VCZzikzRV672cEkNEM6GB3wg15W7Nw9NxdzwlzBNB5fb/FXL3hd9m9djNkrd2fj6FG47dS4A9nK1b+KL7E+Yhh19MP1GKxz3cW8sTg516fpvvnvPKUcRyyIOxARvvhuvs7tza/I7VjIBQSHpBKuiFBkJ5yeVq3iRuiuVnNMut+MllVSEeLEoNCmDAvRI7tTKXtlap1sPXb93D0x2LnzlNx/5jKSorQo2nPS4iwE8UPBGE6TRMr3ap9bjTG9tP0kEsHuM/OWBF1whlCvb/88BmE0x6v22i6ss3q/mkVt1bH0R+pgLaiRakJW7Zsgpa+sxPQIDAQAB",
];

const NOT_ROCA: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtA+5PaMwafUZVIU0kXo+u3EbF45Sw+11yOuYReWxp5dGLCmqk6Ukq+PvZ9Ygq7xrOQzuUx/dY1rFqB0tz3Z4KurqpK/aVwj+nEhRckEAtbls9qeGcMxdTgPvf8KJbjR6gw0jXdQKeLTIojXNtUSFPpOm0tsAT0SAqGHZF9jFzBOHlpyyhiWvtZpZaUQMXRQwoptaHug7tPBjZHm3n+baJH8TVua9Kx8zVsrGBzZnGh7Ybap9ZxvNg2m0BMi/jMhoNr7c3eQBrrkcxqrb0GIdHbg94w9W7Ds3v01FPb6qjKbW8Z2ZAm1lGM/3imodT8z3hLXYDUGWXUTGuaRWWKr8+QIDAQAB";

fn of_base64(text: &str) -> PublicKey {
    use base64::Engine as _;
    let der = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    PublicKey::from_spki(&der).unwrap()
}

#[test]
fn the_published_keys_of_faulty_chips_are_found() {
    for text in ROCA {
        let refused = of_base64(text).check_fit(STRICT);
        assert_eq!(refused, Err(CryptoError::Weak(WeakKey::Roca)));
    }
    assert_eq!(of_base64(NOT_ROCA).check_fit(STRICT), Ok(()));
}

#[test]
fn points_lie_on_their_curve() {
    for (key_type, curve) in [(KeyType::EcP256, &P256), (KeyType::EcP384, &P384)]
        .into_iter()
        .chain(KeyType::EcP521.check_available().map(|()| (KeyType::EcP521, &P521)))
    {
        let (pair, _) = KeyPair::generate(key_type).unwrap();
        let (name, point) = (pair.public().algorithm(), pair.public().bits().to_vec());
        let of = |point: &[u8]| check_point(curve, name, point);
        assert_eq!(of(&point), Ok(()));
        let mut beside = point.clone();
        *beside.last_mut().unwrap() ^= 1;
        assert_eq!(of(&beside), Err(WeakKey::NotOnCurve(name)));
        assert_eq!(of(&[0]), Err(WeakKey::Infinity(name)));
        let zero = [&[4][..], &vec![0; 2 * curve.bytes]].concat();
        assert_eq!(of(&zero), Err(WeakKey::NotOnCurve(name)));
        assert_eq!(of(&point[..point.len() - 1]), Err(WeakKey::BadPoint(name)));
        assert_eq!(of(&[]), Err(WeakKey::BadPoint(name)));
        // The same point, its coordinate written with the prime added, where that fits.
        let y = BigUint::from_bytes_be(&point[1 + curve.bytes..]);
        let large =
            [&point[..1 + curve.bytes], &padded(&(curve.prime.clone() + 1u32), curve.bytes)];
        assert_eq!(of(&large.concat()), Err(WeakKey::Coordinate(name)));
        let form = if y.bit(0) { 3 } else { 2 };
        let compressed = [&[form][..], &point[1..1 + curve.bytes]].concat();
        assert_eq!(of(&compressed), Ok(()));
    }
}

fn padded(number: &BigUint, bytes: usize) -> Vec<u8> {
    let digits = number.to_bytes_be();
    [vec![0; bytes - digits.len()], digits].concat()
}

/// All encodings of libsodium's list, each with both signs, and what is y = 0 or 1 modulo 2^255 - 19.
#[test]
fn ed25519_points_of_small_order_are_refused_in_every_form() {
    let hex = |text: &str| -> [u8; 32] {
        let octet = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
        std::array::from_fn(octet)
    };
    let small = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    let of = |bits: &[u8]| PublicKey::from_raw(KeyAlgorithm::Ed25519, bits).check_fit(STRICT);
    for mut bits in small.map(hex) {
        for sign in [0, 0x80] {
            bits[31] = bits[31] & 0x7f | sign;
            let refused = Err(CryptoError::Weak(WeakKey::SmallOrder(KeyAlgorithm::Ed25519)));
            assert_eq!(of(&bits), refused, "{bits:02x?}");
        }
    }
    // y = 3, not below the prime; and the base point, whose order is large.
    let large = hex("f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
    let refused = Err(CryptoError::Weak(WeakKey::Coordinate(KeyAlgorithm::Ed25519)));
    assert_eq!(of(&large), refused);
    assert_eq!(
        of(&hex("5866666666666666666666666666666666666666666666666666666666666666")),
        Ok(())
    );
}

#[test]
fn a_key_has_one_form() {
    let form = |key: Result<PublicKey, CryptoError>| match key.unwrap().check_fit(STRICT) {
        Err(CryptoError::Weak(WeakKey::Form(_, why))) => why,
        other => panic!("{other:?}"),
    };
    let spki = |algorithm: &[u8], bits: &[u8]| {
        let bits = der::element(der::BIT_STRING, &[&[0], bits]);
        PublicKey::from_spki(&der::element(der::SEQUENCE, &[algorithm, &bits]))
    };
    let identifier = |oid: &[u8], parameters: &[u8]| {
        der::element(der::SEQUENCE, &[&der::element(der::OID, &[oid]), parameters])
    };
    let (rsa, pss) =
        (*b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", *b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a");
    let (pair, _) = KeyPair::generate(KeyType::Rsa2048).unwrap();
    let bits = pair.public().bits();
    assert_eq!(spki(&identifier(&rsa, &[5, 0]), bits).unwrap().check_fit(STRICT), Ok(()));
    for (oid, parameters) in [(&rsa, &[][..]), (&rsa, &[0x30, 0]), (&pss, &[]), (&pss, &[0x30, 0])]
    {
        let why = form(spki(&identifier(oid, parameters), bits));
        assert_eq!(why, "its algorithm is not rsaEncryption with NULL");
    }
    // The same numbers with a zero in front.
    let (modulus, exponent) = rsa_numbers(bits).unwrap();
    let integer = |bytes: &[&[u8]]| der::element(der::INTEGER, bytes);
    let long = der::element(
        der::SEQUENCE,
        &[&integer(&[&[0], &modulus]), &integer(&[&[0, 0], &exponent])],
    );
    match spki(&identifier(&rsa, &[5, 0]), &long) {
        Ok(key) => assert_eq!(form(Ok(key)), "its numbers are not in DER"),
        Err(e) => assert_eq!(e, CryptoError::BadPublicKey("not an RSAPublicKey")),
    }
    let (pair, _) = KeyPair::generate(KeyType::Ed25519).unwrap();
    let with_null = spki(&identifier(b"\x2b\x65\x70", &[5, 0]), pair.public().bits());
    assert_eq!(form(with_null), "it is not in DER, or has parameters too many");
    let (pair, _) = KeyPair::generate(KeyType::EcP256).unwrap();
    let (point, name) = (pair.public().bits(), KeyAlgorithm::EcP256);
    let compressed = [&[2 + (point[64] & 1)][..], &point[1..33]].concat();
    let refused = PublicKey::from_raw(name, &compressed).check_fit(STRICT).unwrap_err();
    assert_eq!(refused, CryptoError::Weak(WeakKey::Compressed(name)));
    assert!(refused.hint().unwrap().to_string().contains("-conv_form uncompressed"));
}

#[test]
fn a_curve_of_numbers_is_not_told_octet_by_octet() {
    let explicit = der::element(der::SEQUENCE, &[&[7; 300]]);
    for (parameters, told) in [
        (explicit, "the algorithm EC with explicit curve parameters is not supported"),
        (der::element(der::OID, &[&[0x2b; 3000]]), "the algorithm EC on curve 1."),
    ] {
        let oid = der::element(der::OID, &[b"\x2a\x86\x48\xce\x3d\x02\x01"]);
        let identifier = der::element(der::SEQUENCE, &[&oid, &parameters]);
        let spki = der::element(der::SEQUENCE, &[&identifier, &[3, 2, 0, 4]]);
        let error = PublicKey::from_spki(&spki).unwrap_err();
        assert!(error.to_string().starts_with(told), "{error}");
        assert!(error.to_string().len() < 120, "{error}");
    }
    assert!(
        CryptoError::ExplicitCurve.hint().unwrap().to_string().contains("-param_enc named_curve")
    );
}

#[test]
fn every_sentence_names_its_reason_and_has_a_hint() {
    let all = [
        (WeakKey::LongRsa(16384), "16384 bits"),
        (WeakKey::EvenExponent("4".to_owned()), "exponent 4 is even"),
        (WeakKey::SmallExponent(3), "the minimum is 65537"),
        (WeakKey::LargeExponent(64), "has 64 bits: the maximum is 33"),
        (WeakKey::SmallFactor(3), "divided by 3"),
        (WeakKey::ClosePrimes, "close to each other"),
        (WeakKey::Roca, "CVE-2017-15361"),
        (WeakKey::NotOnCurve(KeyAlgorithm::EcP256), "EC P-256 point is not on the curve"),
    ];
    for (weak, words) in all {
        assert!(weak.to_string().contains(words), "{weak}");
        assert!(weak.hint().is_some(), "{weak}");
    }
    let long = (good_modulus() << 6200) + 1u32;
    assert!(matches!(rsa(&long, 65537, STRICT), Err(WeakKey::LongRsa(_))));
}
