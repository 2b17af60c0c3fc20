//! What all connections share: the world, the list of connections, and the faults.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustls::{CertificateError, ServerConfig};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::answer::{Answer, Refusal};
use super::call::Call;
use super::clock::{self, iso};
use super::faults::{Fault, Faults, MqttFault};
use super::journal::{Connection, Journal};
use super::state::{Port, World};
use super::{SandboxError, auth, judge, routes, tls};
use crate::cert::Certificate;

/// What all connections share.
pub(super) struct Shared {
    world: Mutex<World>,
    journal: Mutex<Journal>,
    faults: Mutex<Dice>,
    /// How many seconds the `Date` of answers is ahead of the clock.
    date_off: AtomicI64,
    /// TLS that lists no CAs.
    silent: Arc<ServerConfig>,
    /// TLS that lists CAs, with their names.
    listing: Mutex<Option<Listing>>,
}

/// Names of CAs, and the TLS that lists them.
type Listing = (Vec<Vec<u8>>, Arc<ServerConfig>);

/// The faults, and how many requests and connections of MQTT were drawn for.
struct Dice {
    faults: Faults,
    requests: u64,
    connections: u64,
}

impl Dice {
    fn new(faults: Faults) -> Self {
        Self { faults, requests: 0, connections: 0 }
    }
}

/// A panic in one request is no reason to refuse the next.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(world: World, faults: Faults, silent: Arc<ServerConfig>) -> Self {
        Self {
            world: Mutex::new(world),
            journal: Mutex::default(),
            faults: Mutex::new(Dice::new(faults)),
            silent,
            listing: Mutex::default(),
            date_off: AtomicI64::new(0),
        }
    }

    pub(super) fn set_date_off(&self, seconds: i64) {
        self.date_off.store(seconds, Ordering::Relaxed);
    }

    /// Gives an answer a `Date` of its own if the clock is to look wrong to the client that asks; else the
    /// server writes the true one.
    fn dated(&self, answer: Answer, now: OffsetDateTime) -> Answer {
        match self.date_off.load(Ordering::Relaxed) {
            0 => answer,
            off => {
                let date = SystemTime::from(now + time::Duration::seconds(off));
                answer.with("Date", httpdate::fmt_http_date(date))
            }
        }
    }

    /// TLS for a connection of MQTT: it lists the CAs that are accepted now. The MQTT Service lists none.
    pub(super) fn mqtt_tls(
        self: &Arc<Self>,
        port: Port,
    ) -> Result<Arc<ServerConfig>, SandboxError> {
        let faults = lock(&self.faults).faults.tls;
        let judge = faults.alert.then(|| self.judge());
        if port == Port::Service && judge.is_none() {
            return Ok(Arc::clone(&self.silent));
        }
        let world = self.world();
        let names = world.trust_store();
        if faults.large_list || faults.foreign_list || judge.is_some() {
            return tls::listing(&world.identity, &names, faults, judge);
        }
        let mut known = lock(&self.listing);
        match &*known {
            Some((listed, config)) if *listed == names => Ok(Arc::clone(config)),
            _ => {
                let config = tls::listing(&world.identity, &names, faults, None)?;
                *known = Some((names, Arc::clone(&config)));
                Ok(config)
            }
        }
    }

    /// Judges chains in handshakes.
    fn judge(self: &Arc<Self>) -> tls::Judge {
        let shared = Arc::downgrade(self);
        Arc::new(move |chain| {
            let Some(shared) = shared.upgrade() else { return Ok(()) };
            let read = chain.iter().map(|der| Certificate::from_der(der).ok());
            let read: Option<Vec<Certificate>> = read.collect();
            let chain = read.ok_or(CertificateError::BadEncoding)?;
            judge::in_handshake(&shared.world(), &chain, clock::now())
        })
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        lock(&self.journal)
    }

    pub(super) fn set_faults(&self, faults: Faults) {
        *lock(&self.faults) = Dice::new(faults);
    }

    /// The tenants and the list of connections.
    pub(super) fn state(&self) -> Value {
        let (tenants, connected) = {
            let world = self.world();
            (world.view(usize::MAX), world.online.view(usize::MAX))
        };
        let journal = self.journal();
        json!({
            "tenants": tenants,
            "connected": connected,
            "connections": journal.all().collect::<Vec<_>>(),
            "requests": journal.requests(),
            "faulted": journal.faulted(),
        })
    }

    fn draw(&self) -> Option<Fault> {
        let mut dice = lock(&self.faults);
        dice.requests += 1;
        dice.faults.draw(dice.requests - 1)
    }

    /// What befalls a connection of MQTT.
    pub(super) fn draw_mqtt(&self) -> Option<MqttFault> {
        let mut dice = lock(&self.faults);
        dice.connections += 1;
        dice.faults.draw_mqtt(dice.connections - 1)
    }

    /// Answers a call of REST, and notes it.
    pub(super) fn answer(&self, call: &Call, port: &'static str) -> (Answer, Option<Fault>) {
        let fault = self.draw();
        let mut world = self.world();
        let result = match fault {
            Some(Fault::Unavailable) => Err(Refusal::unavailable()),
            Some(Fault::TooMany { .. }) => Err(Refusal::too_many()),
            _ => routes::answer(&mut world, call),
        };
        let (mut answer, reason) = match result {
            Ok(answer) => (answer, None),
            Err(refusal) => (refusal.answer(&world.site.management_url()), refusal.reason),
        };
        drop(world);
        if let Some(Fault::TooMany { retry_after }) = fault {
            answer = answer.with("Retry-After", retry_after.to_string());
        }
        let answer = self.dated(answer.held_to_accept(&call.method, &call.headers), call.now);
        self.journal().add(Connection {
            number: 0,
            at: iso(call.now),
            port,
            method: call.method.to_string(),
            path: call.path.clone(),
            status: answer.status,
            user: auth::claimed(&call.headers).or_else(|| common_name(call)),
            certificate: None,
            fault: fault.map(Fault::name),
            reason,
            refused: false,
        });
        (answer, fault)
    }
}

/// The device that a client certificate names.
fn common_name(call: &Call) -> Option<String> {
    call.certificate.as_ref()?.subject.common_name().map(str::to_owned)
}
