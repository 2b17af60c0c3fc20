//! Lists and certificates with changed bytes, signed anew: so that the changes reach what comes after the
//! signature. `C8Y_PKI_MUTATIONS` says how many when this is compiled; a run by hand takes a million.

use crate::folder::{Folder, now, password};
use crate::life::{factory, list};
use c8y_pki_core::cert::{Certificate, PointName, Reasons};
use c8y_pki_core::chain::{self, Lists, Options, verify};
use c8y_pki_core::crl::{Crl, Only, Reason};
use c8y_pki_core::key::signer::Signer;

/// How many inputs of each kind a usual run has.
const USUAL: u64 = 2_000;

fn count() -> u64 {
    let asked = option_env!("C8Y_PKI_MUTATIONS");
    asked.map_or(USUAL, |text| text.parse().expect("a number"))
}

/// The numbers of xorshift64: the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    /// A copy with one to three bytes that are others, or one that is gone.
    fn change(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = bytes.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(changed.len());
            match self.below(8) {
                0 => drop(changed.remove(at)),
                1 => changed[at] ^= 1 << self.below(8),
                _ => changed[at] = u8::try_from(self.below(256)).unwrap(),
            }
        }
        changed
    }
}

/// An element of DER.
fn el(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = match body.len() {
        short @ 0..0x80 => vec![u8::try_from(short).unwrap()],
        long => [&[0x82], &u16::try_from(long).unwrap().to_be_bytes()[..]].concat(),
    };
    [vec![tag], length, body].concat()
}

fn extension(oid: u8, value: &[u8]) -> Vec<u8> {
    el(0x30, &[&[0x06, 3, 0x55, 0x1d, oid], &[0x01, 1, 0xff], &el(0x04, &[value])])
}

fn signed(tbs: &[u8], key: &dyn Signer) -> Vec<u8> {
    let signature = key.sign(tbs).unwrap();
    el(0x30, &[tbs, &key.algorithm().identifier(), &el(0x03, &[&[0], &signature])])
}

/// A directory name as a distribution point's, `[0] fullName`.
fn point(name: &[u8]) -> Vec<u8> {
    el(0xa0, &[&el(0xa0, &[&el(0xa4, &[name])])])
}

const REASONS: [u8; 4] = [0x83, 2, 1, 0x7e];

/// What is signed of a list of the CA, with the extensions, an entry on hold and one of a known key.
fn list_of(ca: &Certificate, key: &dyn Signer, serial: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    let time = |text: &str| el(0x18, &[text.as_bytes()]);
    let issuer = extension(29, &el(0x30, &[&el(0xa4, &[ca.subject.der()])]));
    let reason = el(0x30, &[&[0x06, 3, 0x55, 0x1d, 21], &el(0x04, &[&[0x0a, 1, 6]])]);
    let other = el(0x30, &[&[2, 1, 7], &time("20260101000000Z"), &el(0x30, &[&issuer, &reason])]);
    let compromised = el(0x30, &[&[0x06, 3, 0x55, 0x1d, 21], &el(0x04, &[&[0x0a, 1, 1]])]);
    let time_of = time("20260101000000Z");
    let own = el(0x30, &[&el(2, &[serial]), &time_of, &el(0x30, &[&compromised])]);
    let number = el(0x30, &[&[0x06, 3, 0x55, 0x1d, 20], &el(0x04, &[&[2, 1, 9]])]);
    let all: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).chain([&number[..]]).collect();
    el(
        0x30,
        &[
            &[2, 1, 1],
            &key.algorithm().identifier(),
            ca.subject.der(),
            &time("20260101000000Z"),
            &time("20991231235959Z"),
            &el(0x30, &[&own, &other]),
            &el(0xa0, &[&el(0x30, &all)]),
        ],
    )
}

/// A factory's line with its key, and the chain of a device.
fn line() -> (Folder, Vec<Certificate>) {
    let (folder, out) = factory();
    let pem = std::fs::read(out.join("a").join("chain.pem")).unwrap();
    (folder, Certificate::all_from_pem_or_der(&pem).unwrap())
}

#[test]
fn the_samples_say_what_they_are_to_say() {
    let (folder, chain) = line();
    let key = folder.pki.ca("line").unwrap().unlock(&password()).unwrap();
    let scope =
        el(0x30, &[&point(chain[0].subject.der()), &[0x82, 1, 0xff], &REASONS, &[0x84, 1, 0xff]]);
    let parts = [extension(28, &scope), extension(27, &[2, 1, 3])];
    let made = signed(&list_of(&chain[1], &key, &[5], &parts), &key);
    let read = Crl::from_der(&made).unwrap();
    let found = read.scope.as_ref().unwrap().as_ref().unwrap();
    assert_eq!((found.only, found.indirect), (Some(Only::Cas), true));
    assert!(matches!(&found.point, Some(PointName::Full(names)) if names.len() == 1));
    assert_eq!(found.reasons.unwrap().or(Reasons::NONE).names().count(), 6);
    assert_eq!((read.others.len(), read.base.is_some()), (1, true));
    assert_eq!(read.critical_extension, None);
}

