//! The search against brute force and an independent implementation of big numbers.

use std::convert::Infallible;

use num_bigint::BigUint;

use super::*;

/// The system's generator.
pub(in super::super) fn system_random(out: &mut [u8]) -> Result<(), Infallible> {
    crate::crypto::fill_random(out).unwrap();
    Ok(())
}

pub(in super::super) fn big(limbs: &[u64]) -> BigUint {
    BigUint::from_bytes_le(&limbs.iter().flat_map(|l| l.to_le_bytes()).collect::<Vec<_>>())
}

fn limbs<const N: usize>(number: &BigUint) -> Limbs<N> {
    let digits = number.to_u64_digits();
    assert!(digits.len() <= N);
    std::array::from_fn(|i| digits.get(i).copied().unwrap_or(0))
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

fn passes<const N: usize>(rounds: u32, n: &BigUint) -> bool {
    let search = Search { small_primes: Vec::new(), rounds };
    search.is_probable_prime::<N, Infallible>(&limbs(n), &mut system_random).unwrap()
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

#[test]
fn the_sieve_marks_what_brute_force_marks() {
    let search = Search::new(1 << 11, 1);
    for _ in 0..20 {
        let start =
            [random_limbs::<4, Infallible>(&mut system_random).unwrap()[0] | 1, 7, 0, 1 << 63];
        let struck = search.strike(&start, 3000);
        for (i, mark) in struck.iter().enumerate() {
            let number = big(&start) + 2 * i as u64;
            let bad = &number % EXPONENT == BigUint::from(1u32)
                || search.small_primes.iter().any(|p| &number % *p == BigUint::ZERO);
            assert_eq!(*mark, bad, "{number}");
        }
    }
}

#[test]
fn the_sieve_meets_e_and_multiples_at_the_start() {
    let search = Search::new(1 << 8, 1);
    for p in [3u32, 251, EXPONENT] {
        let multiple: BigUint = (BigUint::from(u64::MAX) << 64) / p * p;
        let odd = if multiple.bit(0) { multiple } else { multiple + p };
        let at = if p == EXPONENT { &odd + 1u32 + p } else { odd };
        let struck = search.strike(&limbs::<2>(&at), 1);
        assert_eq!(struck[..], [true], "{p}");
    }
}

#[test]
fn remainders_are_right_for_extreme_numbers() {
    let primes = [3, 5, EXPONENT, 1_048_573, (1 << 30) - 35];
    for number in [[u64::MAX; 32], [0; 32], [1 << 63; 32], [0xffff_ffff; 32]] {
        let expected = primes.map(|p| u32::try_from(big(&number) % p).unwrap());
        assert_eq!(remainders(&number, primes), expected);
    }
}

#[test]
fn known_primes_pass_and_their_neighbours_do_not() {
    // The greatest primes below 2^64, 2^128, 2^256, 2^512 and 2^1024.
    let check = |bits, below, passes: fn(u32, &BigUint) -> bool| {
        for k in (1..=below).step_by(2) {
            assert_eq!(passes(5, &(power_of_two(bits) - k)), k == below, "2^{bits} - {k}");
        }
    };
    check(64, 59u32, passes::<1>);
    check(128, 159, passes::<2>);
    check(256, 189, passes::<4>);
    check(512, 569, passes::<8>);
    check(1024, 105, passes::<16>);
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
            assert!(passes::<1>(0, &n), "{n} passes to the base 2");
            assert!(!passes::<1>(40, &n), "{n}");
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
        assert!(!passes::<4>(40, &n), "{n}");
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
            assert!(passes::<2>(0, &n), "{n} passes to the base 2");
            assert!(!passes::<2>(40, &n), "{n}");
            found += 1;
        }
    }
}

#[test]
fn found_primes_have_their_form() {
    for limit in [3, 1 << 10, 1 << 16] {
        let search = Search::new(limit, 5);
        let prime = search.find::<4, Infallible>(&mut system_random).unwrap();
        assert!(is_prime(&big(&*prime)));
        assert_eq!(prime[3] >> 62, 3);
        assert_ne!(big(&*prime) % EXPONENT, BigUint::from(1u32));
    }
}

#[test]
fn a_start_at_the_end_of_the_range_is_given_up() {
    let mut stuck = |out: &mut [u8]| {
        out.fill(0xff);
        Ok::<(), Infallible>(())
    };
    let result = Search::new(1 << 10, 1).find::<4, _>(&mut stuck);
    assert_eq!(result.unwrap_err(), RsaError::NoPrime);
}
