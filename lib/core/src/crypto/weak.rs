//! Public keys whose private half others can work out, or whose signatures mean nothing: they are not
//! certified and not taken in.
//!
//! The measure is what the CA software boulder (Let's Encrypt) checks in `goodkey`, which follows the
//! CA/Browser Forum's Baseline Requirements, 6.1.1.3 and 6.1.6.
//!
//! | key | refused | source |
//! | --- | --- | --- |
//! | RSA | a modulus below 2048 bits | [`MIN_RSA_BITS`](super::MIN_RSA_BITS) |
//! | | a modulus above 8192 bits | what both backends verify |
//! | | an exponent that is even or below 65537; 3 is let through by [`KeyPolicy`] | Baseline Requirements, 6.1.6 |
//! | | an exponent above 2^33 - 1 | what both backends verify |
//! | | a modulus with a factor up to 751 | Baseline Requirements, 6.1.6; boulder |
//! | | primes that 110 rounds of Fermat's method find | Baseline Requirements, 6.1.1.3 (100); boulder (110) |
//! | | the pattern of ROCA | CVE-2017-15361; Nemec and others, "The Return of Coppersmith's Attack", 2017 |
//! | EC | the point at infinity, a coordinate above the prime, a point beside the curve | SP 800-56A, 5.6.2.3.3 |
//! | Ed25519 | a point of small order, in any way to write it: its signatures fit any text | RFC 7748, 6.1; libsodium's `ge25519_has_small_order` |
//! | | a coordinate y that is not below 2^255 - 19 | RFC 8032, 5.1.3 |
//!
//! Beside that, a key has one way to be written ([`check_form`]): who has a key already is looked up by the
//! bytes of its SubjectPublicKeyInfo.
//!
//! boulder takes no other RSA exponent than 65537, and only moduli of 2048, 3072 and 4096 bits. Here other
//! odd exponents and lengths pass: devices with them exist, and they are not weak.
//!
//! Limitations: the list of weak keys that Debian's OpenSSL made from 2006 to 2008 is not looked at: no crate
//! with it was found; they are keys of such devices only as were made then. Whether an Ed25519 key is
//! a point of the curve, the backend finds when it verifies the request.
//!
//! All numbers here are public, so nothing has to take the same time for each of them.

use std::sync::LazyLock;

use num_bigint::BigUint;

use super::key_algorithm::{KeyAlgorithm, spki};
use super::rsa_numbers::rsa_numbers;
use crate::der;
use crate::failure::{Failure, Fault, Hint, Permission, Task};

/// Longest RSA modulus that is accepted, in bits: what both backends verify.
pub const MAX_RSA_BITS: u32 = 8192;

/// Smallest RSA exponent that is accepted (Baseline Requirements, 6.1.6: "should").
const LEAST_EXPONENT: u32 = 65537;

/// Longest RSA exponent that is accepted, in bits: what both backends verify.
const MOST_EXPONENT_BITS: u64 = 33;

/// Rounds of Fermat's method, as boulder's `FermatRounds`.
const FERMAT_ROUNDS: usize = 110;

/// The largest prime that is tried as a factor, as boulder does.
const LARGEST_PRIME: u32 = 751;

/// The largest prime in the modulus of ROCA's pattern that counts for its fingerprint.
const LARGEST_ROCA_PRIME: u32 = 167;

/// What is let through of what would be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyPolicy {
    /// RSA keys with the exponent 3. With the padding that is checked everywhere today nobody can forge
    /// their signatures, but verifiers that check it carelessly have let such forgeries pass.
    pub allow_exponent_3: bool,
}

