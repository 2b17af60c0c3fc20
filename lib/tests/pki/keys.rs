//! One key, one holder: what a CA does not certify, whichever run asks.

use crate::folder::{Folder, change, chosen, ec, now, password, pem_only};
use c8y_pki_core::cert::Serial;
use c8y_pki_core::crl::Reason;
use c8y_pki_core::crypto::{KeyPolicy, KeyType};
use c8y_pki_core::csr;
use c8y_pki_core::issue::{self, BeyondIssuer, Order, Validity};
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::name::Name;
use c8y_pki_engine::pki::policy::SigningPolicy;
use c8y_pki_engine::pki::{AuthorityError, OwnKey};
use c8y_pki_engine::provision::renew::{self, RenewedKey};
use c8y_pki_engine::provision::request::{Action, RequestFile, Verdict, sign};
use c8y_pki_engine::provision::{Context, Existing, Job, Keep, Out, RevokedDevices};

const REPLACE: Existing = Existing::Replace { revoke: false };

fn new_key() -> PrivateKey {
    PrivateKey::generate(KeyType::EcP256).unwrap()
}

/// Signs the request of one device for a key.
fn ask(folder: &mut Folder, id: &str, key: &PrivateKey, existing: Existing) -> Verdict {
    let subject = Name::builder().with("CN", id).unwrap().build().unwrap();
    let bytes = csr::make(&subject, key).unwrap();
    let out = folder.path().join("out");
    std::fs::create_dir_all(&out).unwrap();
    let ca = folder.pki.ca("root").unwrap();
    let ca_key = ca.unlock(&password()).unwrap();
    let job = Job {
        ca: &ca,
        key: &ca_key,
        profile: &ec("device"),
        subject: &Name::builder(),
        days: None,
        beyond_issuer: BeyondIssuer::Refuse,
        out: Out::Folders(&out),
        bundle: pem_only(),
        existing,
        revoked: RevokedDevices::Issue,
        keep: Keep::default(),
        order: None,
        secrets: None,
        key_pool: None,
        keep_going: false,
        policy: &SigningPolicy::default(),
        keys: KeyPolicy::default(),
        threads: 1,
    };
    let files = [RequestFile { name: format!("{id}.csr"), bytes }];
    let (verdicts, _) = sign(&mut folder.pki, &job, &files, None, &Context::at(now())).unwrap();
    verdicts.into_iter().next().unwrap()
}

#[track_caller]
fn assert_refused(verdict: &Verdict, words: &str) {
    assert_eq!(verdict.action, Action::Refused, "{verdict:?}");
    let message = verdict.message.as_deref().unwrap();
    assert!(message.contains(words), "{message}");
}

#[test]
fn a_key_of_somebody_else_is_refused_and_ones_own_is_not() {
    let mut folder = Folder::with_root();
    let key = new_key();
    assert_eq!(ask(&mut folder, "a", &key, Existing::Skip).action, Action::Signed);
    assert_eq!(folder.pki.registry().with_key(key.public_key().spki()).unwrap().len(), 1);
    let other = ask(&mut folder, "b", &key, Existing::Skip);
    assert_refused(&other, "the key of device id \"b\" is that of the device \"a\" too");
    assert_eq!(ask(&mut folder, "a", &key, Existing::Skip).action, Action::Kept);
    assert_refused(&ask(&mut folder, "A", &key, Existing::Skip), "only the case of its letters");
    assert_eq!(ask(&mut folder, "a", &key, REPLACE).action, Action::Signed);
    // Superseded twice over, the key is nobody's; live again at another device, it is that one's.
    assert_eq!(ask(&mut folder, "a", &new_key(), REPLACE).action, Action::Signed);
    assert_eq!(ask(&mut folder, "b", &key, Existing::Skip).action, Action::Signed);
    assert_refused(&ask(&mut folder, "a", &key, REPLACE), "is that of the device \"b\" too");
    assert_eq!(folder.pki.registry().with_key(key.public_key().spki()).unwrap().len(), 3);
    assert_eq!(folder.pki.registry().check().unwrap().findings, []);
}

