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
//! Time: an observer who can tell one test from the next learns how many candidates of each word were
//! tested before the prime was found, and from the last test how often 2 divides `p - 1`. Since the candidates
//! are consecutive, the first says something about the prime modulo the small primes: see `super`.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams, FixedMontyForm, FixedMontyParams};
use crypto_bigint::{
    BoxedUint, Choice, CtSelect, Limb, MontyForm, MontyMultiplier, Odd, PowBoundedExp, Square,
    U1024, UnsignedWithMontyForm, Zero,
};
use zeroize::{Zeroize, Zeroizing};

use super::sieve::{Sieve, WORD};
use super::{RandomSource, RsaError};

/// How many odd numbers are searched from one start, per bit of the prime. One in 100 000
/// starts meets no prime.
const SPAN: u32 = 4;

/// So many starts without a prime do not happen unless the generator is broken.
const STARTS: usize = 64;

/// A modulus, and what Montgomery's form of numbers needs of it.
type Params<N> = <<N as UnsignedWithMontyForm>::MontyForm as MontyForm>::Params;

/// A number of fixed length whose arithmetic takes constant time: what the crate's traits leave out.
pub(super) trait Number: UnsignedWithMontyForm + Zeroize + Into<BoxedUint> {
    /// The least significant byte goes first. The number gets the length of the bytes.
    fn from_le_octets(bytes: &[u8]) -> Self;
    /// In constant time.
    fn params(modulus: Odd<Self>) -> Params<Self>;
    /// `2 x` if `yes`, else `x`.
    fn double_if(yes: Choice, x: &mut Self::MontyForm, params: &Params<Self>);
}

impl Number for U1024 {
    fn from_le_octets(bytes: &[u8]) -> Self {
        Self::from_le_slice(bytes)
    }

    fn params(modulus: Odd<Self>) -> Params<Self> {
        FixedMontyParams::new(modulus)
    }

    fn double_if(yes: Choice, x: &mut FixedMontyForm<{ Self::LIMBS }>, params: &Params<Self>) {
        let x = x.as_montgomery_mut();
        let more = Self::ZERO.ct_select(x, yes);
        *x = x.add_mod(&more, params.modulus().as_nz_ref());
    }
}

/// The crate squares numbers of 1536 and 2048 bits faster in this form, those of 1024 bits in the other.
impl Number for BoxedUint {
    fn from_le_octets(bytes: &[u8]) -> Self {
        let bits = u32::try_from(8 * bytes.len()).unwrap_or(u32::MAX);
        Self::from_le_slice_truncated(bytes, bits)
    }

    fn params(modulus: Odd<Self>) -> Params<Self> {
        BoxedMontyParams::new(modulus)
    }

    fn double_if(yes: Choice, x: &mut BoxedMontyForm, params: &Params<Self>) {
        let x = x.as_montgomery_mut();
        let more = Self::zero_like(x).ct_select(x, yes);
        x.add_mod_assign(&more, params.modulus().as_nz_ref());
    }
}

/// The parameters of the search.
pub(super) struct Search {
    sieve: Sieve,
    /// Length of the prime, a multiple of 64.
    bits: u32,
    /// Rounds of Miller and Rabin's test with random bases.
    rounds: u32,
}

impl Search {
    /// A search for primes of `bits` bits that sieves with the primes below `limit` and tests with
    /// `rounds` bases.
    pub(super) fn new(bits: u32, limit: u32, rounds: u32) -> Self {
        Self { sieve: Sieve::new(limit), bits, rounds }
    }

    /// Finds a probable prime `p`, its top two bits set, with `gcd(p - 1, e) = 1`.
    pub(super) fn find<N: Number, E>(
        &self,
        fill_random: RandomSource<'_, E>,
    ) -> Result<Zeroizing<N>, RsaError<E>> {
        for _ in 0..STARTS {
            let mut bytes = self.random(fill_random)?;
            // At least 1.5 * 2^(bits - 1): above the square root of 2 that is asked for, and the
            // product of two such numbers has its full length.
            if let [low, .., high] = &mut bytes[..] {
                (*low, *high) = (*low | 1, *high | 0xc0);
            }
            let start = Zeroizing::new(N::from_le_octets(&bytes));
            let mut marks = self.sieve.from(&*start);
            for word in 0..SPAN * self.bits / WORD {
                let marked = marks.next_word();
                for bit in (0..WORD).filter(|bit| (marked >> bit) & 1 == 0) {
                    let distance = N::from_limb_like(Limb::from(2 * (word * WORD + bit)), &*start);
                    // An overflow ends this start: what follows overflows too.
                    let Some(number) = start.checked_add(&distance).into_option() else { break };
                    let number = Zeroizing::new(number);
                    if self.is_probable_prime::<N, E>(&number, fill_random)? {
                        return Ok(number);
                    }
                }
            }
        }
        Err(RsaError::NoPrime)
    }

