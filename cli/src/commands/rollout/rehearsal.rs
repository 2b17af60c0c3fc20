//! `rollout --sandbox`: the tenant of a rehearsal, in this process.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use c8y_pki_core::cert::Certificate;
use c8y_pki_engine::device::check::{Check, Pace};
use c8y_pki_engine::device::credentials::Trusted;
use c8y_pki_engine::device::link::Target;
use c8y_pki_engine::device::service::{self, Service};
use c8y_pki_engine::platform::blocking::Client;
use c8y_pki_engine::platform::{Login, Settings};
use c8y_pki_engine::rollout::Connecting;
use c8y_pki_engine::rollout::spec::Spec;
use c8y_pki_sandbox::{self as sandbox, Sandbox};
use time::OffsetDateTime;

use crate::commands::sandbox::{CA_OUT, announce, watch};
use crate::failure::Result;
use crate::output::Output;

/// How fast devices connect: the process is both ends, and each of them has a file open.
const PACE: Pace = Pace { parallel: 16, listening: 200, rate: None };
/// Both ends are here: errors come at once, or not at all.
const SILENCE: Duration = Duration::from_millis(100);

/// A sandbox, and who trusts it.
pub(super) struct Rehearsal {
    sandbox: Sandbox,
    roots: Vec<Certificate>,
}

impl Rehearsal {
    /// One that is as the file says of the installation: the longest chain, and the port of the devices.
    pub(super) fn start(spec: &Spec) -> Result<Self> {
        let at_service = spec.tenant.as_ref().is_some_and(|t| t.mqtt_port == service::PORT);
        let sandbox = Sandbox::start(sandbox::Settings {
            longest_chain: spec.longest_chain()?,
            mqtt_service_port: at_service.then_some(0),
            ..sandbox::Settings::default()
        })?;
        let roots = Certificate::all_from_pem_or_der(sandbox.ca_pem().as_bytes())?;
        Ok(Self { sandbox, roots })
    }

    /// A client of the tenant.
    pub(super) fn client(&self) -> Result<Client> {
        let Self { sandbox, roots } = self;
        let tenant = sandbox.tenant();
        let login = Login::user(Some(tenant), sandbox.user(), sandbox.password().clone());
        let settings = Settings {
            tenant: Some(tenant.to_owned()),
            roots: roots.clone(),
            ..Settings::new(sandbox.url(), login)
        };
        Ok(Client::new(&settings)?)
    }

    /// Leaves the sandbox running until it is to end, for other commands and clients.
    pub(super) fn stay(&self, stop: &AtomicBool, out: Output) -> Result<()> {
        let connections = self.sandbox.connections_after(0);
        let shown = connections.last().map_or(0, |connection| connection.number);
        announce(&self.sandbox, Path::new(CA_OUT), None, out)?;
        watch(&self.sandbox, shown, stop, out);
        Ok(())
    }

    /// Where devices connect to, all or a sample.
    pub(super) fn connecting(&self, sample: Option<usize>) -> Connecting {
        let at_service = self.sandbox.mqtt_service_port();
        let port = at_service.unwrap_or(self.sandbox.mqtt_port());
        let target = Target { host: "localhost".to_owned(), port };
        let service = at_service.map(|_| Service {
            tenant: Some(self.sandbox.tenant().to_owned()),
            ..Service::default()
        });
        Connecting {
            check: Check {
                silence: SILENCE,
                // Without faults on purpose, it is never overloaded.
                attempts: 1,
                service,
                ..Check::new(target, OffsetDateTime::now_utc())
            },
            trusted: Some(Trusted {
                from: PathBuf::from("the sandbox's CA"),
                certificates: self.roots.clone(),
                unseen_by_java: Vec::new(),
            }),
            sample,
            pace: PACE,
        }
    }
}
