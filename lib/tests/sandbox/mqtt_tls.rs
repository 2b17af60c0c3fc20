//! The handshake of MQTT: the CAs that it lists, and what goes wrong in it on purpose.

use std::sync::{Arc, Mutex};

use crate::client::*;
use crate::mqtt_client::{Mqtt, of};
use c8y_pki_core::crypto::KeyType;
use c8y_pki_sandbox::{Sandbox, Settings};
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme};

/// Presents nothing, and keeps the names that it is told.
#[derive(Debug, Default)]
struct Listener(Mutex<Option<Vec<Vec<u8>>>>);

impl ResolvesClientCert for Listener {
    fn resolve(&self, names: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        *self.0.lock().unwrap() = Some(names.iter().map(|name| name.to_vec()).collect());
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The names that a port lists.
fn listed(sandbox: &Sandbox, port: u16) -> Vec<Vec<u8>> {
    let listener = Arc::new(Listener::default());
    let mut config: ClientConfig = Arc::unwrap_or_clone(tls(sandbox, None));
    config.client_auth_cert_resolver = Arc::clone(&listener) as Arc<dyn ResolvesClientCert>;
    Mqtt::at(port, Arc::new(config)).handshake().unwrap();
    listener.0.lock().unwrap().take().unwrap()
}

#[test]
fn the_accepted_cas_are_listed() {
    let sandbox = start_with(Settings { mqtt_service_port: Some(0), ..Settings::default() });
    assert_eq!(listed(&sandbox, sandbox.mqtt_port()), Vec::<Vec<u8>>::new());
    let [a, b] = ["A", "B"].map(|name| root(KeyType::EcP256, name).0);
    trust(&sandbox, &a);
    let aside = format!("{TRUSTED}?addToTrustStore=false");
    call(&sandbox, "POST", &aside).admin().json(&upload(&b)).send().expect(201);
    assert_eq!(listed(&sandbox, sandbox.mqtt_port()), [a.subject.der()]);
    assert_eq!(listed(&sandbox, sandbox.mqtt_service_port().unwrap()), Vec::<Vec<u8>>::new());
    sandbox.set_faults("foreign-ca-list".parse().unwrap());
    let others = listed(&sandbox, sandbox.mqtt_port());
    assert!(!others.is_empty() && !others.iter().any(|name| name == a.subject.der()));
}

#[test]
fn a_list_that_is_too_large_for_rustls() {
    let sandbox = start();
    sandbox.set_faults("large-ca-list".parse().unwrap());
    let error = Mqtt::over(&sandbox, tls(&sandbox, None)).handshake().unwrap_err();
    assert!(error.to_string().contains("HandshakePayloadTooLarge"), "{error}");
}

#[test]
fn an_alert_in_place_of_a_connack() {
    let sandbox = start();
    let ca = root(KeyType::EcP256, "Root");
    let gateway = device("gw-1", &ca);
    sandbox.set_faults("tls-alert".parse().unwrap());
    let over = || {
        let chain = [&gateway.0, &ca.0];
        Mqtt::over(&sandbox, tls(&sandbox, Some((&chain, &gateway.1))))
    };
    let error = over().handshake().unwrap_err();
    assert!(error.to_string().contains("UnknownCA"), "{error}");
    trust(&sandbox, &ca.0);
    // A good chain is judged further when the CONNECT has come.
    assert_eq!(over().connect(&of("gw-1")), Some(5));
}

#[test]
fn a_server_certificate_as_on_edge() {
    let faults = "self-signed".parse().unwrap();
    let sandbox = start_with(Settings { faults, ..Settings::default() });
    let all =
        c8y_pki_core::cert::Certificate::all_from_pem_or_der(sandbox.ca_pem().as_bytes()).unwrap();
    assert!(all[0].is_ca() && all[0].subject.matches(&all[0].issuer));
    let error = Mqtt::over(&sandbox, tls(&sandbox, None)).handshake().unwrap_err();
    assert!(error.to_string().contains("CaUsedAsEndEntity"), "{error}");
}