/// Why a public key is refused.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeakKey {
    /// An RSA modulus that is too long.
    #[error("an RSA key of {0} bits is refused: the maximum is {MAX_RSA_BITS}")]
    LongRsa(u32),
    /// An even RSA exponent.
    #[error("the key's RSA exponent {0} is even, and has to be odd")]
    EvenExponent(String),
    /// A small RSA exponent.
    #[error("the key's RSA exponent {0} is too small: the minimum is {LEAST_EXPONENT}")]
    SmallExponent(u32),
    /// A large RSA exponent.
    #[error("the key's RSA exponent has {0} bits: the maximum is {MOST_EXPONENT_BITS}")]
    LargeExponent(u64),
    /// A modulus that is no product of two large primes.
    #[error("the key's RSA modulus can be divided by {0}, so anybody can compute its private key")]
    SmallFactor(u32),
    /// Primes beside each other.
    #[error(
        "the primes of the key's RSA modulus are so close to each other that anybody can compute them \
         (Fermat's method)"
    )]
    ClosePrimes,
    /// A key that a chip of Infineon has made.
    #[error(
        "the key's RSA modulus has the pattern of chips with a faulty generator (ROCA, CVE-2017-15361): \
         anybody can compute its private key"
    )]
    Roca,
    /// The neutral element of a curve.
    #[error("the key's {0} point is the point at infinity, which is nobody's key")]
    Infinity(KeyAlgorithm),
    /// A point that is not written as X9.62 has it.
    #[error("the key's {0} point has the wrong length or form")]
    BadPoint(KeyAlgorithm),
    /// A coordinate that is no element of the field.
    #[error("the key's {0} point has a coordinate that is not below the curve's prime")]
    Coordinate(KeyAlgorithm),
    /// A point of another curve.
    #[error("the key's {0} point is not on the curve")]
    NotOnCurve(KeyAlgorithm),
    /// A point that a few additions bring to the neutral element.
    #[error("the key's {0} point has a small order, so signatures that anybody makes fit it")]
    SmallOrder(KeyAlgorithm),
    /// An EC point without its second coordinate.
    #[error("the key's {0} point is compressed, and has to be written with both coordinates")]
    Compressed(KeyAlgorithm),
    /// A SubjectPublicKeyInfo that is not written as everybody writes it.
    #[error("the {0} key is written in an unusual form: {1}")]
    Form(KeyAlgorithm, &'static str),
}

impl Failure for WeakKey {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        let text = match self {
            Self::SmallExponent(3) => {
                return Some(Hint::say("make a new key").then(Hint::permit(
                    "if that is not possible, let this one through",
                    Permission::ExponentThree,
                )));
            }
            Self::Roca => {
                "make a new key outside that chip, or an EC key in it; ask its maker for an update"
            }
            Self::Compressed(_) => {
                "write the key with its whole point, and make the request with that: `openssl ec -in KEY \
                 -conv_form uncompressed -out NEW-KEY`"
            }
            Self::Form(KeyAlgorithm::Rsa { .. }, _) => {
                "make a plain RSA key, and the request with that: `openssl genpkey -algorithm RSA -pkeyopt \
                 rsa_keygen_bits:3072 -out NEW-KEY`"
            }
            Self::Form(..) => {
                "make the request with OpenSSL: `openssl req -new -key KEY -subj /CN=ID -out FILE`"
            }
            _ => return Some(Hint::run("make a new key", Task::NewKey { key_type: "ec-p256" })),
        };
        Some(text.into())
    }
}

/// Checks the contents of a SubjectPublicKeyInfo's BIT STRING. What cannot be read as such a key passes:
/// that was found when it was read.
pub(super) fn check(
    algorithm: KeyAlgorithm,
    bits: &[u8],
    policy: KeyPolicy,
) -> Result<(), WeakKey> {
    match algorithm {
        KeyAlgorithm::Rsa { bits: length } => match rsa_numbers(bits) {
            Ok((modulus, exponent)) => {
                let number = BigUint::from_bytes_be;
                check_rsa(length, &number(&modulus), &number(&exponent), policy)
            }
            Err(_) => Ok(()),
        },
        KeyAlgorithm::EcP256 => check_point(&P256, algorithm, bits),
        KeyAlgorithm::EcP384 => check_point(&P384, algorithm, bits),
        KeyAlgorithm::EcP521 => check_point(&P521, algorithm, bits),
        KeyAlgorithm::Ed25519 => check_edwards(algorithm, bits),
        // Any bytes of its length are one (FIPS 204, algorithm 23), and none is known to be weak.
        KeyAlgorithm::MlDsa(_) => Ok(()),
    }
}

/// Refuses a key that is not written in the one usual form: an EC point with both coordinates, an RSA key as
/// rsaEncryption with NULL (RFC 4055, 1.2), all of it in DER. In another form, the same key would be taken for
/// another one.
pub(super) fn check_form(
    algorithm: KeyAlgorithm,
    bits: &[u8],
    written: &[u8],
) -> Result<(), WeakKey> {
    match algorithm {
        KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521
            if matches!(bits.first(), Some(2 | 3)) =>
        {
            return Err(WeakKey::Compressed(algorithm));
        }
        KeyAlgorithm::Rsa { .. } if rsa_numbers(bits).is_ok_and(|n| rsa_key(&n) != bits) => {
            return Err(WeakKey::Form(algorithm, "its numbers are not in DER"));
        }
        _ => {}
    }
    match (algorithm, spki(algorithm, bits) == written) {
        (_, true) => Ok(()),
        (KeyAlgorithm::Rsa { .. }, false) => {
            Err(WeakKey::Form(algorithm, "its algorithm is not rsaEncryption with NULL"))
        }
        (_, false) => Err(WeakKey::Form(algorithm, "it is not in DER, or has parameters too many")),
    }
}

