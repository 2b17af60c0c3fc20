//! What a device presents: order, names and the uploaded CA.

use super::super::testing::{NOW, Signed, basic_constraints};
use super::super::{DeviceFinding, Mistake, Options, check_device, verify};
use crate::cert::{Certificate, LongestChain, oid};
use crate::client_id::DeviceId;
use crate::failure::{Failure, Hint, Task};

fn codes(presented: &[&Certificate], uploaded: &[&Signed], id: &str) -> Vec<&'static str> {
    let presented: Vec<_> = presented.iter().map(|c| (*c).clone()).collect();
    let uploaded: Vec<_> = uploaded.iter().map(|s| s.cert.clone()).collect();
    let findings =
        check_device(&presented, &uploaded, &DeviceId::parse(id).unwrap(), LongestChain::CLOUD);
    findings.iter().map(DeviceFinding::code).collect()
}

#[test]
fn the_whole_device_chain_passes() {
    let root = Signed::root("CN=Root", |_| {});
    let a = root.ca("CN=A", |_| {});
    let leaf = a.leaf();
    assert_eq!(codes(&[&root.leaf(), &root.cert], &[&root], "device-1"), [""; 0]);
    let long = codes(&[&leaf, &a.cert, &root.cert], &[&root], "device-1");
    assert_eq!(long, ["proof-of-possession"]);
    assert_eq!(codes(&[&leaf, &a.cert], &[&a], "device-1"), [""; 0]);
    assert_eq!(codes(&[&leaf, &a.cert], &[], "device-1"), ["uploaded-ca-unknown"]);
}

#[test]
fn a_device_chain_without_the_uploaded_ca() {
    let root = Signed::root("CN=Root", |_| {});
    let a = root.ca("CN=A", |_| {});
    let leaf = a.leaf();
    assert_eq!(codes(&[&leaf], &[&a], "device-1"), ["leaf-only"]);
    assert_eq!(codes(&[&leaf], &[&root], "device-1"), ["uploaded-ca-missing"]);
    assert_eq!(codes(&[&leaf, &a.cert], &[&root], "device-1"), ["uploaded-ca-missing"]);
    let own = Signed::root("CN=device-1", |_| {});
    assert_eq!(codes(&[&own.cert], &[&own], "device-1"), [""; 0]);
    assert_eq!(codes(&[], &[&root], "device-1"), ["empty"]);
}

#[test]
fn a_renewed_ca_is_told_from_one_that_is_missing() {
    let root = Signed::root("CN=Root", |_| {});
    let a = root.ca("CN=A", |_| {});
    let later = root.ca_with_key("CN=A", a.key.clone(), |d| d.serial[1] ^= 1);
    let leaf = a.leaf();
    assert_eq!(codes(&[&leaf, &later.cert], &[&a], "device-1"), ["ca-renewed"]);
    // Its own certificate is there, too.
    assert_eq!(codes(&[&leaf, &later.cert], &[&a, &later], "device-1"), [""; 0]);
    // Another CA of the name is no renewal.
    let namesake = root.ca("CN=A", |_| {});
    assert_eq!(codes(&[&leaf, &a.cert], &[&namesake], "device-1"), ["uploaded-ca-missing"]);
}

#[test]
fn an_old_id_is_a_note() {
    let root = Signed::root("CN=Root", |_| {});
    let leaf = root.device("CN=two words", |_| {});
    let presented = [leaf, root.cert.clone()];
    let id = DeviceId::parse("two words").unwrap();
    let found =
        check_device(&presented, std::slice::from_ref(&root.cert), &id, LongestChain::CLOUD);
    assert!(
        matches!(found.as_slice(), [DeviceFinding::OldId(_)]) && found[0].is_note(),
        "{found:?}"
    );
}

