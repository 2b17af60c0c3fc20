//! Certificates for tests: written field by field, so that each rule can be broken alone.

use std::rc::Rc;

use time::{Duration, OffsetDateTime, macros::datetime};
use yasna::models::{ObjectIdentifier, TaggedDerValue};
use yasna::{DERWriter, Tag, tags};

use crate::cert::{Certificate, oid};
use crate::crypto::{KeyPair, KeyType, sha256};
use crate::name::Name;

/// The time of all tests; certificates are valid a year around it.
pub const NOW: OffsetDateTime = datetime!(2026-06-01 12:00:00 UTC);

/// A certificate before it is signed.
pub struct Draft {
    pub version: Option<u8>,
    pub serial: Vec<u8>,
    pub issuer: Vec<u8>,
    pub subject: Vec<u8>,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
    pub key: Rc<KeyPair>,
    pub spki: Vec<u8>,
    pub extensions: Vec<(String, bool, Vec<u8>)>,
    pub inner_algorithm: Vec<u8>,
    pub outer_algorithm: Vec<u8>,
}

impl Draft {
    fn new(subject: &str, issuer: &[u8], key: Rc<KeyPair>, signer: &KeyPair) -> Self {
        let subject = Name::parse(subject).unwrap().der().to_vec();
        let algorithm = signer.signature_algorithm().identifier();
        // Different for different subjects and keys, positive, and not longer than allowed.
        let digest = sha256(&[&subject, key.public().spki()].concat());
        let mut draft = Self {
            version: Some(2),
            serial: [&[0x40], &digest[..15]].concat(),
            issuer: issuer.to_vec(),
            subject,
            not_before: NOW - Duration::days(180),
            not_after: NOW + Duration::days(180),
            spki: key.public().spki().to_vec(),
            extensions: Vec::new(),
            inner_algorithm: algorithm.clone(),
            outer_algorithm: algorithm,
            key,
        };
        draft.set(oid::SUBJECT_KEY_ID, false, octet_string(&draft.key.public().key_id()));
        draft.set(oid::AUTHORITY_KEY_ID, false, authority(&signer.public().key_id()));
        draft
    }

    /// Adds the extension or puts it in the place of the one with that identifier.
    pub fn set(&mut self, oid: &str, critical: bool, value: Vec<u8>) {
        self.remove(oid);
        self.extensions.push((oid.to_owned(), critical, value));
    }

    pub fn remove(&mut self, oid: &str) {
        self.extensions.retain(|e| e.0 != oid);
    }

    pub fn path_length(&mut self, length: u32) {
        self.set(oid::BASIC_CONSTRAINTS, true, basic_constraints(true, Some(length)));
    }

    fn sign(&self, signer: &KeyPair) -> Certificate {
        let tbs = yasna::construct_der(|w| w.write_sequence(|w| self.write_tbs(w)));
        let signature = signer.sign(&tbs).unwrap();
        let der = yasna::construct_der(|w| {
            w.write_sequence(|w| {
                w.next().write_der(&tbs);
                w.next().write_der(&self.outer_algorithm);
                w.next().write_bitvec_bytes(&signature, signature.len() * 8);
            });
        });
        Certificate::from_der(&der).unwrap()
    }

    fn write_tbs(&self, w: &mut yasna::DERWriterSeq<'_>) {
        if let Some(version) = self.version {
            w.next().write_tagged(Tag::context(0), |w| w.write_u8(version));
        }
        w.next().write_tagged_der(&TaggedDerValue::from_tag_and_bytes(
            tags::TAG_INTEGER,
            self.serial.clone(),
        ));
        w.next().write_der(&self.inner_algorithm);
        w.next().write_der(&self.issuer);
        w.next().write_sequence(|w| {
            write_time(w.next(), self.not_before);
            write_time(w.next(), self.not_after);
        });
        w.next().write_der(&self.subject);
        w.next().write_der(&self.spki);
        if self.extensions.is_empty() {
            return;
        }
        w.next().write_tagged(Tag::context(3), |w| {
            w.write_sequence_of(|w| {
                for (oid, critical, value) in &self.extensions {
                    w.next().write_sequence(|w| {
                        w.next().write_oid(&dotted(oid));
                        if *critical {
                            w.next().write_bool(true);
                        }
                        w.next().write_bytes(value);
                    });
                }
            });
        });
    }
}

fn write_time(w: DERWriter<'_>, time: OffsetDateTime) {
    let format = time::macros::format_description!("[year][month][day][hour][minute][second]Z");
    let text = time.format(&format).unwrap().into_bytes();
    w.write_tagged_der(&TaggedDerValue::from_tag_and_bytes(tags::TAG_GENERALIZEDTIME, text));
}

fn dotted(oid: &str) -> ObjectIdentifier {
    ObjectIdentifier::new(oid.split('.').map(|arc| arc.parse().unwrap()).collect())
}

/// A certificate with its key: it can issue others.
#[derive(Clone)]
pub struct Signed {
    pub cert: Certificate,
    pub key: Rc<KeyPair>,
}

pub fn new_key() -> Rc<KeyPair> {
    Rc::new(KeyPair::generate(KeyType::EcP256).unwrap().0)
}

