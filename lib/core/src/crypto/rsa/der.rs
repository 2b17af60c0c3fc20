//! The DER of an RSA private key. Written by hand into one buffer of the right length, so that
//! no copy of the secret is left behind in a buffer that grew.

use zeroize::Zeroizing;

/// `version` 0 and the AlgorithmIdentifier rsaEncryption (RFC 8017, A.1).
const PKCS8_HEAD: [u8; 18] = [
    0x02, 0x01, 0x00, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
    0x05, 0x00,
];
/// `version` 0: two primes (RFC 8017, A.1.2).
const KEY_HEAD: [u8; 3] = [0x02, 0x01, 0x00];

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// PKCS#8 version 1 around RSAPrivateKey with these numbers, least significant limbs first.
pub(super) fn pkcs8(numbers: &[&[u64]]) -> Zeroizing<Vec<u8>> {
    let key_body = KEY_HEAD.len() + numbers.iter().map(|n| whole(integer_len(n))).sum::<usize>();
    let body = PKCS8_HEAD.len() + whole(whole(key_body));
    let mut out = Zeroizing::new(Vec::with_capacity(whole(body)));
    push_head(&mut out, SEQUENCE, body);
    out.extend_from_slice(&PKCS8_HEAD);
    push_head(&mut out, OCTET_STRING, whole(key_body));
    push_head(&mut out, SEQUENCE, key_body);
    out.extend_from_slice(&KEY_HEAD);
    for number in numbers {
        push_integer(&mut out, number);
    }
    debug_assert_eq!(out.len(), whole(body));
    out
}

/// The octets of a length.
fn length_octets(len: usize) -> usize {
    match len {
        0..0x80 => 1,
        0x80..0x100 => 2,
        _ => 3,
    }
}

/// The length of an element with `len` octets in it.
fn whole(len: usize) -> usize {
    1 + length_octets(len) + len
}

fn push_head(out: &mut Vec<u8>, tag: u8, len: usize) {
    out.push(tag);
    // 4096 bits make an element of 2.4 kB: two octets are enough.
    let [.., high, low] = len.to_be_bytes();
    match length_octets(len) {
        1 => out.push(low),
        2 => out.extend_from_slice(&[0x81, low]),
        _ => out.extend_from_slice(&[0x82, high, low]),
    }
}

/// The octets inside a positive INTEGER: one more than needed if the top bit is set.
fn integer_len(number: &[u64]) -> usize {
    let used = number.iter().rposition(|limb| *limb != 0).unwrap_or(0);
    let bits = 64 * used + 64 - number[used].leading_zeros() as usize;
    bits / 8 + 1
}

fn push_integer(out: &mut Vec<u8>, number: &[u64]) {
    let len = integer_len(number);
    push_head(out, INTEGER, len);
    for place in (0..len).rev() {
        let limb = number.get(place / 8).copied().unwrap_or(0);
        out.push(limb.to_le_bytes()[place % 8]);
    }
}
