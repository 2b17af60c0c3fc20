//! Chains through the public interface, with the certificates of the OpenSSL recipe: RSA 4096,
//! key usage not critical, path length 10.

use c8y_pki_core::cert::{Certificate, LongestChain};
use c8y_pki_core::chain::{
    ChainError, DeviceFinding, LeafChoice, Options, Purpose, check_device, order, verify,
};
use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::failure::Failure;
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2027-01-01 00:00:00 UTC);

fn read(pem: &str) -> Certificate {
    Certificate::all_from_pem_or_der(pem.as_bytes()).unwrap().remove(0)
}

fn ca() -> Certificate {
    read(include_str!("data/openssl-recipe/ca.pem"))
}

fn intermediate() -> Certificate {
    read(include_str!("data/openssl-recipe/intermediate.pem"))
}

fn device() -> Certificate {
    read(include_str!("data/openssl-recipe/device.pem"))
}

#[test]
fn the_recipe_verifies_from_either_anchor() {
    let options = Options::new(NOW);
    let chain = verify(&device(), &[intermediate()], &[ca()], &options).unwrap();
    assert_eq!(chain.certificates(), [device(), intermediate(), ca()]);
    let chain = verify(&device(), &[ca()], &[intermediate()], &options).unwrap();
    assert_eq!(chain.into_certificates(), [device(), intermediate()]);
    verify(&intermediate(), &[], &[ca()], &options).unwrap();
    let server = Options { purpose: Purpose::ServerAuth, ..options };
    verify(&device(), &[intermediate()], &[ca()], &server).unwrap();
}

#[test]
fn the_recipe_without_its_intermediate_says_so() {
    let error = verify(&device(), &[], &[ca()], &Options::new(NOW)).unwrap_err();
    assert!(matches!(error, ChainError::Refused(_)));
    assert_eq!(
        error.to_string(),
        "the 1st certificate (CN=device-0001,O=Example IoT GmbH,C=DE) was issued by \
         CN=Example Intermediate CA,OU=Devices,O=Example IoT GmbH,ST=NRW,C=DE; no certificate of \
         that name is there (RFC 5280, 6.1)"
    );
    assert!(error.hint().is_some());
}

#[test]
fn the_recipe_expires() {
    let options = Options::new(datetime!(2028-01-01 00:00:00 UTC));
    let error = verify(&device(), &[intermediate()], &[ca()], &options).unwrap_err();
    assert_eq!(error.refusal().map(|r| (r.position, r.rule.code())), Some((0, "expired")));
}

#[test]
fn the_recipe_is_put_in_order_and_judged_as_a_device() {
    let heap = [ca(), device(), intermediate(), ca()];
    let chain = order(&heap, LeafChoice::Only).unwrap();
    assert_eq!(chain.certificates, [device(), intermediate(), ca()]);
    let id = DeviceId::parse("device-0001").unwrap();
    let findings = check_device(&chain.certificates, &[ca()], &id, LongestChain::CLOUD);
    assert_eq!(findings, [DeviceFinding::ProofOfPossession(3)]);
    let shuffled = check_device(&heap, &[ca()], &id, LongestChain::CLOUD);
    assert!(shuffled.iter().any(|f| f.code() == "not-followed-by-issuer"));
    let json = serde_json::to_value(&findings).unwrap();
    assert_eq!(json[0]["severity"], "note");
}
