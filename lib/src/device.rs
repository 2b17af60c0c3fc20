//! A device that connects over MQTT, from the files that were issued for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use c8y_pki_core::client_id::{ClientId, DeviceId};
use c8y_pki_core::secret::Password;
use c8y_pki_engine::device::connection::{self as engine, ConnectionError, Greeting, Policy};
use c8y_pki_engine::device::credentials::{Credentials, Files, Place};
use c8y_pki_engine::device::link::{Identity, Link, Target};
use c8y_pki_engine::device::mqtt::{ConnectOptions, Session};

pub use c8y_pki_engine::device::connection::{Event, Outgoing};
pub use c8y_pki_engine::device::mqtt::{Message, Qos};
pub use c8y_pki_engine::device::smartrest::write as smartrest;

use crate::Error;
use crate::tenant::Host;

/// The platform's port of MQTT over TLS.
const PORT: u16 = 8883;

/// A device: its key, what it presents, and whom it trusts.
#[derive(Debug, Clone)]
pub struct Device {
    id: DeviceId,
    credentials: Arc<Credentials>,
}

impl Device {
    /// Reads the directory of a device, as a batch makes it; the password is that of its keystore or of `key.pem`.
    ///
    /// Errors: files that are missing, do not fit together, or are closed by another password; a certificate whose
    /// common name is no device identifier.
    pub fn read(dir: &Path, password: Option<&Password>) -> Result<Self, Error> {
        let credentials = Credentials::read(&Files {
            place: Place::Bundle(dir),
            truststore: None,
            store_password: password,
            key_password: password,
        })?;
        Ok(Self { id: credentials.device()?, credentials: Arc::new(credentials) })
    }

    /// Its identifier, which is the common name of its certificate.
    pub fn id(&self) -> &DeviceId {
        &self.id
    }

    /// A connection that is made, and made again when it is lost; nothing is sent before [`Connection::next`].
    pub fn connect(&self, host: &Host) -> Connection {
        Connection::new(self, host, PORT, Vec::new())
    }

    /// The same to another port, with what each session begins with: messages, and topics to hear of.
    pub fn connect_with(&self, host: &Host, port: u16, hello: Hello) -> Connection {
        Connection::new(self, host, port, hello.0)
    }
}

/// What each session begins with, in this order.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Hello(Vec<Greeting>);

impl Hello {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Publishes a message.
    pub fn publish(mut self, message: Outgoing) -> Self {
        self.0.push(Greeting::Publish(message));
        self
    }

    /// Subscribes to a topic.
    pub fn subscribe(mut self, topic: &str, qos: Qos) -> Self {
        self.0.push(Greeting::Subscribe(vec![(topic.to_owned(), qos)]));
        self
    }
}

type Opener = Box<dyn FnMut() -> Result<Session<Link>, ConnectionError> + Send>;

/// A session that comes back when it is lost, and keeps what is to be sent until it is acknowledged.
pub struct Connection(engine::Connection<Link, Opener>);

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Connection {
    fn new(device: &Device, host: &Host, port: u16, greeting: Vec<Greeting>) -> Self {
        let target = Target { host: host.name().to_owned(), port };
        let options = ConnectOptions::new(ClientId::of_device(device.id.clone()));
        let credentials = Arc::clone(&device.credentials);
        let open = move || engine::open(&target, Identity::Certificate(&credentials), &options);
        Self(engine::Connection::new(Box::new(open), Policy { greeting, ..Policy::default() }))
    }

    /// Does what is due, and tells what happened within that time.
    ///
    /// Errors: there is no session, and no prospect of one.
    pub fn next(&mut self, wait: Duration) -> Result<Event, Error> {
        Ok(self.0.next(wait)?)
    }

    /// Puts a message behind those that wait.
    pub fn publish(&mut self, message: Outgoing) {
        self.0.publish(message);
    }

    /// Messages that wait to be sent, or to be acknowledged.
    pub fn waiting(&self) -> usize {
        self.0.waiting()
    }

    /// Whether there is a session.
    pub fn is_up(&self) -> bool {
        self.0.is_up()
    }

    /// Says goodbye.
    pub fn disconnect(self) -> Result<(), Error> {
        Ok(self.0.disconnect()?)
    }
}
