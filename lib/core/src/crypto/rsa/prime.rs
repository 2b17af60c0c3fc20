//! The search for a prime: a random start, a sieve over the odd numbers from there on, then
//! Miller and Rabin's test (FIPS 186-5, B.3.1) on what the sieve leaves.
//!
//! FIPS 186-5, A.1.3 draws every candidate anew; this search draws a start and goes on from it
//! ("incremental search", Brandt and Damgård: "On Generation of Probable Primes by Incremental
//! Search", CRYPTO '92, who show that hardly any entropy is lost by it). Each start serves for
//! [`SPAN`] odd numbers per bit and is then given up for a fresh one.
//!
//! Rounds: those of FIPS 186-5, Table B.1 for `p` and `q`: 5 for 1024 bits (error below
//! 2^-112), 4 for 1536 (2^-128), 4 for 2048 (2^-144). They hold for independent candidates. For
//! a search over `s` odd numbers the probability that any of them is a composite that passes is
//! at most `s` times that of one of them. With `s = 4 k` for `k` bits, one odd number in
//! `k ln 2 / 2` being prime, and starts from half of all numbers of `k` bits (at most twice the
//! probability), the bound grows by `2 * 4 k / (k ln 2 / 2)`, that is 2^4.6. The formula behind
//! the table (C.1) gives 2^-124.2, 2^-137.8 and 2^-161.5 for these rounds, so that 2^-119,
//! 2^-133 and 2^-156 remain: the table's bounds are kept with no further round. The test to the
//! base 2 comes before and is not counted.
//!
//! Time: how long the search takes tells how many candidates were rejected, and the last test
//! how often 2 divides `p - 1`. Both is accepted practice (the rejected ones are not used). The
//! arithmetic on a candidate takes constant time.

use zeroize::Zeroizing;

use super::limbs::{Limbs, add_small, equal, shift_right, sub_small};
use super::montgomery::Modulus;
use super::{EXPONENT, RandomSource, RsaError};

/// How many odd numbers are searched from one start, per bit of the prime. One in 100 000
/// starts meets no prime.
const SPAN: usize = 4;

/// So many starts without a prime do not happen unless the generator is broken.
const STARTS: usize = 64;

/// The parameters of the search.
pub(super) struct Search {
    /// The odd primes that candidates are sieved with.
    small_primes: Vec<u32>,
    /// Rounds of Miller and Rabin's test with random bases.
    rounds: u32,
}

impl Search {
    /// A search that sieves with the primes below `limit` and tests with `rounds` bases.
    pub(super) fn new(limit: u32, rounds: u32) -> Self {
        Self { small_primes: odd_primes_below(limit), rounds }
    }

    /// Finds a probable prime `p` of `64 N` bits, its top two bits set, with `gcd(p - 1, e) = 1`.
    pub(super) fn find<const N: usize, E>(
        &self,
        fill_random: RandomSource<'_, E>,
    ) -> Result<Zeroizing<Limbs<N>>, RsaError<E>> {
        for _ in 0..STARTS {
            let mut start = random_limbs::<N, E>(fill_random)?;
            start[0] |= 1;
            // At least 1.5 * 2^(64 N - 1): above the square root of 2 that is asked for, and the
            // product of two such numbers has its full length.
            start[N - 1] |= 3 << 62;
            let struck = self.strike(&start, SPAN * 64 * N);
            for i in (0..struck.len()).filter(|i| !struck[*i]) {
                // An overflow ends this start.
                let Some(number) = add_small(&start, 2 * i as u64) else { break };
                let number = Zeroizing::new(number);
                if self.is_probable_prime(&number, fill_random)? {
                    return Ok(number);
                }
            }
        }
        Err(RsaError::NoPrime)
    }

    /// Of the numbers `start + 2 i`, marks those that a small prime divides or that are 1
    /// modulo `e`.
    fn strike<const N: usize>(&self, start: &Limbs<N>, len: usize) -> Zeroizing<Vec<bool>> {
        let mut struck = Zeroizing::new(vec![false; len]);
        let (fours, rest) = self.small_primes.as_chunks::<4>();
        for primes in fours {
            strike_multiples(&mut struck, *primes, remainders(start, *primes));
        }
        for prime in rest {
            strike_multiples(&mut struck, [*prime], remainders(start, [*prime]));
        }
        let [rest] = remainders(start, [EXPONENT]);
        let before = (rest + EXPONENT - 1) % EXPONENT;
        strike_multiples(&mut struck, [EXPONENT], [before]);
        struck
    }