impl Signed {
    /// A self-signed CA.
    pub fn root(subject: &str, edit: impl FnOnce(&mut Draft)) -> Self {
        let key = new_key();
        let issuer = Name::parse(subject).unwrap();
        let mut draft = Draft::new(subject, issuer.der(), key.clone(), &key);
        set_ca(&mut draft);
        edit(&mut draft);
        Self { cert: draft.sign(&key), key }
    }

    /// A CA below this one.
    pub fn ca(&self, subject: &str, edit: impl FnOnce(&mut Draft)) -> Self {
        self.ca_with_key(subject, new_key(), edit)
    }

    pub fn ca_with_key(
        &self,
        subject: &str,
        key: Rc<KeyPair>,
        edit: impl FnOnce(&mut Draft),
    ) -> Self {
        let mut draft = Draft::new(subject, self.cert.subject.der(), key, &self.key);
        set_ca(&mut draft);
        edit(&mut draft);
        Self { cert: draft.sign(&self.key), key: draft.key }
    }

    /// A certificate of this CA for `other`'s name and key.
    pub fn cross_sign(&self, other: &Self) -> Self {
        self.ca_with_key(&other.cert.subject.to_string(), other.key.clone(), |_| {})
    }

    /// A device below this CA.
    pub fn device(&self, subject: &str, edit: impl FnOnce(&mut Draft)) -> Certificate {
        let mut draft = Draft::new(subject, self.cert.subject.der(), new_key(), &self.key);
        draft.set(oid::BASIC_CONSTRAINTS, true, basic_constraints(false, None));
        draft.set(oid::KEY_USAGE, true, key_usage(&[0]));
        edit(&mut draft);
        draft.sign(&self.key)
    }

    /// A device named `CN=device-1`.
    pub fn leaf(&self) -> Certificate {
        self.device("CN=device-1", |_| {})
    }
}

fn set_ca(draft: &mut Draft) {
    draft.set(oid::BASIC_CONSTRAINTS, true, basic_constraints(true, None));
    draft.set(oid::KEY_USAGE, true, key_usage(&[5, 6]));
}

pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    yasna::construct_der(|w| {
        w.write_sequence(|w| parts.iter().for_each(|part| w.next().write_der(part)));
    })
}

pub fn octet_string(bytes: &[u8]) -> Vec<u8> {
    yasna::construct_der(|w| w.write_bytes(bytes))
}

pub fn authority(key_id: &[u8]) -> Vec<u8> {
    sequence(&[&context(0, key_id)])
}

/// A primitive value with a context-specific tag.
pub fn context(number: u64, contents: &[u8]) -> Vec<u8> {
    tagged(number, yasna::PCBit::Primitive, contents)
}

/// A constructed value with a context-specific tag.
pub fn constructed(number: u64, contents: &[u8]) -> Vec<u8> {
    tagged(number, yasna::PCBit::Constructed, contents)
}

fn tagged(number: u64, pc: yasna::PCBit, contents: &[u8]) -> Vec<u8> {
    let value = TaggedDerValue::from_tag_pc_and_bytes(Tag::context(number), pc, contents.to_vec());
    yasna::construct_der(|w| w.write_tagged_der(&value))
}

pub fn basic_constraints(ca: bool, path_length: Option<u32>) -> Vec<u8> {
    yasna::construct_der(|w| {
        w.write_sequence(|w| {
            if ca {
                w.next().write_bool(true);
            }
            if let Some(length) = path_length {
                w.next().write_u32(length);
            }
        });
    })
}

/// KeyUsage with the bits of those numbers.
pub fn key_usage(bits: &[usize]) -> Vec<u8> {
    let mut byte = 0u8;
    bits.iter().for_each(|bit| byte |= 0x80 >> bit);
    let used = 8 - byte.trailing_zeros() as usize;
    yasna::construct_der(|w| w.write_bitvec_bytes(&[byte][..used.min(1)], used))
}

pub fn extended_key_usage(oids: &[&str]) -> Vec<u8> {
    yasna::construct_der(|w| {
        w.write_sequence(|w| oids.iter().for_each(|o| w.next().write_oid(&dotted(o))));
    })
}

pub fn policies(oids: &[&str]) -> Vec<u8> {
    let one = |o: &&str| sequence(&[&yasna::construct_der(|w| w.write_oid(&dotted(o)))]);
    let all: Vec<_> = oids.iter().map(one).collect();
    sequence(&all.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

pub fn dns(name: &str) -> Vec<u8> {
    context(2, name.as_bytes())
}

pub fn email(mailbox: &str) -> Vec<u8> {
    context(1, mailbox.as_bytes())
}

pub fn uri(uri: &str) -> Vec<u8> {
    context(6, uri.as_bytes())
}

pub fn ip(bytes: &[u8]) -> Vec<u8> {
    context(7, bytes)
}

pub fn directory(name: &str) -> Vec<u8> {
    constructed(4, Name::parse(name).unwrap().der())
}

pub fn names(names: &[Vec<u8>]) -> Vec<u8> {
    sequence(&names.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

pub fn name_constraints(permitted: &[Vec<u8>], excluded: &[Vec<u8>]) -> Vec<u8> {
    yasna::construct_der(|w| {
        w.write_sequence(|w| {
            for (number, list) in [(0, permitted), (1, excluded)] {
                if !list.is_empty() {
                    w.next().write_tagged_implicit(Tag::context(number), |w| {
                        w.write_sequence(|w| {
                            list.iter().for_each(|n| w.next().write_der(&sequence(&[n])));
                        });
                    });
                }
            }
        });
    })
}
