//! Manifests: whose signature counts, and what is none.

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::failure::Failure;
use c8y_pki_core::issue::{BeyondIssuer, Validity};
use c8y_pki_core::key::signer::Signer;
use c8y_pki_engine::manifest::{self, ManifestError};
use time::Duration;

use crate::folder::{now, password};
use crate::life::factory;

/// A manifest of `line` with what it says changed, signed by anyone who has `key`.
fn signed(text: &str, key: &dyn Signer) -> (Vec<u8>, Vec<u8>) {
    (text.as_bytes().to_vec(), key.sign(text.as_bytes()).unwrap())
}

#[test]
fn only_the_issuer_that_the_rows_name_signs_a_manifest() {
    let (mut folder, _) = factory();
    folder.add("other", "root", None).unwrap();
    let [root, line, other] = ["root", "line", "other"].map(|name| folder.pki.ca(name).unwrap());
    let certs: Vec<Certificate> =
        [&root, &line, &other].map(|ca| ca.certificate().clone()).to_vec();
    let records = folder.pki.registry().live_devices(Some("line")).unwrap();
    let key = line.unlock(&password()).unwrap();
    let made = manifest::make("b", "line", &records, line.certificate(), &key, now()).unwrap();
    let csv = String::from_utf8(made.csv).unwrap();
    let json = String::from_utf8(made.json).unwrap();
    let unmarked = csv.split_once('\n').unwrap().1.to_owned();
    let bare = json.replacen(&json[1..json.find(",\n").unwrap() + 1], "", 1);
    assert!(bare.starts_with("{\n  \"batch\""), "{bare}");

    for text in [&csv, &json, &unmarked, &bare] {
        let old = text == &unmarked || text == &bare;
        let (file, signature) = signed(text, &key);
        assert_eq!(manifest::verify(&file, &signature, &certs).unwrap().old, old);
        for (ca, name) in [(&root, "CN=root"), (&other, "CN=other")] {
            let (file, signature) = signed(text, &ca.unlock(&password()).unwrap());
            let error = manifest::verify(&file, &signature, &certs).unwrap_err().to_string();
            assert!(error.starts_with("the rows name the issuer CN=line (SHA-256 "), "{error}");
            assert!(error.contains(&format!("but {name} (SHA-256 ")), "{error}");
        }
    }
    // One place that names another, whichever it is.
    let [ours, theirs] = [&line, &other].map(|ca| ca.certificate().fingerprint_sha256());
    for text in [&csv, &json, &unmarked, &bare] {
        for (at, _) in text.match_indices(&ours) {
            let changed = format!("{}{theirs}{}", &text[..at], &text[at + ours.len()..]);
            let (file, signature) = signed(&changed, &key);
            let error = manifest::verify(&file, &signature, &certs).unwrap_err();
            assert!(matches!(error, ManifestError::OtherRow { .. }), "{error}");
        }
    }
}

#[test]
fn a_renewed_ca_is_the_issuer_that_the_rows_name_under_that_certificate_only() {
    let (mut folder, _) = factory();
    let former = folder.pki.ca("line").unwrap();
    let records = folder.pki.registry().live_devices(Some("line")).unwrap();
    let key = former.unlock(&password()).unwrap();
    let made = manifest::make("b", "line", &records, former.certificate(), &key, now()).unwrap();
    let root = folder.pki.ca("root").unwrap();
    let root_key = root.unlock(&password()).unwrap();
    let later = now() + Duration::days(1);
    let validity =
        Validity { not_before: later, not_after: later + Duration::days(300), counted_from: later };
    let renewed = folder
        .pki
        .renew_ca("line", &root_key, validity, BeyondIssuer::Refuse, false, later)
        .unwrap();
    let renewed = renewed.certificate().clone();
    assert_ne!(&renewed, former.certificate());

    let both = [renewed.clone(), former.certificate().clone()];
    let verified = manifest::verify(&made.csv, &made.csv_signature, &both).unwrap();
    assert_eq!(verified.signer, former.certificate());
    let error = manifest::verify(&made.csv, &made.csv_signature, &[renewed]).unwrap_err();
    assert!(error.to_string().contains("the issuer whose certificate is not given"), "{error}");
    assert!(error.hint().unwrap().to_string().contains("renewed"), "{error}");
}

#[test]
fn what_is_no_manifest_is_not_valid_no_matter_who_signed_it() {
    let (folder, _) = factory();
    let line = folder.pki.ca("line").unwrap();
    let key = line.unlock(&password()).unwrap();
    let records = folder.pki.registry().live_devices(Some("line")).unwrap();
    let made = manifest::make("b", "line", &records, line.certificate(), &key, now()).unwrap();
    let csv = String::from_utf8(made.csv).unwrap();
    let (mark, rest) = csv.split_once('\n').unwrap();
    let header = rest.lines().next().unwrap();
    let issuer = line.certificate().fingerprint_sha256();
    for (text, said) in [
        (String::new(), "it does not begin as one"),
        ("hello\n".to_owned(), "it does not begin as one"),
        (format!(" {csv}"), "it does not begin as one"),
        (format!("{mark}\n{header}\n"), "it lists no device"),
        (format!("{header}\n"), "it lists no device"),
        (mark.to_owned(), "it has a first line and nothing else"),
        (csv.replace(",status", ""), "the column status is missing"),
        (csv.replace("device_id,serial", "serial,device_id"), "its columns are not"),
        (csv.replace("manifest 2", "manifest 3"), "its first line is not that of a manifest"),
        (format!("{csv}x,y\n"), "line 6 has 2 fields in place of 8"),
        ("{}".to_owned(), "a member of its JSON is missing or no text, at line 1"),
        ("{".to_owned(), "its JSON is damaged at line 1"),
        (csv.replace(&issuer, "\u{1b}[31mred"), "not named by a SHA-256 in hex"),
        ("{\"issuer_fingerprint_sha256\":\"a\",\"devices\":[]}".to_owned(), "it lists no device"),
    ] {
        let (file, signature) = signed(&text, &key);
        let certs = [line.certificate().clone()];
        let error = manifest::verify(&file, &signature, &certs).unwrap_err();
        assert!(matches!(error, ManifestError::Unreadable(_)), "{text}: {error}");
        assert!(error.to_string().contains(said), "{text}: {error}");
    }
}