    /// Whether `number` passes the test to the base 2 and to random bases.
    fn is_probable_prime<const N: usize, E>(
        &self,
        number: &Limbs<N>,
        fill_random: RandomSource<'_, E>,
    ) -> Result<bool, RsaError<E>> {
        let modulus = Modulus::new(number);
        let less_one = Zeroizing::new(sub_small(number, 1));
        let twos = less_one[0].trailing_zeros();
        if twos > 63 {
            // One number in 2^64: not worth a longer shift.
            return Ok(false);
        }
        let odd_part = Zeroizing::new(shift_right(&less_one, twos));
        let passes = |power: Limbs<N>| {
            let power = Zeroizing::new(power);
            modulus.reaches_minus_one(&power, twos)
        };
        if !passes(modulus.power_of_two(&odd_part)) {
            return Ok(false);
        }
        for _ in 0..self.rounds {
            let base = random_base(&modulus, number, fill_random)?;
            if !passes(modulus.power(&base, &odd_part)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A base from 2 to `n - 2`, in Montgomery's form. What is drawn is taken for that form: each
/// base has just one.
fn random_base<const N: usize, E>(
    modulus: &Modulus<N>,
    n: &Limbs<N>,
    fill_random: RandomSource<'_, E>,
) -> Result<Zeroizing<Limbs<N>>, RsaError<E>> {
    let banned = [[0; N], *modulus.one(), modulus.minus_one()];
    for _ in 0..STARTS {
        let base = random_limbs::<N, E>(fill_random)?;
        let below = super::limbs::sub(&base, n).1;
        if below && !banned.iter().any(|bad| equal(bad, &base)) {
            return Ok(base);
        }
    }
    Err(RsaError::NoPrime)
}

/// `N` limbs from the generator.
fn random_limbs<const N: usize, E>(
    fill_random: RandomSource<'_, E>,
) -> Result<Zeroizing<Limbs<N>>, RsaError<E>> {
    let mut octets = Zeroizing::new([[0u8; 8]; N]);
    fill_random(octets.as_flattened_mut()).map_err(RsaError::Random)?;
    Ok(Zeroizing::new(octets.map(u64::from_le_bytes)))
}

/// `number` modulo each of some odd `primes` below 2^30 (Barrett's method on 32 bits a step).
fn remainders<const N: usize, const P: usize>(number: &Limbs<N>, primes: [u32; P]) -> [u32; P] {
    let primes = primes.map(u64::from);
    let inverses = primes.map(|p| u64::MAX / p);
    let mut rests = [0u64; P];
    for limb in number.iter().rev() {
        for word in [limb >> 32, limb & 0xffff_ffff] {
            for ((rest, p), inverse) in rests.iter_mut().zip(primes).zip(inverses) {
                // The quotient comes out at most 2 too small, so that the rest stays below 3 p.
                let x = (*rest << 32) | word;
                *rest = x - super::limbs::product(x, inverse).1 * p;
            }
        }
    }
    std::array::from_fn(|i| u32::try_from(rests[i] % primes[i]).unwrap_or(0))
}

/// Marks each `i` for which `rest + 2 i` is a multiple of the prime.
fn strike_multiples<const P: usize>(struck: &mut [bool], primes: [u32; P], rests: [u32; P]) {
    for (prime, rest) in primes.into_iter().zip(rests) {
        let missing = if rest == 0 { 0 } else { prime - rest };
        let first = if missing % 2 == 0 { missing / 2 } else { (missing + prime) / 2 };
        let mut i = first as usize;
        while let Some(mark) = struck.get_mut(i) {
            *mark = true;
            i += prime as usize;
        }
    }
}

/// The odd primes below `limit` (sieve of Eratosthenes).
fn odd_primes_below(limit: u32) -> Vec<u32> {
    // Place i stands for 2 i + 1.
    let mut composite = vec![false; limit as usize / 2];
    let mut primes = Vec::new();
    for (i, number) in (1..limit as usize / 2).zip((3u32..).step_by(2)) {
        if composite[i] {
            continue;
        }
        primes.push(number);
        let step = number as usize;
        for multiple in (step * step / 2..composite.len()).step_by(step) {
            composite[multiple] = true;
        }
    }
    primes
}

#[cfg(test)]
#[path = "prime_tests.rs"]
pub(super) mod tests;
