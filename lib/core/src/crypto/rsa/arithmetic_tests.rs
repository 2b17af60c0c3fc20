//! Properties of [`super`] and of Montgomery's arithmetic, against an independent implementation.

use num_bigint::BigUint;
use proptest::prelude::*;

use super::super::montgomery::Modulus;
use super::super::prime::tests::big;
use super::*;

/// A limb, often one that makes carries.
fn limb() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), Just(0), Just(1), Just(u64::MAX), Just(1 << 63), Just(u64::MAX - 1)]
}

fn number<const N: usize>() -> impl Strategy<Value = Limbs<N>> {
    prop::collection::vec(limb(), N).prop_map(|limbs| limbs.try_into().unwrap())
}

fn power_of_two(exponent: usize) -> BigUint {
    BigUint::from(1u32) << exponent
}

fn check_arithmetic<const N: usize>(a: &Limbs<N>, b: &Limbs<N>) {
    let range = power_of_two(64 * N);
    let (x, y) = (big(a), big(b));
    assert_eq!(big(multiply(a, b).as_flattened()), &x * &y);
    assert_eq!(big(square(a).as_flattened()), &x * &x);
    let (rest, borrow) = sub(a, b);
    assert_eq!((big(&rest), borrow), ((&range + &x - &y) % &range, x < y));
    for bit in [0, 1] {
        let (shifted, top) = shift_left_if(a, bit);
        assert_eq!(big(&shifted) + (BigUint::from(top) << (64 * N)), &x << bit);
    }
    for count in [0, 1, 17, 63] {
        assert_eq!(big(&shift_right(a, count)), &x >> count);
    }
    assert_eq!(add_small(a, 5).map(|s| big(&s)), Some(&x + 5u32).filter(|s| *s < range));
    assert_eq!((equal(a, b), equal(a, a)), (a == b, true));
    assert_eq!((select(u64::MAX, a, b), select(0, a, b)), (*a, *b));
}

/// Common divisor and quotient, with a divisor below half of the range.
fn check_division<const N: usize>(a: &Limbs<N>, b: &Limbs<N>) {
    let (mut x, mut y) = (big(a), big(b));
    let half = shift_right(b, 1);
    if half != [0; N] {
        assert_eq!(big(&divide(a, &half)), &x / big(&half));
    }
    if x != BigUint::ZERO || y != BigUint::ZERO {
        let divisor = big(&gcd(a, b));
        while y != BigUint::ZERO {
            (x, y) = (y.clone(), x % y);
        }
        assert_eq!(divisor, x);
    }
}

fn check_modulus<const N: usize>(n: &Limbs<N>, a: &Limbs<N>, b: &Limbs<N>) {
    let mut n = *n;
    n[0] |= 1;
    n[N - 1] |= 1 << 63;
    if big(&n) == power_of_two(64 * N - 1) {
        return;
    }
    let modulus = Modulus::new(&n);
    // Brought below n, which has the top bit.
    let lower = |x: &Limbs<N>| if big(x) < big(&n) { *x } else { sub(x, &n).0 };
    let (a, b) = (lower(a), lower(b));
    let (m, x, y) = (big(&n), big(&a), big(&b));
    let (a_in, b_in) = (modulus.enter(&a), modulus.enter(&b));
    assert_eq!(big(&a_in), (&x << (64 * N)) % &m);
    let leave = |x: &Limbs<N>| big(&modulus.leave(x));
    assert_eq!(leave(&a_in), x);
    assert_eq!(leave(modulus.one()), BigUint::from(1u32));
    assert_eq!(leave(&modulus.minus_one()), &m - 1u32);
    assert_eq!(leave(&modulus.multiply(&a_in, &b_in)), &x * &y % &m);
    assert_eq!(leave(&modulus.square(&a_in)), &x * &x % &m);
    assert_eq!(leave(&modulus.power(&a_in, &b)), x.modpow(&y, &m));
    assert_eq!(leave(&modulus.power_of_two(&b)), BigUint::from(2u32).modpow(&y, &m));
}

macro_rules! properties {
    ($($name:ident: $limbs:literal, $cases:literal;)*) => {
        $(proptest! {
            #![proptest_config(ProptestConfig::with_cases($cases))]
            #[test]
            fn $name(n in number::<$limbs>(), a in number::<$limbs>(), b in number::<$limbs>()) {
                check_arithmetic(&a, &b);
                check_division(&a, &b);
                check_modulus(&n, &a, &b);
            }
        })*
    };
}

// Lengths that are no multiples of the blocks are there for the code after the blocks.
properties! {
    one_limb: 1, 500;
    two_limbs: 2, 500;
    seven_limbs: 7, 200;
    sixteen_limbs: 16, 100;
    twenty_four_limbs: 24, 50;
    thirty_two_limbs: 32, 30;
    thirty_seven_limbs: 37, 20;
}

proptest! {
    /// Common factors, which random numbers seldom have.
    #[test]
    fn common_divisors(a in 1u64.., b in 1u64.., c in 1u64.., twos in 0u32..64) {
        let wide = |x: u64| {
            let [[low], [high]] = multiply(&[x], &[c]);
            shift_right(&[low, high, 0, 0], 0).map(|l| l)
        };
        let (x, y) = (wide(a), wide(b));
        let up = |x: &Limbs<4>| (0..twos).fold(*x, |x, _| double(&x));
        check_division(&up(&x), &up(&y));
    }
}
