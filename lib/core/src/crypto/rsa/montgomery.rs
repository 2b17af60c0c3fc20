//! Arithmetic modulo an odd number in Montgomery's form (Montgomery 1985; Menezes, van Oorschot,
//! Vanstone: "Handbook of Applied Cryptography", 14.32 and 14.36), in constant time.
//!
//! A number `x` below the modulus `n` is held as `x R mod n` with `R = 2^(64 N)`. The time of
//! each function depends on `N` only: the last subtraction is masked, exponents are read in
//! windows of fixed length, and every entry of the table of powers is read each time.
//!
//! Refused: moduli without their top bit, since `R mod n` is had as `R - n` here.

use zeroize::Zeroize;

use super::limbs::{
    Limbs, Wide, add, add_carry, add_scaled, equal, from_small, mask, multiply, select,
    shift_left_if, square, sub,
};

/// An odd modulus `n` with `2^(64 N - 1) < n < 2^(64 N)`.
pub(super) struct Modulus<const N: usize> {
    n: Limbs<N>,
    /// `-1 / n` modulo `2^64`.
    negative_inverse: u64,
    /// `R mod n`: the number 1.
    one: Limbs<N>,
}

impl<const N: usize> Drop for Modulus<N> {
    fn drop(&mut self) {
        self.n.zeroize();
        self.negative_inverse.zeroize();
        self.one.zeroize();
    }
}

impl<const N: usize> Modulus<N> {
    /// Takes an odd number with its top bit set.
    pub(super) fn new(n: &Limbs<N>) -> Self {
        debug_assert!(n[0] & 1 == 1 && n[N - 1] >> 63 == 1);
        // Newton's iteration doubles the right bits; an odd number is its own inverse modulo 8.
        let inverse =
            (0..5).fold(n[0], |x, _| x.wrapping_mul(2u64.wrapping_sub(n[0].wrapping_mul(x))));
        let (one, _) = sub(&[0; N], n);
        Self { n: *n, negative_inverse: inverse.wrapping_neg(), one }
    }

    /// The number 1.
    pub(super) fn one(&self) -> &Limbs<N> {
        &self.one
    }

    /// The number `n - 1`.
    pub(super) fn minus_one(&self) -> Limbs<N> {
        sub(&self.n, &self.one).0
    }

    /// Brings `x`, which is below `n`, into Montgomery's form.
    pub(super) fn enter(&self, x: &Limbs<N>) -> Limbs<N> {
        let mut r_squared = self.one;
        for _ in 0..64 * N {
            r_squared = self.double_if(&r_squared, 1);
        }
        self.multiply(x, &r_squared)
    }

    /// Takes `x` out of Montgomery's form.
    pub(super) fn leave(&self, x: &Limbs<N>) -> Limbs<N> {
        self.multiply(x, &from_small(1))
    }

    /// `a * b`.
    #[inline]
    pub(super) fn multiply(&self, a: &Limbs<N>, b: &Limbs<N>) -> Limbs<N> {
        self.reduce(multiply(a, b))
    }

    /// `a * a`.
    #[inline]
    pub(super) fn square(&self, a: &Limbs<N>) -> Limbs<N> {
        self.reduce(square(a))
    }

    /// `2 a` if `bit` is 1, `a` if it is 0.
    fn double_if(&self, a: &Limbs<N>, bit: u64) -> Limbs<N> {
        let (shifted, top) = shift_left_if(a, bit);
        self.subtract_once(&shifted, top == 1)
    }

    /// `a * factor / 2^64`: a multiplication with a reduction by one limb only.
    #[inline(always)]
    fn scale(&self, a: &Limbs<N>, factor: u64) -> Limbs<N> {
        let mut t = [0; N];
        let high = add_scaled(&mut t, factor, a);
        let multiple = t[0].wrapping_mul(self.negative_inverse);
        let carry = add_scaled(&mut t, multiple, &self.n);
        let (high, top) = high.overflowing_add(carry);
        t.rotate_left(1);
        t[N - 1] = high;
        self.subtract_once(&t, top)
    }

    /// `x` below `2 n`, of which `top` is bit `64 N`, brought below `n`.
    #[inline(always)]
    fn subtract_once(&self, x: &Limbs<N>, top: bool) -> Limbs<N> {
        let (less, smaller) = sub(x, &self.n);
        select(mask(smaller & !top), x, &less)
    }

    /// `wide / R` modulo `n`, for `wide` below `R n`.
    #[inline(always)]
    fn reduce(&self, mut wide: Wide<N>) -> Limbs<N> {
        let t = wide.as_flattened_mut();
        let mut top = false;
        for i in 0..N {
            // The multiple of n that makes limb i vanish.
            let factor = t[i].wrapping_mul(self.negative_inverse);
            let carry = add_scaled(&mut t[i..i + N], factor, &self.n);
            (t[i + N], top) = add_carry(t[i + N], carry, top);
        }
        self.subtract_once(&wide[1], top)
    }

    /// `2^exponent`, in windows of four bits.
    ///
    /// After four squarings the power is scaled by `2^digit / 2^64`. So a digit counts for 64 less
    /// than it says, for which 64 is added at each place beforehand, that is 4 at the next one.
    /// Against a doubling after each square it saves 6 % of the time.
    pub(super) fn power_of_two(&self, exponent: &Limbs<N>) -> Limbs<N> {
        let mut fours = [0x4444_4444_4444_4444; N];
        fours[0] &= !0xf;
        let (digits, more) = add(exponent, &fours);
        // The place above the highest one: 4, and what the sum carried.
        let mut power = (0..4).fold(self.one, |power, _| self.double_if(&power, 1));
        power = self.double_if(&power, u64::from(more));
        for limb in digits.iter().rev() {
            for window in (0..16).rev() {
                for _ in 0..4 {
                    power = self.square(&power);
                }
                power = self.scale(&power, 1 << ((limb >> (4 * window)) & 15));
            }
        }
        power
    }

    /// `base^exponent`, in windows of four bits.
    pub(super) fn power(&self, base: &Limbs<N>, exponent: &Limbs<N>) -> Limbs<N> {
        let mut powers = [self.one; 16];
        for i in 1..powers.len() {
            powers[i] = self.multiply(&powers[i - 1], base);
        }
        let mut power = self.one;
        for limb in exponent.iter().rev() {
            for window in (0..16).rev() {
                for _ in 0..4 {
                    power = self.square(&power);
                }
                let digit = (limb >> (4 * window)) & 15;
                let mut factor = [0; N];
                for (i, entry) in (0u64..).zip(&powers) {
                    factor = select(mask(i == digit), entry, &factor);
                }
                power = self.multiply(&power, &factor);
            }
        }
        powers.zeroize();
        power
    }

    /// Whether `x` is 1 or -1, or goes to -1 when squared fewer than `twos` times: the last part
    /// of Miller and Rabin's test.
    pub(super) fn reaches_minus_one(&self, x: &Limbs<N>, twos: u32) -> bool {
        let minus_one = self.minus_one();
        if equal(x, &self.one) || equal(x, &minus_one) {
            return true;
        }
        let mut x = *x;
        (1..twos).any(|_| {
            x = self.square(&x);
            equal(&x, &minus_one)
        })
    }
}
