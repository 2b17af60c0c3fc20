//! A device that stays connected: it registers itself, prints operations, and comes back when the
//! connection is lost. Its files are those of `c8y-pki device issue`.
//!
//! `cargo run -p c8y-pki --example device_connect -- out/gw-0001 acme.example.com`

#![allow(clippy::disallowed_macros, reason = "an example prints")]
#![allow(clippy::disallowed_methods, reason = "an example has arguments")]

use std::path::Path;
use std::time::Duration;

use c8y_pki::device::{Device, Event, Hello, Outgoing, Qos, smartrest};
use c8y_pki::tenant::Host;

/// The platform's port of MQTT over TLS.
const PORT: u16 = 8883;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(host)) = (arguments.next(), arguments.next()) else {
        return Err("give the directory of a device, and the host of its tenant".into());
    };
    let host: Host = host.parse()?;
    let device = Device::read(Path::new(&folder), None)?;

    let row = ["100", device.id().as_str(), "c8y_MQTTDevice"];
    let payload = smartrest(&[row])?.into_bytes();
    let qos = Qos::AtLeastOnce;
    let hello = Hello::new()
        .publish(Outgoing { topic: "s/us".to_owned(), payload, qos })
        .subscribe("s/ds", qos);

    let mut connection = device.connect_with(&host, PORT, hello);
    loop {
        match connection.next(Duration::from_secs(1))? {
            Event::Connected => println!("connected"),
            Event::Message(message) => println!("{}", String::from_utf8_lossy(&message.payload)),
            Event::Lost { error, pause } => println!("{error}; again in {pause:?}"),
            _ => {}
        }
    }
}
