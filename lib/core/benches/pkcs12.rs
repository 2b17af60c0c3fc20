//! What a PKCS#12 keystore costs beside the key derivation that it cannot do without.
//!
//! The bound: PBKDF2-HMAC-SHA256 once, for certificates and key alike, and the derivation of
//! RFC 7292, appendix B for the MAC, which is one chain of SHA-256. All at equal iterations, bare,
//! in the same run; of two implementations of each the faster one counts.

#![allow(clippy::disallowed_macros, reason = "a benchmark prints its figures")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads its files and looks at the clock")]

use std::hint::black_box;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_lc_rs::{digest, pbkdf2};
use c8y_pki_core::secret::Password;
use c8y_pki_core::store::{DEFAULT_ITERATIONS, Format, Store, WriteOptions, open, write};
use time::OffsetDateTime;

const ROUNDS: u32 = 200;

fn sample() -> Store {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let names = ["ec-p256.key.pem", "ec-p256.cert.pem", "intermediate.cert.pem", "root.cert.pem"];
    let text: String =
        names.map(|n| std::fs::read_to_string(keys.join(n)).unwrap_or_default()).concat();
    open(text.as_bytes(), None, None).unwrap_or_default()
}

fn time_of(mut job: impl FnMut()) -> Duration {
    let start = Instant::now();
    (0..ROUNDS).for_each(|_| job());
    start.elapsed() / ROUNDS
}

fn bare_pbkdf2() {
    let iterations = NonZeroU32::new(DEFAULT_ITERATIONS).unwrap_or(NonZeroU32::MIN);
    let mut key = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &[7; 16], b"store-Secret-1", &mut key);
    black_box(key);
}

/// The same derivation in the crate that PKCS#12 is written with; with it, an AES block.
fn bare_pkcs5() {
    let scheme = pkcs8::pkcs5::pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(
        DEFAULT_ITERATIONS,
        &[7; 16],
        [7; 16],
    );
    black_box(scheme.map(|s| s.encrypt("store-Secret-1", &[7; 15]))).ok();
}

fn bare_hash_chain(hash: impl Fn(&[u8; 32]) -> [u8; 32]) {
    black_box((0..DEFAULT_ITERATIONS).fold([0; 32], |value, _| hash(&value)));
}

fn backend_sha256(value: &[u8; 32]) -> [u8; 32] {
    let mut next = [0; 32];
    next.copy_from_slice(digest::digest(&digest::SHA256, value).as_ref());
    next
}

fn sha2_sha256(value: &[u8; 32]) -> [u8; 32] {
    <sha2::Sha256 as sha2::Digest>::digest(value).into()
}

fn main() {
    let (store, password) = (sample(), Password::new("store-Secret-1"));
    let options = WriteOptions::new(Some(&password), OffsetDateTime::UNIX_EPOCH);
    let (backend, pkcs5) = (time_of(bare_pbkdf2), time_of(bare_pkcs5));
    let pbkdf2 = backend.min(pkcs5);
    let backend_chain = time_of(|| bare_hash_chain(backend_sha256));
    let sha2_chain = time_of(|| bare_hash_chain(sha2_sha256));
    let chain = backend_chain.min(sha2_chain);
    let bound = pbkdf2 + chain;
    let written = write(&store, Format::Pkcs12, &options).unwrap_or_default();
    let writing = time_of(|| drop(black_box(write(&store, Format::Pkcs12, &options))));
    let reading = time_of(|| drop(black_box(open(&written, Some(&password), None))));
    let jks = time_of(|| drop(black_box(write(&store, Format::Jks, &options))));
    println!("{DEFAULT_ITERATIONS} iterations, {} bytes, {ROUNDS} rounds each", written.len());
    println!("bare PBKDF2       {backend:>10.1?} in the crypto backend");
    println!("bare PBKDF2       {pkcs5:>10.1?} in pkcs5");
    println!("bare MAC chain    {backend_chain:>10.1?} in the crypto backend");
    println!("bare MAC chain    {sha2_chain:>10.1?} in sha2");
    println!("bound             {bound:>10.1?}");
    let percent = |time: Duration| 100.0 * bound.as_secs_f64() / time.as_secs_f64();
    println!("writing PKCS#12   {writing:>10.1?}  {:.0} % of the bound", percent(writing));
    println!("reading PKCS#12   {reading:>10.1?}  {:.0} % of the bound", percent(reading));
    println!("writing JKS       {jks:>10.1?}");
}
