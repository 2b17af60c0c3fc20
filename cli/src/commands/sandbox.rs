//! `sandbox`: a tenant in memory, to rehearse against.
//!
//! The lines that it prints are for a shell to read, and hold the password of the sandbox's own users:
//! that is what the command is for, and the password opens nothing else and ends with it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use c8y_pki_core::cert::{Certificate, LongestChain};
use c8y_pki_engine::files::{self, Access, Existing};
use c8y_pki_sandbox::{Connection, Faults, Profile, Sandbox, Settings};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::ready_file::ReadyFile;
use crate::failure::{Failure, Outcome, Result};
use crate::outlet;
use crate::output::{Output, is_stdout};
use crate::pace::raise_file_limit;
use crate::render::{printable, quoted};
use crate::{stop, values};

/// How often the list of requests is looked at, to print what is new.
const PAUSE: Duration = Duration::from_millis(50);

/// Where the certificate of its CA is written.
pub(crate) const CA_OUT: &str = "sandbox-ca.pem";

/// Arguments of `sandbox`.
#[derive(Debug, Args)]
#[command(after_help = "\
It prints the variables that the platform's clients read and a last line that begins with Ready, then
runs until Ctrl-C or SIGTERM. A script waits for --ready-file or for the end of the sandbox. To
send an operation to a connected device, post it to /operations/ID at the address of the page that
it prints.

Examples:
  c8y-pki sandbox --env-file sandbox.env --ready-file sandbox.ready &
  until [ -e sandbox.ready ] || ! kill -0 $!; do sleep 0.1; done; . ./sandbox.env
  c8y-pki sandbox --port 9443 --fault 0.2,seed=7
  curl -d 510,gw-0001 http://127.0.0.1:PORT/operations/gw-0001")]
pub(crate) struct SandboxArgs {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// Host name by which clients reach it
    #[arg(long, default_value = "localhost")]
    host: String,
    /// Port of REST; 0 takes any that is free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Port of REST with client certificates; 0 takes any that is free
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    mtls_port: u16,
    /// Port of MQTT over TLS; 0 takes any that is free
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    mqtt_port: u16,
    /// Let the MQTT Service listen too, on this port; 0 takes any that is free
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "0")]
    mqtt_service: Option<u16>,
    /// Port of the page that shows what happened; 0 takes any that is free
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    management_port: u16,
    /// Write the certificate of its CA here, to a file that clients can read
    #[arg(long, value_name = "FILE", default_value = CA_OUT)]
    ca_out: PathBuf,
    /// Write the variables here too, for a shell to read; - for standard output, with --json too
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Write the number of the process here when everything listens, and remove the file at the end: as long as it is
    /// there, clients can connect
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Seconds for which a verification code can be used
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    code_seconds: u64,
    /// Seconds for which a token is good
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(1..))]
    token_seconds: u32,
    /// Let a share of the answers fail: 0.2,seed=7 or 503=0.1,429=0.1,slow=0.1,cut=0.1,drop=0.1;
    /// of MQTT: connack3=0.1,connack5=0.1,late=0.1,silent=0.1,close=0.1; of its TLS, for all connections:
    /// large-ca-list, foreign-ca-list, tls-alert, self-signed; may be repeated
    #[arg(long, value_name = "SPEC")]
    fault: Vec<String>,
    /// What to do where the vendor's description differs from what devices in the field see
    #[arg(long, value_enum, default_value_t = ProfileArg::Field)]
    profile: ProfileArg,
    /// Refuse chains of more than two certificates whose CA has no proof of possession
    #[arg(long)]
    require_proof: bool,
    /// Most certificates in a chain that a device presents: 10 in the cloud, others on dedicated installations
    #[arg(long, value_name = "NUMBER", default_value_t = LongestChain::CLOUD)]
    longest_chain: LongestChain,
    /// Behave like a release that does not have the call for a verdict on a chain (verify-cert-chain)
    #[arg(long)]
    without_verdicts: bool,
    /// Days for which the tenant's own CA is valid
    #[arg(long, value_name = "DAYS", default_value_t = 1095, value_parser = values::validity_days())]
    authority_days: u32,
}

/// The profiles by name.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProfileArg {
    /// As in the vendor's description
    Documented,
    /// As devices in the field see it
    Field,
}

/// Where it is, and how to get in.
#[derive(Debug, Serialize)]
struct Started {
    url: String,
    mtls_url: String,
    mqtt_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mqtt_service_address: Option<String>,
    management_url: String,
    tenant: String,
    user: String,
    password: String,
    ca_file: PathBuf,
}

