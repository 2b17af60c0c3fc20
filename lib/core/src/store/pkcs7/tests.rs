use proptest::prelude::*;

use super::*;
use crate::cert::pem_text;

/// A device, an intermediate and a root.
fn samples() -> Vec<Certificate> {
    let pem = concat!(
        include_str!("../../../testdata/ec-p256.cert.pem"),
        include_str!("../../../testdata/intermediate.cert.pem"),
        include_str!("../../../testdata/root.cert.pem"),
    );
    Certificate::all_from_pem_or_der(pem.as_bytes()).unwrap()
}

/// The same in BER as some writers have it: every length outside the certificates indefinite.
fn indefinite(certificates: &[Certificate]) -> Vec<u8> {
    let open = |tag: u8, parts: &[&[u8]]| [&[tag, 0x80], &parts.concat()[..], &[0, 0]].concat();
    let certificates: Vec<&[u8]> = certificates.iter().map(Certificate::der).collect();
    let signed_data = open(
        SEQUENCE,
        &[
            &[INTEGER, 1, 1],
            &open(SET, &[]),
            &open(SEQUENCE, &[&element(OID, &[&DATA])]),
            &open(CONTEXT_0, &certificates),
            &open(SET, &[]),
        ],
    );
    open(SEQUENCE, &[&element(OID, &[&SIGNED_DATA]), &open(CONTEXT_0, &[&signed_data])])
}

#[test]
fn what_is_written_is_read_in_its_order() {
    let mut certificates = samples();
    for _ in 0..2 {
        let written = write(&certificates);
        assert!(is_signed_data(&written));
        assert_eq!(read(&written).unwrap(), certificates);
        let text = pem_text("PKCS7", &written);
        assert!(!is_signed_data(text.as_bytes()));
        assert_eq!(read(text.as_bytes()).unwrap(), certificates);
        certificates.reverse();
    }
    let two = [&certificates[..1], &certificates[1..]].map(|c| pem_text("CMS", &write(c)));
    assert_eq!(read(two.concat().as_bytes()).unwrap(), certificates);
}

#[test]
fn indefinite_lengths_are_read() {
    let ber = indefinite(&samples());
    assert!(is_signed_data(&ber));
    assert_eq!(read(&ber).unwrap(), samples());
    for length in 0..ber.len() {
        assert!(matches!(read(&ber[..length]), Err(Pkcs7Error::Damaged(_) | Pkcs7Error::NoBlock)));
    }
}

#[test]
fn limits_hold() {
    let one = &samples()[..1];
    let many = |count| write(&one.iter().cycle().take(count).cloned().collect::<Vec<_>>());
    assert_eq!(read(&many(MAX_CERTIFICATES)).unwrap().len(), MAX_CERTIFICATES);
    let error = read(&many(MAX_CERTIFICATES + 1)).unwrap_err();
    assert!(matches!(error, Pkcs7Error::TooMany { what: "certificates" }), "{error}");
    let error = read(&vec![0; MAX_BYTES + 1]).unwrap_err();
    assert!(matches!(error, Pkcs7Error::TooLarge { bytes } if bytes == MAX_BYTES + 1));
}

#[test]
fn what_is_something_else_is_named() {
    let samples = samples();
    assert!(matches!(read(&write(&[])), Err(Pkcs7Error::NoCertificate)));
    assert!(contents(&write(&[])).unwrap().certificates.is_empty());
    let pem = samples[0].pem();
    assert!(matches!(read(pem.as_bytes()), Err(Pkcs7Error::NoBlock)));
    assert!(matches!(read(samples[0].der()), Err(Pkcs7Error::Damaged(_))));
    assert!(matches!(read(b"-----BEGIN PKCS7-----\nMAA="), Err(Pkcs7Error::Pem(_))));

    let id = element(OID, &[&ENVELOPED_DATA]);
    let sealed = element(SEQUENCE, &[&id, &element(CONTEXT_0, &[])]);
    let error = read(&sealed).unwrap_err();
    assert_eq!(error.to_string(), "the PKCS#7 file holds encrypted data, not certificates");

    let mut longer = write(&samples);
    longer.push(0);
    let error = read(&longer).unwrap_err();
    assert_eq!(error.to_string(), "not a PKCS#7 file: bytes follow its end");
}

#[test]
fn a_certificate_that_is_none_is_named_by_its_place() {
    let good = write(&samples());
    let second = samples()[1].der().to_vec();
    let at = good.windows(second.len()).position(|w| w == second).unwrap();
    let mut bad = good;
    // The tag of the TBSCertificate.
    bad[at + 4] = 0x31;
    let error = read(&bad).unwrap_err();
    assert!(matches!(error, Pkcs7Error::Certificate { number: 2, .. }), "{error}");
}

#[test]
fn attribute_certificates_are_passed_over() {
    let written = indefinite(&samples());
    let set = [CONTEXT_0, 0x80, SEQUENCE, 0x82];
    let at = written.windows(4).position(|w| w == set).unwrap() + 2;
    let with = [&written[..at], &[0xa2, 3, INTEGER, 1, 1], &written[at..]].concat();
    assert_eq!(read(&with).unwrap(), samples());
}

proptest! {
    #[test]
    fn changed_octets_are_read_or_refused(
        ber in any::<bool>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = if ber { indefinite(&samples()) } else { write(&samples()) };
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        for bytes in [&bytes[..], &bytes[..length.index(bytes.len())]] {
            if let Ok(found) = read(bytes) {
                prop_assert_eq!(read(&write(&found)).unwrap(), found);
            }
            let _ = read(pem_text("PKCS7", bytes).as_bytes());
        }
    }

    #[test]
    fn any_octets_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = contents(&bytes);
        let _ = contents(&element(SEQUENCE, &[&element(OID, &[&SIGNED_DATA]), &bytes]));
    }
}
