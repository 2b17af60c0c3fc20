//! A device that stays connected: it registers itself, prints operations, and comes back when the
//! connection is lost. Its files are those of `c8y-pki device issue`.
//!
//! `cargo run -p c8y-pki --example device_connect -- out/gw-0001 acme.example.com`

#![allow(clippy::disallowed_macros, reason = "an example prints")]
#![allow(clippy::disallowed_methods, reason = "an example has arguments")]

use std::path::PathBuf;
use std::time::Duration;

use c8y_pki::client_id::ClientId;
use c8y_pki::device::connection::{self, Connection, Event, Greeting, Outgoing, Policy};
use c8y_pki::device::credentials::{Credentials, Files, Place};
use c8y_pki::device::link::{Identity, Target};
use c8y_pki::device::mqtt::{ConnectOptions, Qos};
use c8y_pki::device::smartrest::message::{MQTT_DEVICE, Upstream};
use c8y_pki::device::smartrest::{self, OPERATIONS, PUBLISH};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(host)) = (arguments.next(), arguments.next()) else {
        return Err("give the directory of a device, and the host of its tenant".into());
    };
    let folder = PathBuf::from(folder);
    let credentials = Credentials::read(&Files {
        place: Place::Bundle(&folder),
        truststore: None,
        store_password: None,
        key_password: None,
    })?;
    let device = credentials.device()?;

    let name = device.to_string();
    let row = Upstream::Device { name, device_type: MQTT_DEVICE.to_owned() }.row();
    let (topic, qos) = (PUBLISH.to_owned(), Qos::AtLeastOnce);
    let payload = smartrest::write(&[row])?.into_bytes();
    let greeting = vec![
        Greeting::Publish(Outgoing { topic, payload, qos }),
        Greeting::Subscribe(vec![(OPERATIONS.to_owned(), qos)]),
    ];

    let target = Target { host, port: 8883 };
    let options = ConnectOptions::new(ClientId::of_device(device));
    let open = || connection::open(&target, Identity::Certificate(&credentials), &options);
    let mut connection = Connection::new(open, Policy { greeting, ..Policy::default() });
    loop {
        match connection.next(Duration::from_secs(1))? {
            Event::Connected => println!("connected"),
            Event::Message(message) => println!("{}", String::from_utf8_lossy(&message.payload)),
            Event::Lost { error, pause } => println!("{error}; again in {pause:?}"),
            _ => {}
        }
    }
}
