//! Files that are replaced while the service runs: its certificate and key, the one-time passwords, and the clients of
//! the API, whose issuers are named in the handshake.

use std::path::PathBuf;
use std::sync::Arc;

use super::error::ServeError;
use super::identity::Identity;
use super::limits::LOOK;
use super::log::Entry;
use super::passwords::Passwords;
use super::state::Shared;
use super::tls::Tls;
use super::tokens;
use crate::clock::rfc3339;
use crate::failure::Failure;
use crate::files::Stamp;
use crate::pki::Pki;

/// What is looked at.
pub(super) struct Watched {
    identity: (Identity, Vec<Option<Stamp>>),
    passwords: Option<(PathBuf, Option<Stamp>)>,
    clients: Option<Stamp>,
}

impl Watched {
    /// As the files are now: before they are read.
    pub(super) fn new(pki: &Pki, identity: Identity, passwords: Option<PathBuf>) -> Self {
        let stamps = stamps(&identity);
        let passwords = passwords.map(|path| {
            let stamp = Stamp::of(&path);
            (path, stamp)
        });
        Self { identity: (identity, stamps), passwords, clients: tokens::stamp(pki) }
    }

    /// Takes in what was replaced since the last look; tells of it.
    fn look(&mut self, shared: &Shared, tls: &Tls) -> Vec<Entry> {
        let mut told = Vec::new();
        let clients = tokens::stamp(&shared.pki);
        if self.clients != clients {
            self.clients = clients;
            tls.name_again(&shared.pki);
        }
        let (identity, seen) = &mut self.identity;
        let found = stamps(identity);
        if *seen != found {
            *seen = found;
            let loaded = identity.load(shared.now());
            told.push(entry(
                shared,
                "certificate",
                loaded.map(|new| shared.presented.replace(new)),
            ));
        }
        if let Some((path, seen)) = &mut self.passwords {
            let found = Stamp::of(path);
            if *seen != found {
                *seen = found;
                let read = Passwords::read(path);
                told.push(entry(
                    shared,
                    "passwords",
                    read.map(|new| shared.replace_passwords(new)),
                ));
            }
        }
        told
    }
}

fn stamps(identity: &Identity) -> Vec<Option<Stamp>> {
    vec![Stamp::of(&identity.chain), Stamp::of(&identity.key)]
}

fn entry(shared: &Shared, what: &'static str, done: Result<(), ServeError>) -> Entry {
    let at = rfc3339(shared.now());
    match done {
        Ok(()) => Entry::Reloaded { at, what },
        Err(e) => {
            let hint = e.hint().map(|hint| hint.to_string());
            Entry::NotReloaded { at, what, reason: e.to_string(), hint }
        }
    }
}

/// Looks at them until the runtime ends.
pub(super) async fn watch(
    mut watched: Watched,
    (shared, tls): (Arc<Shared>, Arc<Tls>),
    log: tokio::sync::mpsc::Sender<Entry>,
) {
    loop {
        tokio::time::sleep(LOOK).await;
        let (worker, tls) = (Arc::clone(&shared), Arc::clone(&tls));
        let looked = tokio::task::spawn_blocking(move || {
            let told = watched.look(&worker, &tls);
            (watched, told)
        });
        let Ok((next, told)) = looked.await else { return };
        watched = next;
        for entry in told {
            if log.send(entry).await.is_err() {
                return;
            }
        }
    }
}