pub(crate) fn run(args: &SandboxArgs, out: Output) -> Result {
    let faults = match args.fault.is_empty() {
        true => Faults::none(),
        false => args.fault.join(",").parse()?,
    };
    let mut ready = args.ready_file.as_deref().map(ReadyFile::prepare).transpose()?;
    let sandbox = Sandbox::start(Settings {
        bind: args.bind,
        host: args.host.clone(),
        https_port: args.port,
        mtls_port: args.mtls_port,
        mqtt_port: args.mqtt_port,
        management_port: args.management_port,
        password: None,
        code_seconds: args.code_seconds,
        verification_code: None,
        token_seconds: args.token_seconds,
        faults,
        profile: match args.profile {
            ProfileArg::Documented => Profile::Documented,
            ProfileArg::Field => Profile::Field,
        },
        require_proof: args.require_proof,
        longest_chain: args.longest_chain,
        verdicts: !args.without_verdicts,
        authority_days: args.authority_days,
        mqtt_service_port: args.mqtt_service,
    })?;
    raise_file_limit();
    let stop = stop::on_interrupt();
    announce(&sandbox, &args.ca_out, args.env_file.as_deref(), out)?;
    if let Some(ready) = &mut ready {
        ready.write()?;
    }
    out.note("Ready: clients can connect.");
    watch(&sandbox, 0, &stop, out);
    Ok(Outcome::Done)
}

/// Says where it is and how to get in, and writes that into files.
pub(crate) fn announce(
    sandbox: &Sandbox,
    ca_out: &Path,
    env_file: Option<&Path>,
    out: Output,
) -> Result<()> {
    outlet::check_file(ca_out, "--ca-out", "clients read it by its name")?;
    check_own(ca_out, is_own_ca)?;
    let out = out.beside(env_file);
    if let Some(path) = env_file {
        check_own(path, |bytes| bytes.starts_with(b"export C8Y_HOST="))?;
    }
    files::write(ca_out, sandbox.ca_pem().as_bytes(), Access::Public, Existing::Replace)?;
    let ca_file = std::path::absolute(ca_out).map_err(Failure::Input)?;
    let lines = exports(sandbox, &ca_file);
    match env_file {
        // They are for standard output in any case, and this is what the command is for.
        Some(path) if is_stdout(path) => out.data(lines.as_bytes())?,
        Some(path) => files::write(path, lines.as_bytes(), Access::Private, Existing::Replace)?,
        None => {}
    }
    if out.is_json() || !out.is_aside() {
        out.result(&started(sandbox, ca_file), |_| lines)?;
    }
    out.note("Sandbox: not a Cumulocity tenant. Everything in it is gone when it ends.");
    out.note(&format!("REST                      {}", sandbox.url()));
    out.note(&format!("with client certificates  {}", sandbox.mtls_url()));
    out.note(&format!("MQTT over TLS             {}", sandbox.mqtt_address()));
    if let Some(address) = sandbox.mqtt_service_address() {
        out.note(&format!("MQTT Service              {address}"));
    }
    out.note(&format!("page                      {}/", sandbox.management_url()));
    Ok(())
}

/// Shows requests after the one of that number, until it is to stop.
pub(crate) fn watch(sandbox: &Sandbox, mut shown: u64, stop: &AtomicBool, out: Output) {
    loop {
        let last = stop.load(Ordering::Relaxed);
        for connection in sandbox.connections_after(shown) {
            shown = connection.number;
            out.result_aside(&connection, line);
        }
        if last {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Refuses to write over a file that no sandbox has written.
fn check_own(path: &Path, is_own: impl Fn(&[u8]) -> bool) -> Result<()> {
    if !outlet::stands(path)? || files::read(path).is_ok_and(|bytes| is_own(&bytes)) {
        return Ok(());
    }
    Err(Failure::usage(
        format!("{} exists and is not a file of a sandbox", path.display()),
        "name another file, or move it away",
    ))
}

fn is_own_ca(bytes: &[u8]) -> bool {
    let read = Certificate::all_from_pem_or_der(bytes);
    read.is_ok_and(|all| all.iter().all(|c| c.subject.to_string().contains("c8y-pki sandbox")))
}

fn started(sandbox: &Sandbox, ca_file: PathBuf) -> Started {
    Started {
        url: sandbox.url(),
        mtls_url: sandbox.mtls_url(),
        mqtt_address: sandbox.mqtt_address(),
        mqtt_service_address: sandbox.mqtt_service_address(),
        management_url: sandbox.management_url(),
        tenant: sandbox.tenant().to_owned(),
        user: sandbox.user().to_owned(),
        password: sandbox.password().expose().to_owned(),
        ca_file,
    }
}

/// The variables as a shell sets them.
fn exports(sandbox: &Sandbox, ca_file: &Path) -> String {
    let mut variables = sandbox.environment();
    variables.push(("C8Y_PKI_CACERT".to_owned(), ca_file.display().to_string()));
    let line = |(name, value): &(String, String)| format!("export {name}={}\n", quoted(value));
    variables.iter().map(line).collect()
}

/// A request in one line.
fn line(connection: &Connection) -> String {
    let Connection { at, port, method, path, status, user, .. } = connection;
    let user = user.as_ref().or(connection.certificate.as_ref()).map_or("-", String::as_str);
    let fault = connection.fault.map(|fault| format!(" fault={fault}")).unwrap_or_default();
    let reason = connection.reason.as_ref().map(|reason| format!(" ({reason})"));
    let text =
        format!("{at} {port} {method} {path} {status} {user}{fault}{}", reason.unwrap_or_default());
    printable(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_a_shell() {
        assert_eq!(quoted("https://localhost:9443"), "https://localhost:9443");
        assert_eq!(quoted("/home/a b/it's"), r"'/home/a b/it'\''s'");
        assert_eq!(quoted("$(x)"), "'$(x)'");
        assert_eq!(quoted(""), "''");
    }
}
