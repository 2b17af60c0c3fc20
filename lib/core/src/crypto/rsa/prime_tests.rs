//! The search against brute force and an independent implementation of big numbers.

use std::convert::Infallible;

use num_bigint::BigUint;

use super::super::EXPONENT;
use super::super::sieve::odd_primes_below;
use super::*;

/// The system's generator.
pub(in super::super) fn system_random(out: &mut [u8]) -> Result<(), Infallible> {
    crate::crypto::fill_random(out).unwrap();
    Ok(())
}

pub(in super::super) fn big(number: &BoxedUint) -> BigUint {
    BigUint::from_bytes_be(&number.to_be_bytes())
}

/// A number of so many bits.
pub(in super::super) fn boxed(number: &BigUint, bits: u32) -> BoxedUint {
    BoxedUint::from_be_slice(&number.to_bytes_be(), bits).unwrap()
}

/// Miller and Rabin's test to one base, with the other implementation.
fn is_strong_probable_prime(n: &BigUint, base: u32) -> bool {
    let less_one = n - 1u32;
    let twos = less_one.trailing_zeros().unwrap();
    let mut x = BigUint::from(base).modpow(&(&less_one >> twos), n);
    if x == BigUint::from(1u32) || x == less_one {
        return true;
    }
    (1..twos).any(|_| {
        x = &x * &x % n;
        x == less_one
    })
}

/// With the first 13 primes the test is exact up to 3.3 * 10^24 (Sorenson and Webster 2015).
pub(in super::super) fn is_prime(n: &BigUint) -> bool {
    const BASES: [u32; 13] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41];
    BASES.iter().all(|b| (n % *b != BigUint::ZERO) && is_strong_probable_prime(n, *b))
}

fn passes(rounds: u32, n: &BigUint, bits: u32) -> bool {
    let search = Search::new(bits, 3, rounds);
    let passed = |answer: Result<bool, RsaError<Infallible>>| answer.unwrap();
    let n = boxed(n, bits);
    let answer = passed(search.is_probable_prime(&n, &mut system_random));
    if bits == U1024::BITS {
        // The form of fixed length says the same.
        let fixed = U1024::from_be_slice(&n.to_be_bytes());
        assert_eq!(passed(search.is_probable_prime(&fixed, &mut system_random)), answer);
    }
    answer
}

fn power_of_two(exponent: u32) -> BigUint {
    BigUint::from(1u32) << exponent
}

#[test]
fn small_primes_are_right() {
    let by_division: Vec<u32> = (3..5000)
        .filter(|n: &u32| (2..*n).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d)))
        .collect();
    assert_eq!(odd_primes_below(5000), by_division);
    // Without 2: pi(2^16) is 6542, pi(2^20) is 82025.
    assert_eq!(odd_primes_below(1 << 16).len(), 6541);
    assert_eq!(odd_primes_below(1 << 20).len(), 82024);
}

/// Whether a number is to be marked, by division.
fn is_bad(sieve: &Sieve, number: &BigUint) -> bool {
    let (exponent, primes) = sieve.primes.split_last().unwrap();
    assert_eq!(*exponent, EXPONENT);
    number % EXPONENT == BigUint::from(1u32) || primes.iter().any(|p| number % *p == BigUint::ZERO)
}

fn check_words(sieve: &Sieve, start: &BigUint, bits: u32, words: u32) {
    let mut marks = sieve.from(&boxed(start, bits));
    for at in (0..words * WORD).step_by(64) {
        let word = marks.next_word();
        for bit in 0..WORD {
            let number = start + 2 * (at + bit);
            assert_eq!((word >> bit) & 1 == 1, is_bad(sieve, &number), "{number}");
        }
    }
}

#[test]
fn the_sieve_marks_what_brute_force_marks() {
    for limit in [3, 64, 67, 1 << 11] {
        let sieve = Sieve::new(limit);
        for _ in 0..8 {
            let mut bytes = [0; 32];
            system_random(&mut bytes).unwrap();
            bytes[31] |= 1;
            check_words(&sieve, &BigUint::from_bytes_be(&bytes), 256, 40);
        }
    }
}

#[test]
fn the_sieve_meets_multiples_at_the_start_and_extreme_numbers() {
    let sieve = Sieve::new(1 << 8);
    let far = (power_of_two(128) - 1u32) / 4u32;
    for p in [3u32, 61, 67, 251, EXPONENT] {
        let odd = |number: BigUint| if number.bit(0) { number } else { number + p };
        let multiple = odd(&far / p * p);
        // The number itself, those around it, and for e that one above a multiple.
        for start in [&multiple - 2u32, multiple.clone(), multiple + 2u32] {
            check_words(&sieve, &start, 128, 3);
        }
        check_words(&sieve, &(odd(&far / p * p + p) + 1u32 + p), 128, 3);
    }
    check_words(&sieve, &(power_of_two(2048) - 1_000_001u32), 2048, 3);
    check_words(&sieve, &BigUint::from(1u32), 64, 3);
}

#[test]
fn every_rest_of_a_small_prime_is_placed_right() {
    let sieve = Sieve::new(1 << 7);
    for start in (1u32..512).step_by(2) {
        check_words(&sieve, &BigUint::from(start), 64, 1);
    }
}

#[test]
fn known_primes_pass_and_their_neighbours_do_not() {
    // The greatest primes below 2^64, 2^128, 2^256, 2^512 and 2^1024.
    for (bits, below) in [(64, 59u32), (128, 159), (256, 189), (512, 569), (1024, 105)] {
        for k in (1..=below).step_by(2) {
            assert_eq!(passes(5, &(power_of_two(bits) - k), bits), k == below, "2^{bits} - {k}");
        }
    }
}

