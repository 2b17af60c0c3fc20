//! CAs in a PKI directory: made, added, refused, imported; chains verified by the library itself.

use crate::folder::{Folder, chosen, ec, now, password};
use c8y_pki_core::cert::Serial;
use c8y_pki_core::chain::{self, Options};
use c8y_pki_core::crl::Crl;
use c8y_pki_core::crypto::KeyPolicy;
use c8y_pki_core::failure::{Failure, Means, Task};
use c8y_pki_core::issue::{self, BeyondIssuer, IssueError, Order, Validity};
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::key::signer::Signer;
use c8y_pki_core::name::Name;
use c8y_pki_core::profile::{PathLength, Profile};
use c8y_pki_core::secret::Password;
use c8y_pki_engine::pki::{AuthorityError, OwnKey, Pki};
use c8y_pki_engine::registry::Registry;

#[test]
fn a_chain_of_ten_is_possible_and_eleven_is_not() {
    let mut folder = Folder::with_root();
    let mut parent = "root".to_owned();
    for depth in 1..=8 {
        let name = format!("ca-{depth}");
        let ca = folder.add(&name, &parent, None).unwrap();
        let left = ca.certificate().basic_constraints.unwrap().path_length;
        assert_eq!(left, Some(8 - depth), "{name}");
        parent = name;
    }
    let error = folder.add("ca-9", &parent, None).unwrap_err();
    assert!(
        matches!(&error, AuthorityError::Issue(IssueError::PathLength { path_length: 0, .. })),
        "{error}"
    );
    let ca = folder.pki.ca("ca-8").unwrap();
    assert_eq!(ca.chain.len() + 1, 10, "the device makes ten");
    let at = Options::new(now());
    let (leaf, rest) = ca.chain.split_first().unwrap();
    let path = chain::verify(leaf, rest, &ca.chain[8..], &at).unwrap();
    assert_eq!(path.certificates().len(), 9);
}

#[test]
fn without_path_lengths_the_platforms_limit_counts() {
    let mut folder = Folder::new();
    folder.root("root", Some(PathLength::Unlimited)).unwrap();
    let mut parent = "root".to_owned();
    for depth in 1..=8 {
        let name = format!("ca-{depth}");
        folder.add(&name, &parent, Some(PathLength::Unlimited)).unwrap();
        parent = name;
    }
    let error = folder.add("ca-9", &parent, Some(PathLength::Unlimited)).unwrap_err();
    assert!(
        matches!(&error, AuthorityError::Issue(IssueError::TooDeep { length: 11, .. })),
        "{error}"
    );
}

#[test]
fn a_given_path_length_of_zero_ends_the_hierarchy() {
    let mut folder = Folder::with_root();
    folder.add("line", "root", Some(PathLength::Exactly(0))).unwrap();
    let error = folder.add("below", "line", None).unwrap_err();
    assert!(error.to_string().contains("path length of CN=line is 0"), "{error}");
    assert!(error.hint().unwrap().to_string().contains("nearer to the root"));
    assert_eq!(folder.pki.cas().unwrap().len(), 2, "nothing is left of it");
}

#[test]
fn a_validity_beyond_the_issuer_is_refused_or_shortened() {
    let mut folder = Folder::with_root();
    let error = folder.add_for("line", "root", 7301, BeyondIssuer::Refuse).unwrap_err();
    assert!(error.to_string().contains("after its issuer CN=root"), "{error}");
    assert!(error.hint().unwrap().to_string().contains("at most 7300 days"), "{:?}", error.hint());
    let ca = folder.add_for("line", "root", 7301, BeyondIssuer::Shorten).unwrap();
    assert_eq!(ca.certificate().not_after, ca.chain[1].not_after);
}

#[test]
fn names_and_profiles_are_checked() {
    let mut folder = Folder::with_root();
    assert!(matches!(folder.root("root", None), Err(AuthorityError::NameTaken(_))));
    for bad in ["", "Root", "../x", ".new", "a/b", "-a", &"x".repeat(65)] {
        assert!(matches!(folder.root(bad, None), Err(AuthorityError::BadName(_))), "{bad:?}");
    }
    let error = folder.pki.ca("line-8").unwrap_err();
    assert_eq!(error.hint().unwrap().to_string(), "known CAs: root");
    let wrong = folder.add_with(ec("root"), "line", "root", None, BeyondIssuer::Refuse);
    assert!(matches!(wrong, Err(AuthorityError::WrongProfile { .. })));
}

#[test]
fn a_wrong_password_opens_nothing() {
    let folder = Folder::with_root();
    let error = folder.pki.ca("root").unwrap().unlock(&Password::new("wrong")).unwrap_err();
    assert!(error.to_string().contains("the password does not open the private key"), "{error}");
    assert!(!error.to_string().contains("wrong\""));
}

