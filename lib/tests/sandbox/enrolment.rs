//! The platform's own CA and its list of revocations, at the sandbox: a device is registered with a
//! one-time password, enrols, gets a token with its certificate, and renews with the token.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use c8y_pki_core::cert::{Certificate, LongestChain, Serial};
use c8y_pki_core::chain;
use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::crl::{Reason, Revoked};
use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::csr;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::name::Name;
use c8y_pki_core::secret::Password;
use c8y_pki_engine::platform::{
    Client, Login, PlatformError, Settings, crl, est, register, register::Outcome, register::Sheet,
};
use c8y_pki_sandbox::{self as sandbox, Faults, Sandbox};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;

use crate::wait;

const ID: &str = "gw-0001";
const OTP: &str = "one-Time-4711";

/// The crypto of this build, for requests that the client does not make.
fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    #[cfg(feature = "aws-lc-rs")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc-rs"))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}

struct Tenant(Sandbox);

impl Tenant {
    /// Without a CA.
    fn bare() -> Self {
        Self(Sandbox::start(sandbox::Settings::default()).unwrap())
    }

    /// With its own CA, and a device that may enrol once.
    fn new() -> Self {
        let tenant = Self::bare();
        let request = tenant.raw(None).post(tenant.0.url() + "/certificate-authority");
        let password = tenant.0.password().expose();
        let answer = request.basic_auth(tenant.0.user(), Some(password)).send().unwrap();
        assert_eq!(answer.status(), 201);
        tenant.register(ID, OTP);
        tenant
    }

