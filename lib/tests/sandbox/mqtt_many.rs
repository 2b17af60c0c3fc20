//! Two thousand devices connected to the sandbox at once, each served; fewer where a process may not
//! open so many files.
#![cfg(target_os = "linux")]

use crate::client::*;
use crate::mqtt_client::*;
use c8y_pki_core::crypto::KeyType;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

const DEVICES: u64 = 2000;
/// Files for other things. Both ends of each connection are in this process.
const OTHERS: u64 = 100;

#[test]
fn two_thousand_devices() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let devices = usize::try_from(DEVICES.min((most - OTHERS) / 2)).unwrap();
    setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum }).unwrap();
    let sandbox = start();
    let root = root(KeyType::EcP256, "Root");
    let fingerprint = trust(&sandbox, &root.0);
    let path = format!("{TRUSTED}/{fingerprint}");
    let change = json!({ "autoRegistrationEnabled": true });
    call(&sandbox, "PUT", &path).admin().json(&change).send().expect(200);

    let connect = |number: usize| {
        let id = format!("gw-{number}");
        let pair = device(&id, &root);
        let mut client = Mqtt::over(&sandbox, tls(&sandbox, Some((&[&pair.0], &pair.1))));
        assert_eq!(client.connect(&of(&format!("d:{id}"))), Some(0), "{id}");
        assert_eq!(client.subscribe("s/ds", 1), 1);
        client
    };
    let mut clients: Vec<Mqtt> = (0..devices).map(connect).collect();
    let state = sandbox.state();
    assert_eq!(state["connected"].as_array().unwrap().len(), devices);
    for number in 0..devices {
        assert!(sandbox.send_operation(&format!("gw-{number}"), &format!("510,gw-{number}")));
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.expect(0x32)[8..], *format!("510,gw-{number}").as_bytes());
        client.ping();
    }
    drop(clients);
    until(|| (sandbox.state()["connected"] == json!([])).then_some(()));
}
