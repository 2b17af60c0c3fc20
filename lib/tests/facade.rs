//! What the facade itself adds to the crates below: three ways not to issue, one error, runs from a list.

use c8y_pki::tenant::Host;
use c8y_pki::{
    Batch, CaKey, Certificate, ChosenPassword, Destination, DeviceId, DeviceList, DeviceRequest,
    Error, Fault, InMemoryCa, KeyType, Name, NewCa, NotIssued, Password, Pki, PrivateKey, Profile,
    Reason, csr,
};
use time::OffsetDateTime;

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_795_000_000).unwrap()
}

fn new_ca(subject: &str, profile: &str) -> NewCa {
    let password = ChosenPassword::unjudged(Password::new("ca"));
    let profile = Profile::built_in(profile).unwrap().with_key(KeyType::EcP256).unwrap();
    NewCa::new(Name::parse(subject).unwrap(), password).profile(profile)
}

fn pki(dir: &std::path::Path) -> (Pki, CaKey) {
    let mut pki = Pki::open_or_create(dir, now()).unwrap();
    let root = pki.add_root("root", &new_ca("CN=Root", "root"), now()).unwrap();
    let key = root.unlock(&Password::new("ca")).unwrap();
    let line = pki.add_intermediate("line", &key, &new_ca("CN=Line", "intermediate"), now());
    let key = line.unwrap().unlock(&Password::new("ca")).unwrap();
    (pki, key)
}

fn request(id: &str) -> Vec<u8> {
    let key = PrivateKey::generate(KeyType::EcP256).unwrap();
    csr::make(&Name::builder().with("CN", id).unwrap().build().unwrap(), &key).unwrap()
}

fn sign(pki: &Pki, key: &CaKey, request: &[u8]) -> Result<(bool, usize), NotIssued> {
    let issued = pki.issue(&DeviceRequest::from_csr(key, request, now())?)?;
    Ok((issued.is_new, issued.chain.len()))
}

#[test]
fn a_service_is_told_why_a_device_gets_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut pki, key) = pki(&dir.path().join("pki"));
    let first = request("gw-1");
    assert_eq!(sign(&pki, &key, &first).unwrap(), (true, 3));
    assert_eq!(sign(&pki, &key, &first).unwrap(), (false, 3));
    let other = sign(&pki, &key, &request("gw-1")).unwrap_err();
    assert!(matches!(other, NotIssued::Taken(_)), "{other:?}");
    let broken = sign(&pki, &key, b"no request").unwrap_err();
    assert!(matches!(broken, NotIssued::Refused(_)), "{broken:?}");

    let root = pki.ca("root").unwrap().unlock(&Password::new("ca")).unwrap();
    let id: DeviceId = "gw-1".parse().unwrap();
    assert!(pki.revoke(&id, Reason::Superseded, now()).unwrap().is_some());
    assert!(pki.revoke(&id, Reason::Superseded, now()).unwrap().is_none());
    assert_eq!(pki.revocation_list(&key, 30, now()).unwrap().revoked.len(), 1);
    assert!(pki.revocation_list(&root, 30, now()).unwrap().revoked.is_empty());
}

#[test]
fn an_error_says_what_the_one_in_it_says() {
    let refused = Certificate::from_der(b"none").unwrap_err();
    let sentence = refused.to_string();
    let error = Error::from(refused);
    assert_eq!((error.to_string(), error.fault()), (sentence, Fault::Input));
    // What is none is not made, so nothing further on has to ask.
    let refused = "no host".parse::<Host>().map_err(Error::from).unwrap_err();
    assert!(refused.to_string().contains("no host") && refused.hint().is_some(), "{refused}");
}

#[test]
fn a_faulty_list_issues_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut pki, key) = pki(&dir.path().join("pki"));
    let out = dir.path().join("out");
    let mut run = |csv: &str| {
        let list = DeviceList::from_csv("devices.csv", csv.as_bytes())?;
        let out = Destination::Directory(&out);
        Ok::<_, Error>(Batch::new(&key).run(&mut pki, list.without_faults()?, out, now())?.issued)
    };
    assert_eq!(run("id\ngw-1\ngw/2\n").unwrap_err().fault(), Fault::Input);
    assert_eq!(run("id\ngw-1\ngw-2\n").unwrap(), 2);
}

#[test]
fn a_ca_that_is_there_has_its_own_key() {
    let ca = InMemoryCa::new(&Name::parse("CN=Root").unwrap(), now()).unwrap();
    let key = PrivateKey::generate(KeyType::EcP256).unwrap();
    let refused = InMemoryCa::of(ca.certificate().clone(), key).unwrap_err();
    assert_eq!(Error::from(refused).fault(), Fault::Input);
}
