//! A connection to PostgreSQL: its statements and cursors, and how a lost server is found again.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use postgres::types::ToSql;
use postgres::{Client, Row, Statement};
use thread_local::ThreadLocal;

use super::address::Address;
use super::failure::{error, is_lost, may_come_back};
use crate::registry::database::again;
use crate::registry::database::value::{Fetched, Value};
use crate::registry::{RegistryError, Result};

/// How long a lost server is waited for, and how long a station waits for another one's transaction.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// The first pause between two attempts to find the server; it doubles up to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Rows that a cursor brings at a time.
const PORTION: usize = 500;

/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 200;

/// What each connection begins with. A station that stands still with the log's head locked is thrown out, and the
/// others do not wait for longer.
const SET_UP: &str = "
SET search_path = c8y_pki, pg_catalog;
SET lock_timeout = '60s';
SET idle_in_transaction_session_timeout = '60s';
SET statement_timeout = 0;
SET client_min_messages = warning;
SET default_transaction_isolation = 'read committed';
SET synchronous_commit = on";

/// A connection for each thread, to one server.
#[derive(Debug)]
pub(in crate::registry) struct Links {
    server: Arc<Server>,
    of_threads: ThreadLocal<Link>,
}

/// The server of a registry, as all its connections know it.
#[derive(Debug)]
struct Server {
    address: Address,
    /// Whether it has answered before: then it is waited for when it is lost.
    was_there: AtomicBool,
    /// Whether it was told that it is waited for.
    is_told: AtomicBool,
}

impl Links {
    /// None yet; each thread connects when it asks. A server that was there before, when others had the registry open,
    /// is waited for.
    pub(in crate::registry) fn new(address: Address, was_there: bool) -> Self {
        let (was_there, is_told) = (AtomicBool::new(was_there), AtomicBool::new(false));
        let server = Arc::new(Server { address, was_there, is_told });
        Self { server, of_threads: ThreadLocal::new() }
    }

    /// The connection of this thread; it connects when it is first used.
    pub(in crate::registry) fn of_thread(&self) -> &Link {
        self.of_threads.get_or(|| Link {
            server: Arc::clone(&self.server),
            client: RefCell::new(None),
            statements: RefCell::new(HashMap::new()),
            is_open: Cell::new(false),
            cursors: Cell::new(0),
        })
    }
}

/// A connection of one thread.
pub(in crate::registry) struct Link {
    server: Arc<Server>,
    client: RefCell<Option<Client>>,
    statements: RefCell<HashMap<String, Statement>>,
    /// Whether a transaction is open: then nothing is repeated, and no other is begun.
    is_open: Cell<bool>,
    cursors: Cell<u64>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({})", self.server.address)
    }
}

impl Link {
    /// Does something on the connection. Outside of transactions it is done again if the connection is lost, so it
    /// must be the same if it is done twice.
    pub(super) fn with<T>(
        &self,
        name: &Path,
        mut run: impl FnMut(
            &mut Client,
            &mut HashMap<String, Statement>,
        ) -> std::result::Result<T, postgres::Error>,
    ) -> Result<T> {
        let mut given_up = None;
        loop {
            self.connect(name)?;
            let mut client = self.client.borrow_mut();
            let Some(client) = client.as_mut() else { continue };
            match run(client, &mut self.statements.borrow_mut()) {
                Ok(done) => return Ok(done),
                Err(e) if is_lost(&e) && self.is_open.get() => return Err(not_done(name)),
                Err(e) if is_lost(&e) => {
                    // A server that is going down takes connections that it does not keep.
                    let end = *given_up.get_or_insert_with(|| Instant::now() + PATIENCE);
                    if Instant::now() > end {
                        return Err(error(name, e));
                    }
                    std::thread::sleep(PAUSES.0);
                }
                Err(e) => return Err(error(name, e)),
            }
        }
    }

    /// Connects, if it is not. A server that was there, for whatever thread, is waited for.
    fn connect(&self, name: &Path) -> Result<()> {
        if self.client.borrow().as_ref().is_some_and(|client| !client.is_closed()) {
            return Ok(());
        }
        if self.is_open.get() {
            return Err(not_done(name));
        }
        self.statements.borrow_mut().clear();
        *self.client.borrow_mut() = None;
        let (given_up, mut pause) = (Instant::now() + PATIENCE, PAUSES.0);
        let server = &self.server;
        loop {
            match server.address.connect(SET_UP) {
                Ok(client) => {
                    *self.client.borrow_mut() = Some(client);
                    server.was_there.store(true, Ordering::Relaxed);
                    server.is_told.store(false, Ordering::Relaxed);
                    return Ok(());
                }
                Err(e)
                    if server.was_there.load(Ordering::Relaxed)
                        && may_come_back(&e)
                        && Instant::now() + pause < given_up =>
                {
                    if !server.is_told.swap(true, Ordering::Relaxed) {
                        server.address.tell_waiting(PATIENCE);
                    }
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(PAUSES.1);
                }
                Err(e) => return Err(error(name, e)),
            }
        }
    }

    /// Statements without values, in one round trip.
    pub(super) fn batch(&self, name: &Path, sql: &str) -> Result<()> {
        self.with(name, |client, _| client.batch_execute(sql))
    }

