//! RSA key generation: two probable primes and the PKCS#8 of the key.
//!
//! The key fulfils FIPS 186-5, A.1.1: `e` is 65537; `p` and `q` are at least
//! `sqrt(2) * 2^(nlen / 2 - 1)` and differ by more than `2^(nlen / 2 - 100)`; `p - 1` and `q - 1`
//! have no divisor in common with `e`; `d` is `1 / e` modulo `lcm(p - 1, q - 1)` and greater than
//! `2^(nlen / 2)`. The primes are probable primes as in A.1.3, but searched for incrementally:
//! see [`prime`]. The key is written as RSAPrivateKey (RFC 8017, A.1.2) inside PKCS#8 version 1
//! (RFC 5208; RFC 5958).
//!
//! The arithmetic is that of the crate crypto-bigint, in constant time; the search is ours. Why not
//! crypto-primes: it takes up to twice as long (docs/performance.md), for it tests each candidate with a random
//! base first. It is what tests compare with.
//!
//! Limitation: candidates are consecutive odd numbers. Who can count, from the same processor, how many were
//! tested (each test is the same long run of multiplications) learns something about the prime modulo small
//! primes. That is nothing to work the key out from by itself, but it is more than nothing. Keys of CAs are
//! therefore made by the backend (`KeyPair::generate_for_ca`), which draws each candidate anew, and so are
//! devices' with [`RsaKeys::Backend`](super::RsaKeys).
//!
//! Refused: other lengths than 2048, 3072 and 4096 bits, other public exponents. What is secret
//! is wiped when dropped; what crypto-bigint keeps for itself while it computes, and copies that the compiler
//! made on the stack or in registers, are not.

use std::sync::LazyLock;

use crypto_bigint::{BoxedUint, ConcatenatingMul, CtLt, CtSelect, Lcm, Resize, U1024};
use zeroize::Zeroizing;

mod prime;
mod sieve;

use super::KeyAlgorithm;
use crate::der;
use prime::{Number, Search};

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
    static SEARCH_2048: LazyLock<Search> = LazyLock::new(|| Search::new(1024, 1 << 17, 5));
    static SEARCH_3072: LazyLock<Search> = LazyLock::new(|| Search::new(1536, 1 << 18, 4));
    static SEARCH_4096: LazyLock<Search> = LazyLock::new(|| Search::new(2048, 1 << 19, 4));
    match size {
        RsaSize::Bits2048 => generate_with::<U1024, E>(&SEARCH_2048, fill_random),
        RsaSize::Bits3072 => generate_with::<BoxedUint, E>(&SEARCH_3072, fill_random),
        RsaSize::Bits4096 => generate_with::<BoxedUint, E>(&SEARCH_4096, fill_random),
    }
}

fn generate_with<N: Number, E>(
    search: &Search,
    fill_random: RandomSource<'_, E>,
) -> Result<Zeroizing<Vec<u8>>, RsaError<E>> {
    /// A second prime too near the first does not happen twice.
    const TRIES: usize = 4;
    let mut find = || -> Result<Zeroizing<BoxedUint>, RsaError<E>> {
        let prime = search.find::<N, E>(fill_random)?;
        Ok(Zeroizing::new(N::clone(&prime).into()))
    };
    let p = find()?;
    for _ in 0..TRIES {
        let q = find()?;
        if let Some(key) = Key::from_primes(&p, &q) {
            return Ok(key.to_pkcs8());
        }
    }
    Err(RsaError::NoPrime)
}

/// The numbers of RSAPrivateKey with two primes (RFC 8017, A.1.2).
struct Key {
    n: BoxedUint,
    d: Zeroizing<BoxedUint>,
    p: Zeroizing<BoxedUint>,
    q: Zeroizing<BoxedUint>,
    d_p: Zeroizing<BoxedUint>,
    d_q: Zeroizing<BoxedUint>,
    q_inverse: Zeroizing<BoxedUint>,
}

impl Key {
    /// The key of two primes of the same length; `None` if they are too near or `d` is too small.
    fn from_primes(first: &BoxedUint, second: &BoxedUint) -> Option<Self> {
        let bits = first.bits_precision();
        // The greater one goes first: some readers insist.
        let swap = first.ct_lt(second);
        let p = Zeroizing::new(first.ct_select(second, swap));
        let q = Zeroizing::new(second.ct_select(first, swap));
        // The limit is 2^(bits - 100); asked for is twice that.
        let difference = Zeroizing::new(p.wrapping_sub(&*q));
        if difference.bit_width() <= bits - 99 {
            return None;
        }
        let one = BoxedUint::one_with_precision(bits);
        let p_less_one = Zeroizing::new(p.wrapping_sub(&one));
        let q_less_one = Zeroizing::new(q.wrapping_sub(&one));
        let lambda = Zeroizing::new(p_less_one.lcm(&q_less_one));
        let d = invert_exponent(&lambda)?;
        // d is odd, so that a bit in its upper half puts it above 2^bits.
        if d.bit_width() <= bits {
            return None;
        }
        let q_inverse = q.invert_odd_mod(&p.to_odd().into_option()?).into_option()?;
        Some(Self {
            n: p.concatenating_mul(&*q),
            d,
            d_p: invert_exponent(&p_less_one)?,
            d_q: invert_exponent(&q_less_one)?,
            q_inverse: Zeroizing::new(q_inverse),
            p,
            q,
        })
    }

    fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        let secret = |tag, parts: &[&[u8]]| Zeroizing::new(der::element(tag, parts));
        let version = [der::INTEGER, 1, 0];
        let exponent = BoxedUint::from(EXPONENT);
        let (p, q) = (&*self.p, &*self.q);
        let numbers =
            [&self.n, &exponent, &*self.d, p, q, &*self.d_p, &*self.d_q, &*self.q_inverse];
        let integers = numbers.map(integer);
        let parts = std::iter::once(&version[..]).chain(integers.iter().map(|i| i.as_slice()));
        let key = secret(der::SEQUENCE, &parts.collect::<Vec<_>>());
        let key = secret(der::OCTET_STRING, &[&key]);
        let algorithm = KeyAlgorithm::Rsa { bits: self.n.bit_width() }.identifier();
        secret(der::SEQUENCE, &[&version, algorithm, &key])
    }
}

/// `1 / e` modulo `modulus`, if there is one.
fn invert_exponent(modulus: &BoxedUint) -> Option<Zeroizing<BoxedUint>> {
    let exponent = BoxedUint::from(EXPONENT).resize(modulus.bits_precision());
    let inverse = exponent.invert_mod(&modulus.to_nz().into_option()?);
    inverse.into_option().map(Zeroizing::new)
}

/// The DER of a positive INTEGER: no zeros in front, but for one where the top bit would be the sign.
fn integer(number: &BoxedUint) -> Zeroizing<Vec<u8>> {
    let bytes = Zeroizing::new(number.to_be_bytes());
    let leading = bytes.iter().take_while(|octet| **octet == 0).count();
    let significant = &bytes[leading..];
    let sign = significant.first().filter(|octet| **octet >= 0x80).map_or(&[][..], |_| &[0]);
    Zeroizing::new(der::element(der::INTEGER, &[sign, significant]))
}

#[cfg(test)]
pub(super) mod tests;