#[test]
fn lists_with_changed_bytes() {
    let (mut folder, chain) = line();
    let good = list(&mut folder.pki, "line", now());
    let key = folder.pki.ca("line").unwrap().unlock(&password()).unwrap();
    let path = verify(&chain[0], &chain[1..], &chain[2..], &Options::new(now())).unwrap();
    let name = point(chain[0].subject.der());
    let serial = chain[0].serial.bytes();
    let indirect = el(0x30, &[&name, &REASONS, &[0x84, 1, 0xff]]);
    let samples = [
        list_of(&chain[1], &key, serial, &[]),
        list_of(&chain[1], &key, serial, &[extension(28, &el(0x30, &[&[0x81, 1, 0xff]]))]),
        list_of(&chain[1], &key, serial, &[extension(28, &indirect)]),
        list_of(&chain[1], &key, serial, &[extension(27, &[2, 1, 1])]),
        list_of(&chain[1], &key, serial, &[extension(27, &[2, 1, 1]), extension(28, &indirect)]),
    ];
    let (mut numbers, mut read) = (Numbers(0x9e37_79b9_7f4a_7c15), 0);
    for round in 0..count() {
        let sample = &samples[usize::try_from(round).unwrap() % samples.len()];
        let der = signed(&numbers.change(sample), &key);
        let Ok(changed) = Crl::from_der(&der) else { continue };
        read += 1;
        let all = [changed, good.clone()];
        let lists = Lists { all: &all, known: &[], signers: &chain };
        let found = chain::check_revocation(&path, &lists, now());
        assert_eq!(found.lists.len(), 2);
        // A list of the issuer's for the certificate, with the certificate in it, is never passed over.
        let own = &all[0];
        // A hold may have ended by the later list.
        let names_it = own
            .revoked
            .iter()
            .any(|r| r.serial == chain[0].serial && r.reason != Reason::CertificateHold);
        let counts = own.scope.is_ok() && own.critical_extension.is_none() && own.base.is_none();
        if names_it && counts && own.issuer.matches(&chain[1].subject) && own.this_update <= now() {
            assert!(found.refusal.is_some(), "{}", c8y_pki_core::cert::Serial::from_octets(&der));
        }
    }
    assert!(read > count() / 20, "only {read} of the changed lists can be read");
}

#[test]
fn certificates_with_changed_bytes() {
    let (mut folder, chain) = line();
    let good = [list(&mut folder.pki, "line", now())];
    let ca = folder.pki.ca("line").unwrap();
    let key = ca.unlock(&password()).unwrap();
    let name = point(chain[0].subject.der());
    let points = el(0x30, &[&el(0x30, &[&name, &[0x81, 2, 1, 0x7e]]), &el(0x30, &[&name])]);
    let end = extension(31, &points);
    // Behind the last of its extensions, with the lengths of what is around them.
    let (head, extensions) = split(chain[0].tbs());
    let more = el(0x30, &[&el_contents(&el_contents(extensions)), &end]);
    let with_points = el(0x30, &[head, &el(0xa3, &[&more])]);
    let samples = [chain[0].tbs().to_vec(), with_points];
    let (mut numbers, mut read) = (Numbers(0x2545_f491_4f6c_dd1d), 0);
    for round in 0..count() {
        let sample = &samples[usize::try_from(round).unwrap() % samples.len()];
        let Ok(leaf) = Certificate::from_der(&signed(&numbers.change(sample), &key)) else {
            continue;
        };
        read += 1;
        let Ok(path) = verify(&leaf, &chain, &chain[2..], &Options::new(now())) else { continue };
        let lists = Lists { all: &good, known: &[], signers: &chain };
        let found = chain::check_revocation(&path, &lists, now());
        assert_eq!(found.lists.len(), 1);
    }
    assert!(read > count() / 20, "only {read} of the changed certificates can be read");
}

fn el_contents(element: &[u8]) -> Vec<u8> {
    element[start(element)..].to_vec()
}

/// Where the contents of an element begin.
fn start(element: &[u8]) -> usize {
    if element[1] < 0x80 { 2 } else { 2 + usize::from(element[1] & 0x7f) }
}

fn whole(element: &[u8]) -> usize {
    let first = usize::from(element[1]);
    let length = match first {
        0..0x80 => first,
        _ => element[2..start(element)].iter().fold(0, |n, b| n << 8 | usize::from(*b)),
    };
    start(element) + length
}

/// The contents of a TBSCertificate up to its extensions, and these.
fn split(tbs: &[u8]) -> (&[u8], &[u8]) {
    let body = &tbs[start(tbs)..];
    let mut at = 0;
    while body[at] != 0xa3 {
        at += whole(&body[at..]);
    }
    body.split_at(at)
}