/// The other implementation of the whole search: crypto-primes.
#[test]
fn crypto_primes_says_the_same_of_candidates() {
    let mut primes = 0;
    for _ in 0..2000 {
        let mut bytes = [0; 16];
        system_random(&mut bytes).unwrap();
        bytes[0] |= 0x80;
        bytes[15] |= 1;
        let n = BigUint::from_bytes_be(&bytes);
        let theirs = crypto_primes::is_prime(crypto_primes::Flavor::Any, &boxed(&n, 128));
        assert_eq!(passes(5, &n, 128), theirs, "{n}");
        primes += u32::from(theirs);
    }
    // One odd number in 44 is prime.
    assert!(primes > 5, "{primes}");
}

/// `p (2 p - 1)`, a quarter of whose bases do not see that it is composite, is often a strong
/// pseudoprime to the base 2.
#[test]
fn strong_pseudoprimes_to_base_two_fail_with_random_bases() {
    let mut found = 0;
    let mut p = BigUint::from(2_400_000_001u64);
    while found < 5 {
        p += 2u32;
        let n = &p * (2u32 * &p - 1u32);
        if is_prime(&p) && is_prime(&(2u32 * &p - 1u32)) && is_strong_probable_prime(&n, 2) {
            assert_eq!(n.bits(), 64);
            assert!(passes(0, &n, 64), "{n} passes to the base 2");
            assert!(!passes(40, &n, 64), "{n}");
            found += 1;
        }
    }
}

/// Chernick's Carmichael numbers: every base passes Fermat's test.
#[test]
fn carmichael_numbers_fail() {
    let mut found = 0;
    let mut k = BigUint::from(777u32) << 72;
    while found < 3 {
        k += 1u32;
        let factors = [6u32, 12, 18].map(|f| &k * f + 1u32);
        if !factors.iter().all(is_prime) {
            continue;
        }
        let n = factors.iter().product::<BigUint>();
        assert_eq!(n.bits(), 256);
        assert_eq!(BigUint::from(2u32).modpow(&(&n - 1u32), &n), BigUint::from(1u32));
        assert!(!passes(40, &n, 256), "{n}");
        found += 1;
    }
}

/// Arnault's form `p (13 (p - 1) + 1) (41 (p - 1) + 1)` with `p` chosen so that it is a
/// Carmichael number that a quarter of all bases pass, the chosen ones among them (Arnault 1995).
#[test]
fn composites_made_to_pass_for_small_bases_fail() {
    let mut found = 0;
    // 3 modulo 4, 6 modulo 13, 22 modulo 41.
    let mut p = (725_000_000_000u64..)
        .find(|p| p % 4 == 3 && p % 13 == 6 && p % 41 == 22)
        .map(BigUint::from)
        .unwrap();
    while found < 3 {
        p += 4 * 13 * 41u32;
        let factors = [1u32, 13, 41].map(|k| k * (&p - 1u32) + 1u32);
        if !factors.iter().all(is_prime) {
            continue;
        }
        let n = factors.iter().product::<BigUint>();
        if is_strong_probable_prime(&n, 2) && is_strong_probable_prime(&n, 3) {
            assert_eq!(n.bits(), 128);
            assert!(passes(0, &n, 128), "{n} passes to the base 2");
            assert!(!passes(40, &n, 128), "{n}");
            found += 1;
        }
    }
}

#[test]
fn found_primes_have_their_form() {
    for limit in [3, 1 << 10, 1 << 16] {
        let search = Search::new(256, limit, 5);
        let prime = search.find::<BoxedUint, Infallible>(&mut system_random).unwrap();
        assert!(is_prime(&big(&prime)));
        assert!(crypto_primes::is_prime(crypto_primes::Flavor::Any, &*prime));
        assert_eq!(big(&prime) >> 254u32, BigUint::from(3u32));
        assert_ne!(big(&prime) % EXPONENT, BigUint::from(1u32));
    }
}

/// Of a known start the search finds the first prime behind it that is not 1 modulo `e`.
#[test]
fn no_prime_is_passed_over() {
    let search = Search::new(128, 1 << 10, 5);
    for _ in 0..40 {
        let mut bytes = [0; 16];
        system_random(&mut bytes).unwrap();
        bytes[0] |= 1;
        bytes[15] |= 0xc0;
        let mut calls = 0;
        // The start is known, the bases are not.
        let mut random = |out: &mut [u8]| {
            calls += 1;
            if calls == 1 {
                out.copy_from_slice(&bytes);
                return Ok::<(), Infallible>(());
            }
            system_random(out)
        };
        let found = big(&search.find::<BoxedUint, Infallible>(&mut random).unwrap());
        let mut expected = BigUint::from_bytes_le(&bytes);
        while !is_prime(&expected) || &expected % EXPONENT == BigUint::from(1u32) {
            expected += 2u32;
        }
        assert_eq!(found, expected, "from {bytes:?}");
    }
}

#[test]
fn a_start_at_the_end_of_the_range_is_given_up() {
    let mut stuck = |out: &mut [u8]| {
        out.fill(0xff);
        Ok::<(), Infallible>(())
    };
    let result = Search::new(256, 1 << 10, 1).find::<BoxedUint, _>(&mut stuck);
    assert_eq!(result.unwrap_err(), RsaError::NoPrime);
}