/// The RSAPublicKey of a modulus and an exponent, in DER.
fn rsa_key((modulus, exponent): &(Vec<u8>, Vec<u8>)) -> Vec<u8> {
    der::element(der::SEQUENCE, &[&der::unsigned(modulus), &der::unsigned(exponent)])
}

fn check_rsa(
    length: u32,
    modulus: &BigUint,
    exponent: &BigUint,
    policy: KeyPolicy,
) -> Result<(), WeakKey> {
    if length > MAX_RSA_BITS {
        return Err(WeakKey::LongRsa(length));
    }
    if exponent.bits() > MOST_EXPONENT_BITS {
        return Err(WeakKey::LargeExponent(exponent.bits()));
    }
    if !exponent.bit(0) {
        return Err(WeakKey::EvenExponent(exponent.to_string()));
    }
    match u32::try_from(exponent) {
        Ok(3) if policy.allow_exponent_3 => {}
        Ok(small) if small < LEAST_EXPONENT => return Err(WeakKey::SmallExponent(small)),
        _ => {}
    }
    if !modulus.bit(0) {
        return Err(WeakKey::SmallFactor(2));
    }
    check_residues(modulus)?;
    match has_close_primes(modulus) {
        true => Err(WeakKey::ClosePrimes),
        false => Ok(()),
    }
}

/// Odd primes whose product fits into 32 bits: one division of a long number serves all of them.
struct Group {
    product: u32,
    primes: Vec<SmallPrime>,
}

struct SmallPrime {
    prime: u32,
    /// The powers of 65537 modulo this prime, where ROCA's pattern asks for one of them.
    powers: Option<Vec<bool>>,
}

static GROUPS: LazyLock<Vec<Group>> = LazyLock::new(|| {
    let mut groups: Vec<Group> = Vec::new();
    for prime in (3..=LARGEST_PRIME).step_by(2).filter(|n| is_prime(*n)) {
        let powers = (prime <= LARGEST_ROCA_PRIME).then(|| powers_of_65537(prime));
        let small = SmallPrime { prime, powers };
        let last = groups.last_mut();
        match last.and_then(|g| Some((g.product.checked_mul(prime)?, g))) {
            Some((product, group)) => {
                group.product = product;
                group.primes.push(small);
            }
            None => groups.push(Group { product: prime, primes: vec![small] }),
        }
    }
    groups
});

fn is_prime(n: u32) -> bool {
    (2..n).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d))
}

fn powers_of_65537(prime: u32) -> Vec<bool> {
    let mut powers = vec![false; prime as usize];
    let mut power = 1;
    while !std::mem::replace(&mut powers[power as usize], true) {
        power = power * (65537 % prime) % prime;
    }
    powers
}

/// Small factors, and ROCA's pattern: both primes of such a key, and so their product, are powers of
/// 65537 modulo each of the first primes. A modulus that is none is taken for one in one of some 2^27.
fn check_residues(modulus: &BigUint) -> Result<(), WeakKey> {
    let mut has_pattern = true;
    for group in GROUPS.iter() {
        let residue = lowest_digit(&(modulus % group.product));
        for SmallPrime { prime, powers } in &group.primes {
            let residue = residue % prime;
            if residue == 0 {
                return Err(WeakKey::SmallFactor(*prime));
            }
            has_pattern &= powers.as_ref().is_none_or(|powers| powers[residue as usize]);
        }
    }
    if has_pattern { Err(WeakKey::Roca) } else { Ok(()) }
}

/// Fermat's method: a product of primes that are close to each other is `a^2 - b^2` for an `a` little above
/// its root. A prime's square is one too.
fn has_close_primes(modulus: &BigUint) -> bool {
    let mut a = modulus.sqrt();
    if &a * &a != *modulus {
        a += 1u32;
    }
    let mut square = &a * &a - modulus;
    let mut step = a * 2u32 + 1u32;
    for _ in 0..FERMAT_ROUNDS {
        if is_square(&square) {
            return true;
        }
        square += &step;
        step += 2u32;
    }
    false
}

