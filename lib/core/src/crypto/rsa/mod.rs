//! RSA key generation: two probable primes and the PKCS#8 of the key.
//!
//! The key fulfils FIPS 186-5, A.1.1: `e` is 65537; `p` and `q` are at least
//! `sqrt(2) * 2^(nlen / 2 - 1)` and differ by more than `2^(nlen / 2 - 100)`; `p - 1` and `q - 1`
//! have no divisor in common with `e`; `d` is `1 / e` modulo `lcm(p - 1, q - 1)` and greater than
//! `2^(nlen / 2)`. The primes are probable primes as in A.1.3, but searched for incrementally:
//! see [`prime`]. The key is written as RSAPrivateKey (RFC 8017, A.1.2) inside PKCS#8 version 1
//! (RFC 5208; RFC 5958).
//!
//! Why not a published crate: with the modular arithmetic of crypto-bigint 0.7 keys took longer
//! than with OpenSSL. A square in [`montgomery`] takes over a third less time than there.
//!
//! Limitation: the sieve reads and writes its tables at places that depend on the primes, so that a program
//! which shares the processor's caches could learn what they are modulo small numbers. Keys of CAs are
//! therefore made by the backend (`KeyPair::generate_for_ca`).
//!
//! Refused: other lengths than 2048, 3072 and 4096 bits, other public exponents. What is secret
//! is wiped when dropped; copies that the compiler made on the stack or in registers are not.

use std::sync::LazyLock;

use zeroize::Zeroizing;

mod der;
mod limbs;
mod montgomery;
mod prime;

use limbs::{Limbs, Wide, divide, gcd, halves, mask, multiply, product, select, sub, sub_small};
use montgomery::Modulus;
use prime::Search;

/// The public exponent of every key.
pub(crate) const EXPONENT: u32 = 65537;

/// Fills a buffer from a generator that is fit for keys.
pub(crate) type RandomSource<'a, E> = &'a mut dyn FnMut(&mut [u8]) -> Result<(), E>;

/// The lengths of the modulus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RsaSize {
    /// 2048 bits.
    Bits2048,
    /// 3072 bits.
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

/// Why no key was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RsaError<E> {
    /// The random generator failed.
    Random(E),
    /// No pair of primes was found: the random generator repeats itself.
    NoPrime,
}

/// Makes an RSA key; returns its PKCS#8 in DER.
pub(crate) fn generate<E>(
    size: RsaSize,
    fill_random: RandomSource<'_, E>,
) -> Result<Zeroizing<Vec<u8>>, RsaError<E>> {
    // The longer a test, the more small primes are worth their while (measured). Rounds: see
    // `prime`.
    static SEARCH_2048: LazyLock<Search> = LazyLock::new(|| Search::new(1 << 17, 5));
    static SEARCH_3072: LazyLock<Search> = LazyLock::new(|| Search::new(1 << 19, 4));
    static SEARCH_4096: LazyLock<Search> = LazyLock::new(|| Search::new(1 << 20, 4));
    match size {
        RsaSize::Bits2048 => generate_sized::<16, E>(&SEARCH_2048, fill_random),
        RsaSize::Bits3072 => generate_sized::<24, E>(&SEARCH_3072, fill_random),
        RsaSize::Bits4096 => generate_sized::<32, E>(&SEARCH_4096, fill_random),
    }
}

fn generate_sized<const N: usize, E>(
    search: &Search,
    fill_random: RandomSource<'_, E>,
) -> Result<Zeroizing<Vec<u8>>, RsaError<E>> {
    /// A second prime too near the first does not happen twice.
    const TRIES: usize = 4;
    let p = search.find::<N, E>(fill_random)?;
    for _ in 0..TRIES {
        let q = search.find::<N, E>(fill_random)?;
        if let Some(key) = Key::from_primes(&p, &q) {
            return Ok(key.to_pkcs8());
        }
    }
    Err(RsaError::NoPrime)
}