#[test]
fn the_order_of_a_device_chain_is_that_of_signing() {
    let root = Signed::root("CN=Root", |_| {});
    let a = root.ca("CN=A", |_| {});
    let leaf = a.leaf();
    let presented = [leaf, root.cert.clone(), a.cert];
    let id = DeviceId::parse("device-1").unwrap();
    let uploaded = std::slice::from_ref(&root.cert);
    let findings = check_device(&presented, uploaded, &id, LongestChain::CLOUD);
    assert_eq!(findings[0].code(), "not-followed-by-issuer");
    assert_eq!(
        findings[0].hint(),
        Some(Hint::run("its issuer is the 3rd certificate, put them in order", Task::OrderChain))
    );
    let namesake = Signed::root("CN=Root", |_| {});
    assert_eq!(codes(&[&root.leaf(), &namesake.cert], &[&namesake], "device-1"), ["not-signed"]);
}

#[test]
fn the_common_name_of_a_device_chain_is_the_identifier() {
    let root = Signed::root("CN=Root", |_| {});
    let id = "Device-1";
    let found = |cn: &str, id: &str| {
        let leaf = root.device(&format!("CN={cn}"), |_| {});
        let presented = [leaf, root.cert.clone()];
        let id = DeviceId::parse(id).unwrap();
        let uploaded = std::slice::from_ref(&root.cert);
        let all = check_device(&presented, uploaded, &id, LongestChain::CLOUD);
        all.into_iter().find_map(|f| match f {
            DeviceFinding::CommonName { mistake, .. } => Some(mistake),
            _ => None,
        })
    };
    assert_eq!(found("Device-1", id), None);
    assert_eq!(found("d:Device-1", id), Some(Mistake::Prefix));
    assert_eq!(found("device-1", id), Some(Mistake::Case));
    assert_eq!(found("Device -1", id), Some(Mistake::WhiteSpace));
    assert_eq!(found("AA:BB:CC", "aabbcc"), Some(Mistake::Colons));
    assert_eq!(found("other", id), Some(Mistake::Other));
    let colon = root.device("CN=d:x", |_| {});
    assert_eq!(codes(&[&colon, &root.cert], &[&root], "x"), ["colon", "common-name"]);
    let nameless = root.device("O=Acme", |_| {});
    assert_eq!(codes(&[&nameless, &root.cert], &[&root], "x"), ["no-common-name"]);
}

#[test]
fn length_and_cas_of_a_device_chain() {
    let root = Signed::root("CN=Root", |_| {});
    let no_ca = root.ca("CN=A", |d| {
        d.set(oid::BASIC_CONSTRAINTS, true, basic_constraints(false, None));
    });
    assert_eq!(codes(&[&no_ca.leaf(), &no_ca.cert], &[&no_ca], "device-1"), ["not-a-ca"]);
    let mut all = vec![root];
    for i in 0..10 {
        let next = all[i].ca(&format!("CN=CA {i}"), |_| {});
        all.push(next);
    }
    let leaf = all[10].leaf();
    let ten: Vec<&Certificate> =
        std::iter::once(&leaf).chain(all.iter().rev().take(9).map(|s| &s.cert)).collect();
    assert_eq!(codes(&ten, &[&all[2]], "device-1"), ["proof-of-possession"]);
    let eleven: Vec<&Certificate> =
        std::iter::once(&leaf).chain(all.iter().rev().take(10).map(|s| &s.cert)).collect();
    assert_eq!(codes(&eleven, &[&all[1]], "device-1"), ["too-many", "proof-of-possession"]);
    // Another installation, another number; the path is validated up to it, too.
    let eleven: Vec<Certificate> = eleven.into_iter().cloned().collect();
    let id = DeviceId::parse("device-1").unwrap();
    let codes = |certificates: u8| -> Vec<&str> {
        let longest = LongestChain::new(certificates).unwrap();
        let all = check_device(&eleven, &eleven[10..], &id, longest);
        let path =
            verify(&eleven[0], &eleven[1..], &eleven[10..], &Options::new(NOW).up_to(longest));
        assert_eq!(path.is_ok(), certificates >= 11);
        all.iter().map(DeviceFinding::code).collect()
    };
    assert_eq!(codes(10), ["too-many", "proof-of-possession"]);
    assert_eq!(codes(11), ["proof-of-possession"]);
}
