//! What lies beyond this machine: the tenant of a run, and where devices connect to.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use c8y_pki_engine::device::check::Check;
use c8y_pki_engine::device::link::Target;
use c8y_pki_engine::device::service::{self, Service};
use c8y_pki_engine::platform::blocking::Client;
use c8y_pki_engine::platform::{PlatformError, bare_host, features, host_and_port};
use c8y_pki_engine::rollout::spec::{Spec, TenantSpec};
use c8y_pki_engine::rollout::{Connecting, Remote};
use time::OffsetDateTime;

use super::args::RolloutArgs;
use super::rehearsal::Rehearsal;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::variables::is_replaced;

/// The tenant of a run, which may be in this process, and where devices connect to.
pub(super) struct Beyond {
    pub(super) rehearsal: Option<Rehearsal>,
    pub(super) client: Option<Client>,
    pub(super) connecting: Option<Connecting>,
}

impl Beyond {
    pub(super) fn of(
        args: &RolloutArgs,
        spec: &Spec,
        stop: &Arc<AtomicBool>,
        out: Output,
    ) -> Result<Self> {
        if args.sandbox {
            let rehearsal = Rehearsal::start(spec)?;
            let client = Some(rehearsal.client()?.stop_when(stop.clone()));
            let connecting = Some(rehearsal.connecting(args.connect.flatten()));
            return Ok(Self { rehearsal: Some(rehearsal), client, connecting });
        }
        let Some(tenant) = spec.tenant.as_ref().filter(|_| !args.local) else {
            if args.connect.is_some() {
                return Err(Failure::usage(
                    "--connect needs a tenant to connect to",
                    "write a [tenant] section, or rehearse with --sandbox",
                ));
            }
            return Ok(Self { rehearsal: None, client: None, connecting: None });
        };
        let host = tenant.host.as_deref();
        one_host(args, tenant, out)?;
        if args.exit_code || !args.plan {
            has_host(args, tenant)?;
        }
        if args.plan && !args.exit_code && !args.tenant.is_given(host)? {
            // Told in the plan.
            return Ok(Self { rehearsal: None, client: None, connecting: None });
        }
        // Which section is meant was said by a name of the file: it is no tenant's id.
        let id = args.tenant.given_tenant().filter(|id| tenant.section.as_deref() != Some(id));
        let client = args.tenant.connect_as(id, host, out)?;
        let connecting = args.connect.map(|sample| {
            let host = bare_host(client.host()).to_owned();
            let port = args.mqtt_port.unwrap_or(tenant.mqtt_port);
            let service = (port == service::PORT).then(|| at_service(&client)).transpose()?;
            let target = Target { host, port };
            let check = Check { service, ..Check::new(target, OffsetDateTime::now_utc()) };
            let pace = args.rate.pace(&check.target.host);
            Ok(Connecting { check, trusted: None, sample, pace })
        });
        let connecting = connecting.transpose().map_err(|e: PlatformError| Failure::from(e))?;
        let client = Some(client.stop_when(stop.clone()));
        Ok(Self { rehearsal: None, client, connecting })
    }

    pub(super) fn remote(&self) -> Remote<'_> {
        Remote { client: self.client.as_ref(), connect: self.connecting.as_ref() }
    }
}

/// Refuses a tenant without a host.
fn has_host(args: &RolloutArgs, tenant: &TenantSpec) -> Result<()> {
    if tenant.host.is_some() || args.tenant.given_host().is_some() {
        return Ok(());
    }
    let section = tenant.section.as_ref().map_or_else(String::new, |name| format!(".{name}"));
    Err(Failure::usage(
        "the host of the tenant is not given",
        format!(
            "write `host` under [tenant{section}], or give --host or --context NAME, or set C8Y_HOST; --local leaves the \
             tenant out"
        ),
    ))
}

/// Says that another host counts than that of the file. Refuses it for a section which was asked for by its name, unless
/// the command line names it: a variable or a context may be left from work at another tenant.
fn one_host(args: &RolloutArgs, tenant: &TenantSpec, out: Output) -> Result<()> {
    let (Some(wanted), Some(given)) = (&tenant.host, args.tenant.given_host()) else {
        return Ok(());
    };
    if host_and_port(wanted)? == host_and_port(given)? {
        return Ok(());
    }
    let (by, leave_out) = match is_replaced("C8Y_HOST") {
        true => ("the context", "give --context none"),
        false => ("C8Y_HOST", "unset C8Y_HOST"),
    };
    let on_line = args.tenant.host_on_line().is_some();
    let section = match &tenant.section {
        Some(section) if !on_line => section,
        section => {
            let by = if on_line { "--host" } else { by };
            let of = section.as_ref().map_or_else(String::new, |name| format!(".{name}"));
            out.note(&format!("{by} counts: {given}, and not {wanted} of [tenant{of}]"));
            return Ok(());
        }
    };
    Err(Failure::usage(
        format!("[tenant.{section}] has the host {wanted}, but {by} says {given}"),
        format!("{leave_out} to take the file's host, or name the host that you mean: --host HOST"),
    ))
}

/// How devices speak to the MQTT Service of a tenant.
fn at_service(client: &Client) -> std::result::Result<Service, PlatformError> {
    let tenant = Some(client.wait(client.tenant())?.to_owned());
    // A user who may not ask, or a platform that does not know the feature: then the connection shows it.
    let feature = client.wait(features::is_on(client, service::SMART_REST)).ok();
    Ok(Service { tenant, feature, smart_rest: false })
}
