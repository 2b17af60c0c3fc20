//! Which of the odd numbers from a secret start on have a small factor.
//!
//! The answer comes as one word for 64 odd numbers, word after word. Of each small prime it is known how far
//! away its next multiple is. For each word all these places are read, masked and written in the same order,
//! whatever the start is: neither a branch nor an address depends on it.

use crypto_bigint::{Limb, NonZero, Reciprocal, RemLimb, Uint, Word};
use zeroize::Zeroizing;

use super::EXPONENT;

/// How many odd numbers a word tells of.
pub(super) const WORD: u32 = u64::BITS;

/// The small primes, and what can be computed before there is a start. Nothing in it is secret.
pub(super) struct Sieve {
    /// Odd primes below 2^30 in order. After them the public exponent once more: `p - 1` is to be no
    /// multiple of it.
    pub(super) primes: Vec<u32>,
    /// How many of them can have more than one multiple in a word.
    dense: usize,
    /// To divide by each of them.
    reciprocals: Vec<Reciprocal>,
    /// To divide by the product of the next so many. A long number is divided by these only, and the
    /// primes divide what that leaves.
    products: Vec<(Reciprocal, usize)>,
}

impl Sieve {
    /// A sieve with the primes below `limit`.
    pub(super) fn new(limit: u32) -> Self {
        let mut primes = odd_primes_below(limit);
        let dense = primes.partition_point(|prime| *prime < WORD);
        primes.push(EXPONENT);
        let mut products: Vec<(Word, usize)> = Vec::new();
        for prime in primes.iter().map(|prime| Word::from(*prime)) {
            let last = products.last().copied();
            match last.and_then(|(all, count)| Some((all.checked_mul(prime)?, count + 1))) {
                Some(longer) => {
                    products.pop();
                    products.push(longer);
                }
                None => products.push((prime, 1)),
            }
        }
        Self {
            dense,
            reciprocals: primes.iter().map(|prime| reciprocal(Word::from(*prime))).collect(),
            products: products.into_iter().map(|(all, count)| (reciprocal(all), count)).collect(),
            primes,
        }
    }

    /// Sieves the odd numbers from `start` on, which is odd.
    pub(super) fn from<N: RemLimb>(&self, start: &N) -> Marks<'_> {
        let mut places = Zeroizing::new(Vec::with_capacity(self.primes.len()));
        let mut primes = self.primes.iter().zip(&self.reciprocals);
        for (product, count) in &self.products {
            let rest = Uint::<1>::from(start.rem_limb_with_reciprocal(product));
            for (prime, reciprocal) in primes.by_ref().take(*count) {
                // Below the prime, which fits.
                let rest = u32::try_from(rest.rem_limb_with_reciprocal(reciprocal).0);
                places.push(place(*prime, rest.unwrap_or_default()));
            }
        }
        if let Some(multiple) = places.last_mut() {
            // Wanted is one more than a multiple of the exponent. That is half of `e + 1` places further.
            let further = *multiple + EXPONENT.div_ceil(2);
            *multiple = further - (EXPONENT & !below(further, EXPONENT));
        }
        Marks { sieve: self, places }
    }
}

/// Of a prime or a product of primes, which is not 0.
fn reciprocal(divisor: Word) -> Reciprocal {
    Reciprocal::new(NonZero::<Limb>::new_unwrap(Limb(divisor)))
}

/// The least `i` for which `rest + 2 i` is a multiple of the prime.
fn place(prime: u32, rest: u32) -> u32 {
    // Half of the rest, modulo the prime.
    let half = (rest + (prime & (rest & 1).wrapping_neg())) / 2;
    (prime - half) & below(0, half)
}

/// All ones if `a < b`, else 0, for numbers below 2^31.
#[inline(always)]
fn below(a: u32, b: u32) -> u32 {
    (a.wrapping_sub(b) >> 31).wrapping_neg()
}

/// The words of a sieve, one after the other.
pub(super) struct Marks<'s> {
    sieve: &'s Sieve,
    /// How many odd numbers there are before the next multiple of each prime, from the next word on.
    places: Zeroizing<Vec<u32>>,
}

impl Marks<'_> {
    /// The next word. Bit `i` is set if a small prime divides the number, or if it is 1 modulo the exponent.
    pub(super) fn next_word(&mut self) -> u64 {
        let mut word = 0;
        let (dense, sparse) = self.places.split_at_mut(self.sieve.dense);
        let (dense_primes, sparse_primes) = self.sieve.primes.split_at(self.sieve.dense);
        for (place, prime) in dense.iter_mut().zip(dense_primes) {
            for _ in 0..WORD.div_ceil(*prime) {
                word |= mark(place, *prime);
            }
            *place -= WORD;
        }
        for (place, prime) in sparse.iter_mut().zip(sparse_primes) {
            word |= mark(place, *prime);
            *place -= WORD;
        }
        word
    }
}

/// The bit of a place inside the word, and the place moves on to the next multiple; 0 if it is not inside.
#[inline(always)]
fn mark(place: &mut u32, prime: u32) -> u64 {
    let inside = below(*place, WORD);
    let bit = u64::from(inside & 1) << (*place % WORD);
    *place += prime & inside;
    bit
}

/// The odd primes below `limit` (sieve of Eratosthenes).
pub(super) fn odd_primes_below(limit: u32) -> Vec<u32> {
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