    /// Whether `number` passes the test to the base 2 and to random bases.
    fn is_probable_prime<N: Number, E>(
        &self,
        number: &N,
        fill_random: RandomSource<'_, E>,
    ) -> Result<bool, RsaError<E>> {
        let Some(modulus) = Odd::new(number.clone()).into_option() else { return Ok(false) };
        let params = N::params(modulus);
        let minus_one = -N::MontyForm::one(&params);
        let less_one = Zeroizing::new(number.clone() - N::from_limb_like(Limb::ONE, number));
        let twos = less_one.trailing_zeros();
        let odd_part = Zeroizing::new(N::clone(&less_one) >> twos);
        let passes = |power| reaches_minus_one::<N>(power, &minus_one, twos);
        if !passes(power_of_two::<N>(&odd_part, &params)) {
            return Ok(false);
        }
        for _ in 0..self.rounds {
            let base = self.random_base::<N, E>(number, &minus_one, fill_random)?;
            if !passes(base.pow_bounded_exp(&odd_part, self.bits)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A base from 2 to `n - 2`, in Montgomery's form. What is drawn is taken for that form: each
    /// base has just one.
    fn random_base<N: Number, E>(
        &self,
        n: &N,
        minus_one: &N::MontyForm,
        fill_random: RandomSource<'_, E>,
    ) -> Result<N::MontyForm, RsaError<E>> {
        for _ in 0..STARTS {
            let base = N::from_le_octets(&self.random(fill_random)?);
            if !bool::from(base.ct_lt(n)) {
                continue;
            }
            let base = N::MontyForm::from_montgomery(base, minus_one.params());
            if !bool::from(base.is_zero() | base.is_one() | same::<N>(&base, minus_one)) {
                return Ok(base);
            }
        }
        Err(RsaError::NoPrime)
    }

    /// As many bytes as the prime has.
    fn random<E>(
        &self,
        fill_random: RandomSource<'_, E>,
    ) -> Result<Zeroizing<Vec<u8>>, RsaError<E>> {
        let mut bytes = Zeroizing::new(vec![0; self.bits as usize / 8]);
        fill_random(&mut bytes).map_err(RsaError::Random)?;
        Ok(bytes)
    }
}

/// `2^exponent`: a square for each bit, doubled if the bit is set.
fn power_of_two<N: Number>(exponent: &N, params: &Params<N>) -> N::MontyForm {
    let mut multiplier = <N::MontyForm as MontyForm>::Multiplier::from(params);
    let mut power = N::MontyForm::one(params);
    for limb in exponent.as_limbs().iter().rev() {
        for bit in (0..Limb::BITS).rev() {
            multiplier.square_assign(&mut power);
            N::double_if((*limb >> bit).is_odd(), &mut power, params);
        }
    }
    power
}

/// Whether two numbers with the same modulus are the same.
fn same<N: Number>(a: &N::MontyForm, b: &N::MontyForm) -> Choice {
    a.as_montgomery().ct_eq(b.as_montgomery())
}

/// Whether `x` is 1 or -1, or becomes -1 when squared fewer than `twos` times: the last part of Miller
/// and Rabin's test.
fn reaches_minus_one<N: Number>(x: N::MontyForm, minus_one: &N::MontyForm, twos: u32) -> bool {
    if bool::from(x.is_one() | same::<N>(&x, minus_one)) {
        return true;
    }
    let mut x = x;
    (1..twos).any(|_| {
        x = Square::square(&x);
        same::<N>(&x, minus_one).into()
    })
}

#[cfg(test)]
#[path = "prime_tests.rs"]
pub(super) mod tests;