#[test]
fn a_ca_of_another_folder_is_taken_in() {
    let mut old = Folder::with_root();
    let line = old.add("line", "root", None).unwrap();
    let key = std::fs::read(line.key_place().path()).unwrap();
    let key = PrivateKey::read(&key, Some(&password())).unwrap();
    let mut new = Folder::new();
    let kept = chosen();
    // The heap is in any order and holds a stranger.
    let heap = [line.chain[1].clone(), line.chain[0].clone()];
    let ca = new
        .pki
        .import("line", &heap, OwnKey::File(&key, &kept), KeyPolicy::default(), now())
        .unwrap();
    assert_eq!(ca.chain, line.chain);
    let stranger = PrivateKey::generate(ec("root").key).unwrap();
    let error = new
        .pki
        .import("x", &heap, OwnKey::File(&stranger, &kept), KeyPolicy::default(), now())
        .unwrap_err();
    assert!(error.to_string().contains("belongs to none of the certificates"), "{error}");
}

#[test]
fn two_cas_of_different_subjects_do_not_share_a_key() {
    let mut folder = Folder::with_root();
    let root = folder.pki.ca("root").unwrap();
    let bytes = std::fs::read(root.key_place().path()).unwrap();
    let key = PrivateKey::read(&bytes, Some(&password())).unwrap();
    let profile = ec("root");
    let subject = Name::parse("CN=Another").unwrap();
    let order = Order {
        profile: &profile,
        subject: &subject,
        public_key: key.public_key(),
        serial: Serial::random().unwrap(),
        validity: Validity::of(&profile, now(), None),
        path_length: None,
    };
    let heap = [issue::self_sign(&order, &key).unwrap()];
    let kept = chosen();
    let error = folder
        .pki
        .import("b", &heap, OwnKey::File(&key, &kept), KeyPolicy::default(), now())
        .unwrap_err();
    assert!(
        matches!(error, AuthorityError::KeyTaken(ref name) if name == "the CA \"root\""),
        "{error}"
    );
    assert_eq!(folder.pki.cas().unwrap().len(), 1);
}

#[test]
fn crl_numbers_grow_and_lists_verify() {
    let mut folder = Folder::with_root();
    let ca = folder.pki.ca("root").unwrap();
    let key = ca.unlock(&password()).unwrap();
    let mut last = None;
    for _ in 0..3 {
        let crl = folder.pki.make_crl(&ca, &key, 30, now()).unwrap();
        let again = Crl::from_der(crl.der()).unwrap();
        again.verify_signature(key.public_key()).unwrap();
        assert_eq!(again.issuer, ca.certificate().subject);
        assert_eq!(again.authority_key_id, ca.certificate().subject_key_id);
        assert!(again.number > last, "{:?}", again.number);
        last = again.number;
    }
}

#[test]
fn a_name_with_everything_in_it_survives() {
    let text = "CN=Linie 7 \\, Łódź,OU=B,OU=A,O=Example GmbH,L=Köln,ST=NRW,C=DE";
    let name = Name::parse(text).unwrap();
    let mut folder = Folder::new();
    let ca = folder.root_named("root", &name).unwrap();
    assert_eq!(ca.certificate().subject, name);
    assert_eq!(ca.certificate().issuer.der(), name.der());
    let line = folder.add("line", "root", None).unwrap();
    assert_eq!(line.certificate().issuer.der(), name.der(), "to the byte");
}

#[test]
fn a_folder_that_is_none_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let error = Pki::open(dir.path(), now()).unwrap_err();
    assert!(error.to_string().contains("is not a PKI directory"), "{error}");
    assert!(error.hint().unwrap().means().contains(&&Means::Run(Task::InitCa)));
}

#[test]
fn a_ca_made_but_not_recorded_is_recorded_on_opening() {
    // About the file.
    if crate::folder::on_server() {
        return;
    }
    let folder = Folder::with_root();
    let dir = folder.pki.dir().to_owned();
    let certificate = folder.pki.ca("root").unwrap().certificate().clone();
    let keep = folder.close();
    for file in ["registry.sqlite", "registry.sqlite-wal", "registry.sqlite-shm"] {
        let _ = std::fs::remove_file(dir.join(file));
    }
    // As a run leaves it that was stopped just before it recorded the first CA.
    Registry::open(&dir.join("registry.sqlite"), now()).unwrap();
    std::fs::write(dir.join("ca/root/unrecorded"), "").unwrap();
    let pki = Pki::open(&dir, now()).unwrap();
    assert!(pki.registry().has(&certificate).unwrap());
    drop(keep);
}

#[test]
fn classic_profiles_have_the_recipes_extensions() {
    let root = Profile::built_in("classic-root").unwrap();
    assert_eq!(root.path_length, PathLength::Exactly(10));
    let device = Profile::built_in("classic-device").unwrap();
    assert_eq!(device.key_usage, ["nonRepudiation", "digitalSignature", "keyEncipherment"]);
    assert!(device.extended_key_usage.is_empty());
}

/// A directory whose CA was made by a build that knows tokens.
#[cfg(not(feature = "pkcs11"))]
#[test]
fn a_build_without_tokens_says_so() {
    let folder = Folder::with_root();
    let path = folder.pki.ca("root").unwrap().dir().join("key.uri");
    std::fs::write(&path, "pkcs11:token=Factory;object=root?module-path=/m.so\n").unwrap();
    let ca = folder.pki.ca("root").unwrap();
    let error = ca.unlock(&password()).unwrap_err();
    assert!(error.to_string().contains("knows no keys in tokens"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.to_string().contains("pkcs11")));
}