    pub(in crate::registry) fn execute(
        &self,
        name: &Path,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<usize> {
        let changed = self.with(name, |client, known| {
            let statement = prepared(client, known, sql)?;
            client.execute(&statement, &references(values))
        })?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    pub(in crate::registry) fn query(
        &self,
        name: &Path,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>> {
        self.with(name, |client, known| {
            let statement = prepared(client, known, sql)?;
            client.query(&statement, &references(values))
        })
    }

    /// Visits the rows of a statement, which a cursor brings in portions: others can be asked meanwhile.
    pub(in crate::registry) fn each<E: From<RegistryError>>(
        &self,
        name: &Path,
        sql: &str,
        values: &[Value<'_>],
        visit: &mut dyn FnMut(&Fetched<'_>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let number = self.cursors.replace(self.cursors.get() + 1);
        let declare = format!("DECLARE c{number} NO SCROLL CURSOR FOR {}", numbered(sql));
        let fetch = format!("FETCH FORWARD {PORTION} FROM c{number}");
        let begin = || {
            let moment = match self.is_open.get() {
                true => None,
                false => Some(self.moment(name)?),
            };
            self.with(name, |client, _| client.execute(&declare, &references(values)))?;
            let fetch = self.with(name, |client, _| client.prepare(&fetch))?;
            let rows = self.with(name, |client, _| client.query(&fetch, &[]))?;
            Ok((moment, fetch, rows))
        };
        // Once a row was visited, another moment would not fit to it.
        let (_moment, fetch, mut rows) = again(begin)?;
        loop {
            for row in &rows {
                visit(&Fetched::postgres(row, name))?;
            }
            if rows.len() < PORTION {
                self.batch(name, &format!("CLOSE c{number}"))?;
                return Ok(());
            }
            rows = self.with(name, |client, _| client.query(&fetch, &[]))?;
        }
    }

    /// Until it is dropped, all that is asked is told as it is now.
    pub(in crate::registry) fn moment(&self, name: &Path) -> Result<ReadMoment<'_>> {
        if self.is_open.get() {
            return Err(self.nested(name));
        }
        // Who looks on may take his time between two rows.
        self.batch(
            name,
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
             SET LOCAL idle_in_transaction_session_timeout = 0",
        )?;
        self.is_open.set(true);
        Ok(ReadMoment { link: self })
    }

    fn nested(&self, name: &Path) -> RegistryError {
        let reason = "a transaction is open in this thread already".into();
        RegistryError::Database { path: name.display().to_string(), reason }
    }

    /// Begins a transaction that changes something.
    pub(super) fn begin(&self, name: &Path, sql: &str) -> Result<()> {
        if self.is_open.get() {
            return Err(self.nested(name));
        }
        self.batch(name, sql).inspect_err(|_| self.end())?;
        self.is_open.set(true);
        Ok(())
    }

    pub(super) fn is_in_transaction(&self) -> bool {
        self.is_open.get()
    }

    /// A transaction is over by itself.
    pub(super) fn is_over(&self) {
        self.is_open.set(false);
    }

    /// Ends a transaction; what it has changed is taken back. A lost connection has done so.
    pub(super) fn end(&self) {
        if let Some(client) = self.client.borrow_mut().as_mut()
            && !client.is_closed()
        {
            let _ = client.batch_execute("ROLLBACK");
        }
        self.is_open.set(false);
    }
}

/// A moment of the database; it ends when this is dropped.
#[derive(Debug)]
pub(in crate::registry) struct ReadMoment<'r> {
    link: &'r Link,
}

impl Drop for ReadMoment<'_> {
    fn drop(&mut self) {
        self.link.end();
    }
}

/// A transaction ends with its connection: what it has changed is taken back.
fn not_done(name: &Path) -> RegistryError {
    RegistryError::NotDone { path: name.display().to_string() }
}

fn prepared(
    client: &mut Client,
    known: &mut HashMap<String, Statement>,
    sql: &str,
) -> std::result::Result<Statement, postgres::Error> {
    if let Some(statement) = known.get(sql) {
        return Ok(statement.clone());
    }
    let statement = client.prepare(&numbered(sql))?;
    if known.len() >= STATEMENTS {
        known.clear();
    }
    known.insert(sql.to_owned(), statement.clone());
    Ok(statement)
}

fn references<'v>(values: &'v [Value<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// A statement with PostgreSQL's numbers of values: `$1` for `?1`, and the next number for `?` alone. Texts in our
/// statements hold no question mark.
fn numbered(sql: &str) -> String {
    let mut numbered = String::with_capacity(sql.len());
    let (mut next, mut rest) = (1, sql);
    while let Some(at) = rest.find('?') {
        numbered.push_str(&rest[..at]);
        numbered.push('$');
        rest = &rest[at + 1..];
        if !rest.starts_with(|c: char| c.is_ascii_digit()) {
            numbered.push_str(&next.to_string());
            next += 1;
        }
    }
    numbered.push_str(rest);
    numbered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_get_their_numbers() {
        assert_eq!(numbered("a = ?1 AND b = ?2 AND c = ?1"), "a = $1 AND b = $2 AND c = $1");
        assert_eq!(numbered("a = ? AND b < ?"), "a = $1 AND b < $2");
        assert_eq!(numbered("SELECT 1"), "SELECT 1");
    }
}