/// Whether a number is a square. Nearly all that are none are told by what is left when they are divided by
/// 64 and by some primes: the root of a long number takes as long as all the rest.
fn is_square(number: &BigUint) -> bool {
    const PRIMES: [u32; 9] = [3, 5, 7, 11, 13, 17, 19, 23, 29];
    const PRODUCT: u32 = 3_234_846_615;
    let may_be = |residue: u32, modulus: u32| {
        let residue = residue % modulus;
        (0..=modulus / 2).any(|root| root * root % modulus == residue)
    };
    if !may_be(lowest_digit(number), 64) {
        return false;
    }
    let residue = lowest_digit(&(number % PRODUCT));
    PRIMES.iter().all(|prime| may_be(residue, *prime)) && {
        let root = number.sqrt();
        &root * &root == *number
    }
}

fn lowest_digit(number: &BigUint) -> u32 {
    number.iter_u32_digits().next().unwrap_or(0)
}

/// A curve `y^2 = x^3 - 3 x + b` over a prime field (SP 800-186, 3.2.1).
struct Curve {
    prime: BigUint,
    b: BigUint,
    /// Bytes of a coordinate.
    bytes: usize,
}

impl Curve {
    fn new(prime: &str, b: &str, bytes: usize) -> Self {
        let number = |hex: &str| BigUint::parse_bytes(hex.as_bytes(), 16).unwrap_or_default();
        Self { prime: number(prime), b: number(b), bytes }
    }
}

static P256: LazyLock<Curve> = LazyLock::new(|| {
    Curve::new(
        "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
        "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
        32,
    )
});

static P384: LazyLock<Curve> = LazyLock::new(|| {
    Curve::new(
        "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
        "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
        48,
    )
});

static P521: LazyLock<Curve> = LazyLock::new(|| {
    Curve::new(
        &format!("1{}", "f".repeat(130)),
        "51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00",
        66,
    )
});

static P25519: LazyLock<BigUint> = LazyLock::new(|| (BigUint::from(1u32) << 255u32) - 19u32);

/// y of two of the four points of order 8, from the least byte on; that of the others is its negative.
const ORDER_8: [u8; 32] = [
    0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
    0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
];

/// Checks a point of Ed25519 as RFC 8032, 5.1.2, writes it: y, and in the highest bit the sign of x.
///
/// The points whose order is 1, 2, 4 or 8 have y = 1, -1, 0 and the two of order 8.
fn check_edwards(name: KeyAlgorithm, bits: &[u8]) -> Result<(), WeakKey> {
    let mut y = BigUint::from_bytes_le(bits);
    y.set_bit(255, false);
    let p = &*P25519;
    let reduced = &y % p;
    let eighth = BigUint::from_bytes_le(&ORDER_8);
    let one = BigUint::from(1u32);
    let small = [BigUint::ZERO, p - &one, one, p - &eighth, eighth];
    if small.contains(&reduced) {
        return Err(WeakKey::SmallOrder(name));
    }
    if y >= *p { Err(WeakKey::Coordinate(name)) } else { Ok(()) }
}

/// Checks a point in the form of SEC 1, 2.3.3.
fn check_point(curve: &Curve, name: KeyAlgorithm, point: &[u8]) -> Result<(), WeakKey> {
    let (x, y) = match point {
        [0] => return Err(WeakKey::Infinity(name)),
        [4, both @ ..] if both.len() == 2 * curve.bytes => {
            let (x, y) = both.split_at(curve.bytes);
            (x, Some(BigUint::from_bytes_be(y)))
        }
        [2 | 3, x @ ..] if x.len() == curve.bytes => (x, None),
        _ => return Err(WeakKey::BadPoint(name)),
    };
    let (x, p) = (BigUint::from_bytes_be(x), &curve.prime);
    if x >= *p || y.as_ref().is_some_and(|y| y >= p) {
        return Err(WeakKey::Coordinate(name));
    }
    let Some(y) = y else { return Ok(()) };
    // Without a difference, which could be negative: y^2 + 3 x = x^3 + b.
    let left = (&y * &y + &x * 3u32) % p;
    let right = (&x * &x % p * &x + &curve.b) % p;
    if left == right { Ok(()) } else { Err(WeakKey::NotOnCurve(name)) }
}

#[cfg(test)]
#[path = "weak_tests.rs"]
mod tests;