    fn register(&self, id: &str, otp: &str) {
        let csv = format!("ID;AUTH_TYPE;ENROLLMENT_OTP\n{id};CERTIFICATES;{otp}\n");
        let sheet = Sheet::read("devices.csv", csv.as_bytes()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut results =
            register::results::Results::open(&dir.path().join("result.csv"), "t").unwrap();
        let pace = register::Pace { chunk: register::CHUNK, per_second: None };
        let (admin, stop) = (self.admin(), AtomicBool::new(false));
        let done =
            wait(register::upload(&admin, "d.csv", &sheet, &mut results, pace, &stop, &|_, _| ()));
        assert_eq!(done.unwrap().count(Outcome::Failed), 0);
    }

    fn root(&self) -> Certificate {
        Certificate::all_from_pem_or_der(self.0.ca_pem().as_bytes()).unwrap().remove(0)
    }

    fn client(&self, login: Login) -> Client {
        let settings = Settings { roots: vec![self.root()], ..Settings::new(self.0.url(), login) };
        Client::new(&settings).unwrap()
    }

    fn admin(&self) -> Client {
        self.client(Login::user(None, self.0.user(), self.0.password().clone()))
    }

    fn device(&self, id: &str, otp: &str) -> Client {
        self.client(Login::user(None, id, Password::new(otp)))
    }

    fn raw(&self, identity: Option<(&[Certificate], &PrivateKey)>) -> reqwest::blocking::Client {
        let der = |c: &Certificate| CertificateDer::from(c.der().to_vec());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(der(&self.root())).unwrap();
        let tls = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let tls = match identity {
            None => tls.with_no_client_auth(),
            Some((chain, key)) => {
                let key = PrivatePkcs8KeyDer::from(key.pkcs8().expose().to_vec());
                let chain = chain.iter().map(der).collect();
                tls.with_client_auth_cert(chain, PrivateKeyDer::from(key)).unwrap()
            }
        };
        reqwest::blocking::Client::builder().tls_backend_preconfigured(tls).build().unwrap()
    }

    /// A token for the device with that certificate.
    fn token(&self, chain: &[Certificate], key: &PrivateKey) -> Password {
        let url = self.0.mtls_url() + "/devicecontrol/deviceAccessToken";
        let request = self.raw(Some((chain, key))).post(url);
        let answer = request.header("Accept", "application/json").send().unwrap();
        let answer: Value = answer.json().unwrap();
        Password::new(answer["accessToken"].as_str().unwrap_or_else(|| panic!("{answer}")))
    }

    /// The platform's CA of this tenant.
    fn authority(&self) -> Certificate {
        let all = wait(c8y_pki_engine::platform::trusted::list(&self.admin())).unwrap();
        let own = all.iter().find(|c| c.tenant_certificate_authority).unwrap();
        own.certificate().unwrap()
    }

    fn enrolments(&self) -> usize {
        self.0.state()["tenants"]["t1001"]["enrolments"].as_array().unwrap().len()
    }
}

fn key() -> PrivateKey {
    PrivateKey::generate(KeyType::EcP256).unwrap()
}

fn request(id: &str, key: &PrivateKey) -> Vec<u8> {
    csr::make(&Name::builder().with("CN", id).unwrap().build().unwrap(), key).unwrap()
}

#[test]
fn a_device_enrols_connects_and_renews() {
    let tenant = Tenant::new();
    let (first_key, next_key) = (key(), key());
    let first = wait(est::enroll(&tenant.device(ID, OTP), &request(ID, &first_key))).unwrap();
    assert_eq!(first[0].spki, first_key.public_key().spki());

    let token = tenant.token(&first, &first_key);
    let device = tenant.client(Login::Token(token));
    let next = wait(est::reenroll(&device, &request(ID, &next_key))).unwrap();
    assert_eq!(next[0].spki, next_key.public_key().spki());
    assert_ne!(next[0].serial, first[0].serial);
    assert_eq!(tenant.enrolments(), 2);

    let authority = tenant.authority();
    for chain in [&first, &next] {
        let presented = [chain[0].clone(), authority.clone()];
        let anchors = [authority.clone()];
        let found = chain::check_device(
            &presented,
            &anchors,
            &DeviceId::parse(ID).unwrap(),
            LongestChain::CLOUD,
        );
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn a_one_time_password_is_good_once() {
    let tenant = Tenant::new();
    let csr = request(ID, &key());
    let refused = |id: &str, otp: &str| match wait(est::enroll(&tenant.device(id, otp), &csr)) {
        Err(PlatformError::OneTimePassword { device, .. }) => device,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(ID, "another-Secret-1"), ID);
    assert_eq!(refused("gw-0002", OTP), "gw-0002");
    let device = tenant.device(ID, OTP);
    // What the CA refuses does not use it up.
    let of_other = wait(est::enroll(&device, &request("gw-0002", &key())));
    assert!(matches!(of_other, Err(PlatformError::OneTimePassword { .. })), "{of_other:?}");
    let nonsense = wait(est::enroll(&device, b"\x30\x00"));
    assert!(matches!(nonsense, Err(PlatformError::Csr(_))), "{nonsense:?}");
    wait(est::enroll(&device, &csr)).unwrap();
    assert_eq!(refused(ID, OTP), ID);
    // The message has the device, never its password.
    let error = wait(est::enroll(&device, &csr)).unwrap_err();
    assert!(error.to_string().contains(ID) && !format!("{error:?}{error}").contains(OTP));
    tenant.register(ID, "a-New-one-0815");
    wait(est::enroll(&tenant.device(ID, "a-New-one-0815"), &csr)).unwrap();
    assert_eq!(tenant.enrolments(), 2);
}

#[test]
fn a_tenant_without_a_ca_says_so() {
    let tenant = Tenant::bare();
    tenant.register(ID, OTP);
    let none = wait(est::enroll(&tenant.device(ID, OTP), &request(ID, &key())));
    assert!(matches!(none, Err(PlatformError::Refused { status: 404, .. })), "{none:?}");
}

#[test]
fn an_enrolment_is_repeated_only_when_nothing_was_done() {
    let tenant = Tenant::new();
    let csr = request(ID, &key());
    let device = tenant.device(ID, OTP);
    // Sent, taken, and the answer lost: the password is used up, so it is not sent again.
    tenant.0.set_faults("drop=1".parse::<Faults>().unwrap());
    let lost = wait(est::enroll(&device, &csr));
    assert!(matches!(lost, Err(PlatformError::EnrolmentLost { .. })), "{lost:?}");
    assert_eq!(tenant.enrolments(), 1);
    tenant.0.set_faults(Faults::none());
    let used = wait(est::enroll(&device, &csr));
    assert!(matches!(used, Err(PlatformError::OneTimePassword { .. })), "{used:?}");

    // Not available for a while: nothing was done.
    tenant.register(ID, "a-New-one-0815");
    let repeated = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&repeated);
    let device = tenant.device(ID, "a-New-one-0815").on_retry(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    // The seed of which the first answers are faults, and then none.
    tenant.0.set_faults("503=0.6,seed=21".parse::<Faults>().unwrap());
    wait(est::enroll(&device, &csr)).unwrap();
    assert!(repeated.load(Ordering::Relaxed) >= 2, "{repeated:?}");
    assert_eq!(tenant.enrolments(), 2);
}

#[test]
fn revocations_go_up_in_pieces_and_come_down_as_a_list() {
    let tenant = Tenant::bare();
    let at = time::macros::datetime!(2026-01-17 10:48:51 UTC);
    let revoked = |n: u16| Revoked {
        serial: Serial::from_octets(&[[0x4a, 0], n.to_be_bytes()].concat()),
        at,
        reason: Reason::KeyCompromise,
    };
    let all: Vec<Revoked> = (0..5001).map(revoked).collect();
    let client = tenant.admin();
    assert!(wait(crl::download(&client)).unwrap().revoked.is_empty());
    for _ in 0..2 {
        wait(crl::upload(&client, &crl::requests(&all, at + time::Duration::days(30)))).unwrap();
        let mut found = wait(crl::download(&client)).unwrap().revoked;
        found.sort_by(|a, b| a.serial.cmp(&b.serial));
        let same = |(a, b): (&Revoked, &Revoked)| (&a.serial, a.at) == (&b.serial, b.at);
        assert_eq!(found.len(), all.len());
        assert!(found.iter().zip(&all).all(same));
    }
}