/// The numbers of RSAPrivateKey with two primes (RFC 8017, A.1.2).
struct Key<const N: usize> {
    n: Wide<N>,
    d: Zeroizing<Wide<N>>,
    p: Zeroizing<Limbs<N>>,
    q: Zeroizing<Limbs<N>>,
    d_p: Zeroizing<Limbs<N>>,
    d_q: Zeroizing<Limbs<N>>,
    q_inverse: Zeroizing<Limbs<N>>,
}

impl<const N: usize> Key<N> {
    /// The key of two primes; `None` if they are too near or `d` is too small.
    fn from_primes(first: &Limbs<N>, second: &Limbs<N>) -> Option<Self> {
        let (difference, swap) = sub(first, second);
        let swap = mask(swap);
        // The greater one goes first: some readers insist.
        let p = Zeroizing::new(select(swap, second, first));
        let q = Zeroizing::new(select(swap, first, second));
        let difference = Zeroizing::new(select(swap, &sub(&[0; N], &difference).0, &difference));
        // The limit is 2^(64 N - 100), place 28 of the last limb but one; asked for is twice that.
        if difference[N - 1] == 0 && difference[N - 2] >> 29 == 0 {
            return None;
        }
        let p_less_one = Zeroizing::new(sub_small(&p, 1));
        let q_less_one = Zeroizing::new(sub_small(&q, 1));
        let common = Zeroizing::new(gcd(&p_less_one, &q_less_one));
        let q_part = Zeroizing::new(divide(&q_less_one, &common));
        let lambda = Zeroizing::new(multiply(&p_less_one, &q_part));
        let mut d = lambda;
        invert_exponent(d.as_flattened_mut());
        // d is odd, so that a limb in its upper half puts it above 2^(64 N).
        if d[1] == [0; N] {
            return None;
        }
        let (mut d_p, mut d_q) = (p_less_one, q_less_one);
        invert_exponent(d_p.as_mut());
        invert_exponent(d_q.as_mut());
        let modulus = Modulus::new(&p);
        // By Fermat: q^(p - 2) is 1 / q modulo p.
        let exponent = Zeroizing::new(sub_small(&p, 2));
        let inverse = Zeroizing::new(modulus.power(&modulus.enter(&q), &exponent));
        let q_inverse = Zeroizing::new(modulus.leave(&inverse));
        Some(Self { n: multiply(&p, &q), d, p, q, d_p, d_q, q_inverse })
    }

    fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        der::pkcs8(&[
            self.n.as_flattened(),
            &[u64::from(EXPONENT)],
            self.d.as_flattened(),
            self.p.as_ref(),
            self.q.as_ref(),
            self.d_p.as_ref(),
            self.d_q.as_ref(),
            self.q_inverse.as_ref(),
        ])
    }
}

/// Replaces `m`, of which `e` is no divisor, by `1 / e` modulo `m`.
///
/// That is `(1 + k m) / e` with the `k` below `e` for which the division has no rest:
/// `k = -1 / m` modulo `e`, where `1 / m = m^(e - 2)`, for `e` is prime.
fn invert_exponent(m: &mut [u64]) {
    const E: u64 = EXPONENT as u64;
    let rest = m.iter().rev().fold(0, |rest, limb| divide_step(rest, *limb).1);
    let mut power = 1;
    for bit in (0..17).rev() {
        power = power * power % E;
        power = if ((E - 2) >> bit) & 1 == 1 { power * rest % E } else { power };
    }
    let k = (E - power) % E;
    let mut carry = 1;
    for limb in m.iter_mut() {
        let (low, high) = product(*limb, k);
        let sum = u128::from(low) + u128::from(carry);
        let (low, more) = halves(sum);
        (*limb, carry) = (low, high + more);
    }
    // What was carried out is below e.
    let mut rest = carry;
    for limb in m.iter_mut().rev() {
        (*limb, rest) = divide_step(rest, *limb);
    }
}

/// `rest * 2^64 + limb` divided by `e`: quotient and rest, for `rest` below `e`.
fn divide_step(rest: u64, limb: u64) -> (u64, u64) {
    const E: u64 = EXPONENT as u64;
    let high = (rest << 32) | (limb >> 32);
    let low = ((high % E) << 32) | (limb & 0xffff_ffff);
    (((high / E) << 32) | (low / E), low % E)
}

#[cfg(test)]
mod tests;
