//! Starts and stops all of it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::timeout;

use super::error::ServeError;
use super::identity::{Identity, Presented};
use super::limits;
use super::listen::Door;
use super::log::Entry;
use super::passwords::Passwords;
use super::state::Shared;
use super::tls::Tls;
use super::usual::Usual;
use super::watch::{Watched, watch as look};
use crate::clock::rfc3339;
use crate::pki::{CaKey, Pki, want_kind};
use crate::profile::Kind;

/// What the service is to be.
#[derive(Debug)]
pub struct Settings {
    /// The PKI directory.
    pub pki: Pki,
    /// The key of the CA that signs.
    pub key: CaKey,
    /// Where it listens; with port 0 the system chooses one.
    pub listen: SocketAddr,
    /// Its own certificate.
    pub identity: Identity,
    /// A list with one-time passwords, besides those of orders.
    pub passwords: Option<PathBuf>,
    /// How certificates are made unless an order says something else.
    pub usual: Usual,
    /// Whether the page for the person at the line is there.
    pub page: bool,
    /// The clock, which was believed just now.
    pub clock: fn() -> OffsetDateTime,
}

/// A service that listens. It has threads of its own.
pub struct Service {
    runtime: Runtime,
    address: SocketAddr,
    log: mpsc::Receiver<Entry>,
    stop: watch::Sender<bool>,
    places: Arc<Semaphore>,
    /// Held until the threads are gone: connections to PostgreSQL are closed where a thread may wait, and none of the
    /// runtime's may.
    _shared: Arc<Shared>,
}

impl Service {
    /// Starts it: from here on it answers.
    ///
    /// Errors: its files cannot be read or do not fit; a profile that is not for devices; the address cannot be listened
    /// on; no such CA.
    pub fn start(settings: Settings) -> Result<Self, ServeError> {
        let Settings { pki, key, listen, identity, passwords, usual, page, clock } = settings;
        want_kind(&usual.profile, Kind::Device)?;
        let watched = Watched::new(&pki, identity.clone(), passwords.clone());
        let presented = Arc::new(Presented::new(identity.load(clock())?));
        let passwords = passwords.as_deref().map(Passwords::read).transpose()?.unwrap_or_default();
        let ca = pki.ca(key.ca())?;
        let tls = Tls::new(&pki, &ca.chain, (identity.chain.clone(), Arc::clone(&presented)))?;
        let tls = Arc::new(tls);
        let shared = Arc::new(Shared::new((pki, key), (usual, page), passwords, presented, clock));

        let mut threads = Builder::new_multi_thread();
        // Those that wait for the disk, and one that looks at files.
        threads.worker_threads(2).max_blocking_threads(limits::TURNS + 1).enable_all();
        let runtime = threads.build().map_err(ServeError::Threads)?;
        let failed = |source| ServeError::Listen { address: listen, source };
        let listener = runtime.block_on(TcpListener::bind(listen)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (log, entries) = mpsc::channel(limits::LINES);
        let (stop, stopping) = watch::channel(false);
        let places = Arc::new(Semaphore::new(limits::CONNECTIONS));
        let door = Door {
            shared: Arc::clone(&shared),
            tls: Arc::clone(&tls),
            turns: Arc::new(Semaphore::new(limits::TURNS)),
            places: Arc::clone(&places),
            log: log.clone(),
            stop: stopping,
        };
        let (at, ca) = (rfc3339(shared.now()), ca.name);
        // There is room for one.
        let _ = log.try_send(Entry::Listening { at, address, ca });
        runtime.spawn(door.accept(listener));
        runtime.spawn(look(watched, (Arc::clone(&shared), tls), log));
        Ok(Self { runtime, address, log: entries, stop, places, _shared: shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next entry of its log, if there is one within that time. The one who runs the service has to ask again and
    /// again: requests wait for the log.
    pub fn next_entry(&mut self, within: Duration) -> Option<Entry> {
        let next = async { timeout(within, self.log.recv()).await.ok().flatten() };
        self.runtime.block_on(next)
    }

    /// Accepts nothing more, finishes what is under way, for some seconds at most, and hands over the rest of its
    /// log.
    pub fn stop(mut self, mut tell: impl FnMut(Entry)) {
        // Connections that are gone need not be told.
        let _ = self.stop.send(true);
        let all = u32::try_from(limits::CONNECTIONS).unwrap_or(u32::MAX);
        let done = async {
            let finished = self.places.acquire_many(all);
            tokio::pin!(finished);
            loop {
                tokio::select! {
                    _ = finished.as_mut() => return,
                    Some(entry) = self.log.recv() => tell(entry),
                }
            }
        };
        let _ = self.runtime.block_on(async { timeout(limits::FINISH, done).await });
        while let Ok(entry) = self.log.try_recv() {
            tell(entry);
        }
        // What is being recorded is whole or was not there: a transaction.
        self.runtime.shutdown_timeout(Duration::from_secs(1));
    }
}