#[test]
fn a_key_of_a_ca_or_of_a_revoked_certificate_is_refused() {
    let mut folder = Folder::with_root();
    let root = folder.pki.ca("root").unwrap();
    let bytes = std::fs::read(root.key_place().path()).unwrap();
    let root_key = PrivateKey::read(&bytes, Some(&password())).unwrap();
    assert_refused(&ask(&mut folder, "a", &root_key, Existing::Skip), "is that of the CA root too");
    let key = new_key();
    ask(&mut folder, "a", &key, Existing::Skip);
    let a = folder.pki.registry().live_device("a").unwrap().unwrap();
    let serial = a.serial.clone();
    let registry = folder.pki.registry_mut();
    registry.revoke(&[a], Reason::Superseded, now(), now()).unwrap();
    // Of another device it counts, whatever the reason; of its own it was only replaced.
    let words = format!("belongs to a revoked certificate, {serial} of the device \"a\"");
    assert_refused(&ask(&mut folder, "b", &key, Existing::Skip), &words);
    assert_eq!(ask(&mut folder, "a", &key, REPLACE).action, Action::Signed);
    let a = folder.pki.registry().live_device("a").unwrap().unwrap();
    folder.pki.registry_mut().revoke(&[a], Reason::KeyCompromise, now(), now()).unwrap();
    assert_refused(&ask(&mut folder, "a", &key, REPLACE), "belongs to a revoked certificate, ");
}

/// Of two devices with one key, from before this was refused, neither is renewed with it.
#[test]
fn a_shared_key_is_not_kept_when_its_device_is_renewed() {
    let mut folder = Folder::with_root();
    let key = new_key();
    ask(&mut folder, "a", &key, Existing::Skip);
    let path = folder.pki.registry().path().to_owned();
    let hide = |value: &str| {
        let sql = format!("UPDATE certificate SET key = {value} WHERE client_id = 'a'");
        change(&path, &sql);
    };
    hide("x''");
    ask(&mut folder, "b", &key, Existing::Skip);
    hide("(SELECT key FROM certificate WHERE client_id = 'b')");
    let a = folder.pki.registry().live_device("a").unwrap().unwrap();
    let out = folder.path().join("out");
    let kept = RenewedKey::Request(key.public_key());
    let keys = KeyPolicy::default();
    let list = renew::list(folder.pki.registry(), vec![a], kept, keys, &out).unwrap();
    assert_eq!(list.devices, []);
    let message = &list.faults[0].message;
    assert_eq!(message, "the key of device id \"a\" is that of the device \"b\" too");
}

#[test]
fn a_ca_that_is_taken_in_has_a_key_of_its_own() {
    let mut folder = Folder::with_root();
    let (key, kept) = (new_key(), chosen());
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
    ask(&mut folder, "a", &key, Existing::Skip);
    let own = || OwnKey::File(&key, &kept);
    let keys = KeyPolicy::default();
    let error = folder.pki.import("b", &heap, own(), keys, now()).unwrap_err();
    assert!(matches!(error, AuthorityError::KeyTaken(_)), "{error}");
    assert_eq!(error.to_string(), "the key of the new CA is that of the device \"a\"");
    // A directory that was lost is taken in again: the registry has the CA itself.
    let root = folder.pki.ca("root").unwrap();
    let bytes = std::fs::read(root.key_place().path()).unwrap();
    let root_key = PrivateKey::read(&bytes, Some(&password())).unwrap();
    let chain = root.chain.clone();
    std::fs::remove_dir_all(root.dir()).unwrap();
    let own = OwnKey::File(&root_key, &kept);
    let again = folder.pki.import("root", &chain, own, keys, now()).unwrap();
    assert_eq!(again.chain, chain);
}
