//! Keys against an independent implementation of big numbers, and against other readers.

#![allow(clippy::disallowed_types, reason = "OpenSSL judges the keys")]

use std::convert::Infallible;
use std::io::Write;
use std::process::{Command, Stdio};

use num_bigint::BigUint;

use super::prime::tests::{big, boxed, is_prime, system_random};
use super::*;
use crate::crypto::KeyPair;

const SIZES: [(RsaSize, u64); 3] =
    [(RsaSize::Bits2048, 2048), (RsaSize::Bits3072, 3072), (RsaSize::Bits4096, 4096)];

fn new_key(size: RsaSize) -> Zeroizing<Vec<u8>> {
    generate(size, &mut system_random).unwrap()
}

/// The numbers of RSAPrivateKey after the version.
fn numbers(pkcs8: &[u8]) -> Vec<BigUint> {
    let key = yasna::parse_der(pkcs8, |reader| {
        reader.read_sequence(|reader| {
            assert_eq!(reader.next().read_u8()?, 0);
            reader.next().read_sequence(|reader| {
                let oid = reader.next().read_oid()?;
                assert_eq!(oid.to_string(), "1.2.840.113549.1.1.1");
                reader.next().read_null()
            })?;
            reader.next().read_bytes()
        })
    })
    .unwrap();
    yasna::parse_der(&key, |reader| {
        reader.read_sequence(|reader| {
            assert_eq!(reader.next().read_u8()?, 0);
            (0..8)
                .map(|_| Ok(BigUint::from_bytes_be(&reader.next().read_bigint_bytes()?.0)))
                .collect()
        })
    })
    .unwrap()
}

/// The two bits on top of each prime of a key of 2048 bits.
pub(in super::super) fn tops_of_primes(pkcs8: &[u8]) -> [u32; 2] {
    let numbers = numbers(pkcs8);
    [3, 4].map(|at| (&numbers[at] >> 1022u32).to_u32_digits()[0])
}

fn assert_fips_186_5(pkcs8: &[u8], bits: u64) {
    let [n, e, d, p, q, d_p, d_q, q_inverse] = &numbers(pkcs8)[..] else { panic!() };
    let one = BigUint::from(1u32);
    let half = bits / 2;
    assert_eq!((n.bits(), e), (bits, &BigUint::from(65537u32)));
    assert_eq!(&(p * q), n);
    assert!(p > q && is_prime(p) && is_prime(q));
    // p and q are at least sqrt(2) 2^(half - 1): squared, 2^(bits - 1).
    assert!((q * q).bits() == bits && p.bits() == half);
    assert!(p - q > &one << (half - 100));
    let (p1, q1) = (p - &one, q - &one);
    let lambda = &p1 * &q1 / gcd_by_euclid(p1.clone(), q1.clone());
    assert!(d < &lambda && d > &(&one << half));
    assert_eq!(e * d % &lambda, one);
    assert_eq!((d_p, d_q), (&(d % &p1), &(d % &q1)));
    assert!(q_inverse < p);
    assert_eq!(q_inverse * q % p, one);
}

fn gcd_by_euclid(mut a: BigUint, mut b: BigUint) -> BigUint {
    while b != BigUint::ZERO {
        (a, b) = (b.clone(), a % b);
    }
    a
}

#[test]
fn many_keys_fulfil_the_conditions_and_load() {
    for ((size, bits), count) in SIZES.into_iter().zip([20, 4, 3]) {
        for _ in 0..count {
            let key = new_key(size);
            assert_fips_186_5(&key, bits);
            KeyPair::from_rsa_pkcs8(&key).unwrap();
        }
    }
}

#[test]
fn openssl_finds_the_keys_consistent() {
    for (size, _) in SIZES {
        let openssl = Command::new("openssl")
            .args(["rsa", "-check", "-noout", "-inform", "DER"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut openssl) = openssl else { return };
        openssl.stdin.take().unwrap().write_all(&new_key(size)).unwrap();
        let output = openssl.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("RSA key ok"), "{text}");
    }
}

#[test]
fn a_failing_generator_is_reported() {
    for good in 0..3 {
        let mut calls = 0;
        let result = generate(RsaSize::Bits2048, &mut |out| {
            calls += 1;
            let _ = system_random(out);
            if calls > good { Err("broken") } else { Ok(()) }
        });
        assert_eq!(result.unwrap_err(), RsaError::Random("broken"));
    }
}

#[test]
fn a_generator_that_repeats_itself_gives_no_key() {
    for octet in [0, 0x55, 0xff] {
        let mut stuck = |out: &mut [u8]| {
            out.fill(octet);
            Ok::<(), Infallible>(())
        };
        assert_eq!(generate(RsaSize::Bits2048, &mut stuck).unwrap_err(), RsaError::NoPrime);
    }
}

/// Two distinct keys share no prime.
#[test]
fn keys_differ() {
    let first = numbers(&new_key(RsaSize::Bits2048));
    let second = numbers(&new_key(RsaSize::Bits2048));
    assert_eq!(gcd_by_euclid(first[0].clone(), second[0].clone()), BigUint::from(1u32));
}

#[test]
fn primes_too_near_to_each_other_are_refused() {
    let search = Search::new(1024, 1 << 12, 1);
    let p = search.find::<BoxedUint, Infallible>(&mut system_random).unwrap();
    assert!(Key::from_primes(&p, &p).is_none());
    for (bit, near) in [(924, true), (925, false), (936, false), (960, false)] {
        // Not a prime, but the distance is looked at first.
        let q = big(&p) ^ (BigUint::from(1u32) << bit);
        let distance = if q > big(&p) { &q - big(&p) } else { big(&p) - &q };
        assert_eq!(distance > BigUint::from(1u32) << 924, !near);
        let q = boxed(&q, 1024);
        for (a, b) in [(&*p, &q), (&q, &*p)] {
            if near {
                assert!(Key::from_primes(a, b).is_none(), "bit {bit}");
            } else if let Some(key) = Key::from_primes(a, b) {
                // Of such a key the order is right; that it is none is the caller's fault.
                assert!(big(&key.p) > big(&key.q), "bit {bit}");
            }
        }
    }
}

/// The inverse of `e` modulo all kinds of even numbers, as `p - 1` and the common multiple are.
#[test]
fn the_inverse_of_the_exponent_is_right() {
    for m in [2u64, 6, 65536, 65538, 2 * 65537, 0xffff_ffff_ffff_fffe, 1 << 63, 6_700_418] {
        for high in [0, 1, u64::MAX] {
            let modulus = (BigUint::from(high) << 64) + m;
            match invert_exponent(&boxed(&modulus, 128)) {
                Some(inverse) => {
                    assert!(big(&inverse) < modulus, "{modulus}");
                    assert_eq!(
                        big(&inverse) * 65537u32 % &modulus,
                        BigUint::from(1u32),
                        "{modulus}"
                    );
                }
                None => assert_eq!(&modulus % 65537u32, BigUint::ZERO, "{modulus}"),
            }
        }
    }
}
