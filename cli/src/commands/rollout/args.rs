//! The arguments of `rollout`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use crate::pace::RateArgs;
use crate::secrets::WeakArgs;
use crate::tenant::TenantArgs;

/// Arguments of `rollout`.
#[derive(Debug, Args)]
#[command(after_help = "\
After a change, an error or a power cut run the same command again: it does not repeat what is
done. The PKI directory is the one that the file names; --pki and C8Y_PKI_DIR are not used.

Examples:
  c8y-pki rollout --example demo --sandbox   writes an example to ./demo and rehearses it
  c8y-pki rollout rollout.toml --plan        what would be done, and what differs
  c8y-pki rollout rollout.toml --plan --exit-code   the same for CI: 0 nothing, 4 something
  c8y-pki rollout rollout.toml --connect=5   the same for real, and whether 5 devices connect
  c8y-pki rollout rollout.toml --sandbox --report rollout.html
  c8y-pki rollout rollout.toml --tenant staging     the section [tenant.staging]
  c8y-pki rollout rollout.toml --replace-differing  issue again what the file wants otherwise
  c8y-pki rollout rollout.toml --prune --yes        revoke devices that are no longer in the list

With a [tenant] section the CAs are uploaded, their keys proven and the devices registered; user and
password come from C8Y_USER and C8Y_PASSWORD, or C8Y_TOKEN. Before devices are made, the platform is
asked for its verdict on the chain of one of them; if that is no, no other one is made (exit code 1).

A password file that does not exist is replaced by C8Y_PKI_CA_PASSWORD, C8Y_PKI_STORE_PASSWORD or
C8Y_PKI_TOKEN_PIN, if that is set. A second rollout in the same PKI directory waits for the first.

What exists is left as it is, and told, unless an option below says otherwise. With several tenants
in the file ([tenant.staging], [tenant.production]) --tenant names the section.

With --sandbox the tenant is in this process and ends with it; C8Y_* and the host in the file are
not used. Keys, certificates and stores are real, and stay: the next run without --sandbox uses
them. In this rehearsal devices trust the sandbox's server, not what their truststores hold.

Exit codes: 0 done, or nothing to do; 1 the tenant refused something, or a device does not connect;
2 a fault in the file or list, or in the login; nothing was made; 3 the environment failed or the
run was interrupted: run it again; 4 with --plan --exit-code: something is not as the file wants it.")]
pub(crate) struct RolloutArgs {
    /// The rollout file (`c8y-pki profile show rollout.toml` prints one)
    #[arg(required_unless_present = "example")]
    pub(super) file: Option<PathBuf>,
    /// Show what would be done, and change nothing
    #[arg(long)]
    pub(super) plan: bool,
    /// With --plan: exit code 4 if anything is not as the file wants it, else 0
    #[arg(long, requires = "plan")]
    pub(super) exit_code: bool,
    /// Issue devices again that are not as the file wants them: another CA, profile, subject, validity, bundle,
    /// truststore or store password. Their former certificates are superseded, not revoked
    #[arg(long)]
    pub(super) replace_differing: bool,
    /// Issue devices of the list again that were revoked, with new keys. Without this option they get no certificate and are
    /// not registered
    #[arg(long)]
    pub(super) issue_revoked: bool,
    /// Revoke devices that are no longer in the list, and send their revocations to the tenant. Asks at a terminal
    #[arg(long, conflicts_with = "sandbox")]
    pub(super) prune: bool,
    /// With --prune: do not ask
    #[arg(long, requires = "prune")]
    pub(super) yes: bool,
    /// Make a CA also if another CA has its subject: a second one, with another key
    #[arg(long)]
    pub(super) new_ca: bool,
    /// Write the embedded example to DIR (unless it is there) and run that
    #[arg(long, value_name = "DIR", conflicts_with_all = ["file", "plan"])]
    pub(super) example: Option<PathBuf>,
    /// Leave out the steps at the tenant
    #[arg(long)]
    pub(super) local: bool,
    /// Rehearse: at a tenant in memory, to which every device connects
    #[arg(long, conflicts_with = "local")]
    pub(super) sandbox: bool,
    /// With --sandbox: leave it running until Ctrl-C, for other commands and clients
    #[arg(long, requires = "sandbox", conflicts_with = "plan")]
    pub(super) stay: bool,
    /// At the end connect all devices, or N of them, spread evenly over the list
    #[arg(
        long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "all",
        value_parser = sample, conflicts_with = "local"
    )]
    pub(super) connect: Option<Sample>,
    /// Port of MQTT over TLS, for --connect; by default that of the file, else 8883. 9883 is the MQTT Service, which
    /// has rules of its own
    #[arg(
        long, value_name = "PORT", requires = "connect", conflicts_with = "sandbox",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub(super) mqtt_port: Option<u16>,
    #[command(flatten)]
    pub(super) rate: RateArgs,
    /// Write an HTML page for people: the CAs, the devices, when certificates expire, what failed and why; - for
    /// standard output
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    pub(super) report: Option<PathBuf>,
    /// Number of worker threads; by default one per processor
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(super) weak: WeakArgs,
    #[command(flatten)]
    pub(super) tenant: TenantArgs,
}

/// How many devices connect: none stands for all.
pub(super) type Sample = Option<usize>;

fn sample(text: &str) -> std::result::Result<Sample, String> {
    match text.parse() {
        _ if text == "all" => Ok(None),
        Ok(0) | Err(_) => Err("give a number from 1, or all".to_owned()),
        Ok(number) => Ok(Some(number)),
    }
}
