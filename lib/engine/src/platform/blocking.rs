//! The same client for programs without a runtime: each call is waited for.

use std::collections::HashMap;
use std::future::Future;
use std::ops::Deref;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use rustls::ClientConfig;
use tokio::runtime::{Builder, Handle, Runtime};

use super::standing::{self, ChainVerdict, Standing};
use super::transport::Transport;
use super::{PlatformError, Settings, http, token};
use crate::cert::Certificate;
use crate::secret::Password;

/// A [client](http::Client) with a runtime of its own, for threads that may wait.
///
/// The calls of [`platform`](super) are futures; [`wait`](Self::wait) runs one to its end:
///
/// ```no_run
/// # use c8y_pki_engine::platform::{PlatformError, Settings, blocking::Client, trusted};
/// # fn all(settings: &Settings) -> Result<(), PlatformError> {
/// let client = Client::new(settings)?;
/// let certificates = client.wait(trusted::list(&client))?;
/// # Ok(())
/// # }
/// ```
///
/// On a thread of somebody else's tokio runtime it works too, but holds that thread until the answer is
/// there: await the call there, with [`http::Client`].
#[derive(Debug)]
pub struct Client {
    client: http::Client,
    handle: Handle,
    /// Empty only while it is dropped.
    runtime: Option<Runtime>,
}

impl Client {
    /// Gets everything ready; nothing is sent yet.
    ///
    /// Errors: as [`http::Client::new`]; a system that gives no thread.
    pub fn new(settings: &Settings) -> Result<Self, PlatformError> {
        Self::over(http::Client::new(settings)?)
    }

    /// Waits for the calls of that client.
    ///
    /// Errors: a system that gives no thread.
    pub fn over(client: http::Client) -> Result<Self, PlatformError> {
        // One thread keeps connections open between calls; each call itself runs where it is waited for.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("platform")
            .enable_all()
            .build()
            .map_err(PlatformError::Runtime)?;
        Ok(Self { client, handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// As [`http::Client::stop_when`].
    #[must_use]
    pub fn stop_when(mut self, stop: Arc<AtomicBool>) -> Self {
        self.client.stop = stop;
        self
    }

    /// Runs a call to its end, and gives what comes out.
    pub fn wait<T: Send>(&self, call: impl Future<Output = T> + Send) -> T {
        let run = || self.handle.block_on(call);
        if Handle::try_current().is_err() {
            return run();
        }
        // tokio refuses to wait on a thread that is a runtime's.
        match thread::scope(|scope| scope.spawn(run).join()) {
            Ok(done) => done,
            Err(panic) => resume_unwind(panic),
        }
    }
}

/// Gets a device's token, as [`token::fetch`].
pub(crate) fn token(
    settings: &Settings,
    tls: ClientConfig,
    chain: &[Certificate],
) -> Result<Password, PlatformError> {
    let transport = Transport::with_tls(settings, tls)?;
    let client = Client::over(http::Client::over(transport, settings)?)?;
    client.wait(token::fetch(&client, chain))
}

/// As [`standing::Inquiry`], waited for.
#[derive(Debug)]
pub struct Inquiry<'a> {
    client: &'a Client,
    inquiry: standing::Inquiry<'a>,
}

impl<'a> Inquiry<'a> {
    /// Gets ready; nothing is asked yet. `id_type` is usually [`standing::ID_TYPE`].
    pub fn new(client: &'a Client, id_type: impl Into<String>) -> Self {
        Self { client, inquiry: standing::Inquiry::new(client, id_type) }
    }

    /// With the types of those devices that have one of their own, by their ids.
    #[must_use]
    pub fn with_id_types(self, id_types: HashMap<String, String>) -> Self {
        Self { inquiry: self.inquiry.with_id_types(id_types), ..self }
    }

    /// Asks about a device that presents these certificates, its own first.
    pub fn ask(&self, presented: &[Certificate], device: &str) -> Standing {
        self.client.wait(self.inquiry.ask(presented, device))
    }

    /// The platform's own verdict on what a device presents, for the tenant that is asked.
    ///
    /// Errors: why it cannot be asked, in words.
    pub fn verdict(&self, presented: &[Certificate]) -> Result<ChainVerdict, String> {
        self.client.wait(self.inquiry.verdict(presented))
    }
}

impl Deref for Client {
    type Target = http::Client;

    fn deref(&self) -> &http::Client {
        &self.client
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A runtime that waits for its end must not do so on a thread of another.
            runtime.shutdown_background();
        }
    }
}
