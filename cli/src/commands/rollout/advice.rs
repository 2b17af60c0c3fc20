//! The commands that would apply what a rollout leaves as it is, and those that say more. Each does it as it stands, from
//! where the rollout was run: it names the PKI directory and the password files of the rollout's file, and repeats what the
//! command line says of the tenant.

use std::path::Path;

use c8y_pki_engine::device::service::CLASSIC_PORT;
use c8y_pki_engine::rollout::spec::{Spec, TenantSpec};
use c8y_pki_engine::rollout::{Finding, Remedy};

use super::args::RolloutArgs;
use crate::line::Line;
use crate::render::quoted;

/// What a rollout was asked for: its file, and its command line.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) spec: &'a Spec,
    pub(super) args: &'a RolloutArgs,
    pub(super) line: &'a Line,
}

impl Asked<'_> {
    /// The command that applies a finding, if the rollout does not do it anyway.
    pub(super) fn command(&self, finding: &Finding) -> Option<String> {
        Some(match finding.remedy.as_ref()? {
            Remedy::Replace => self.rollout("--replace-differing"),
            Remedy::Prune => self.rollout("--prune"),
            Remedy::IssueRevoked => self.rollout("--issue-revoked"),
            Remedy::RenewCa { ca, days } => {
                let command = self.in_pki(&format!("ca renew {ca} --days {days}"));
                command + &self.password_of_issuer(ca)
            }
            Remedy::Refresh { out } => {
                let command = self.in_pki(&format!("device refresh --out {}", word(out)));
                command + &file("--store-password-file", self.spec.passwords.store.as_deref())
            }
            Remedy::Move { from, to } => moving(from, to),
            Remedy::SendRevocations => self.in_pki("tenant crl upload") + &self.at_tenant(),
            Remedy::Protect { path } => format!("chmod -R go= {}", word(path)),
            Remedy::Distrust { certificate } => {
                format!("c8y-pki tenant trust remove {}{}", word(certificate), self.at_tenant())
            }
            _ => return None,
        })
    }

    /// The command that makes the next list of the CA of the devices.
    pub(super) fn next_list(&self) -> String {
        let ca = &self.spec.devices.ca;
        self.in_pki(&format!("ca crl {ca}")) + &self.password_of(ca, "--ca-password-file")
    }

    /// The command that says more of a device that did not connect; there is none for a tenant that is gone.
    pub(super) fn more_of_one(&self) -> Option<String> {
        if self.args.sandbox {
            return None;
        }
        let command =
            self.in_pki(&format!("device check ID --out {}", word(&self.spec.devices.out)));
        let password = file("--store-password-file", self.spec.passwords.store.as_deref());
        let port = self.args.mqtt_port.or(self.spec.tenant.as_ref().map(|tenant| tenant.mqtt_port));
        let port = match port.filter(|port| *port != CLASSIC_PORT) {
            Some(port) => format!(" --port {port}"),
            None => String::new(),
        };
        Some(command + &password + &port + &self.at_tenant())
    }

    /// `--pki` with the directory of the file.
    pub(super) fn pki(&self) -> String {
        format!(" --pki {}", word(&self.spec.pki))
    }

    /// The options that lead other commands to the same tenant; none in a rehearsal, whose tenant ends with it.
    pub(super) fn at_tenant(&self) -> String {
        let Some(tenant) = self.spec.tenant.as_ref().filter(|_| !self.args.sandbox) else {
            return String::new();
        };
        // A name of the file is no tenant's id.
        let id = self.line.option("tenant").filter(|id| tenant.section.as_deref() != Some(id));
        let id = id.map_or_else(String::new, |id| format!(" --tenant {}", quoted(id)));
        self.host(tenant) + &id + &self.line.of_tenant()
    }

    /// The host of the file, where nothing else says one.
    fn host(&self, tenant: &TenantSpec) -> String {
        let host = tenant.host.as_ref().filter(|_| self.args.tenant.given_host().is_none());
        host.map_or_else(String::new, |host| format!(" --host {}", quoted(host)))
    }

    /// The rollout itself with an option more.
    fn rollout(&self, option: &str) -> String {
        let tenant = self.line.option("tenant");
        let tenant = tenant.map_or_else(String::new, |name| format!(" --tenant {}", quoted(name)));
        let place = match (self.args.local, self.args.sandbox) {
            (true, _) => " --local",
            // A rehearsal revokes nothing.
            (_, true) if option != "--prune" => " --sandbox",
            _ => "",
        };
        let file = word(&self.spec.file);
        format!("c8y-pki rollout {file}{place}{tenant}{} {option}", self.line.of_tenant())
    }

    /// A command that works in the PKI directory of the file.
    fn in_pki(&self, command: &str) -> String {
        format!("c8y-pki{} {command}", self.pki())
    }

    /// The option with the password of a CA's key in a file, or with the PIN of its token; nothing if no file has it.
    fn password_of(&self, ca: &str, option: &str) -> String {
        let passwords = &self.spec.passwords;
        let in_token = self.spec.cas.iter().any(|known| known.name == ca && known.token.is_some());
        file(option, if in_token { passwords.pin.as_deref() } else { Some(&passwords.ca) })
    }

    fn password_of_issuer(&self, ca: &str) -> String {
        let own = self.spec.cas.iter().find(|known| known.name == ca);
        match own.and_then(|own| own.parent.as_ref()) {
            Some(parent) => self.password_of(parent, "--parent-password-file"),
            None => self.password_of(ca, "--ca-password-file"),
        }
    }
}

/// Moves what is in a directory, and not the directory: the other one may be there already, with or without devices.
fn moving(from: &Path, to: &Path) -> String {
    // One call for each, since the names of many devices are more than a command line takes.
    format!(
        "mkdir -m 700 -p {0} && find {1} -mindepth 1 -maxdepth 1 -exec mv -n {{}} {0}/ \\;",
        word(to),
        word(from)
    )
}

/// A file that exists: a password may also come from a variable, which counts then.
fn file(option: &str, path: Option<&Path>) -> String {
    let path = path.filter(|path| path.exists());
    path.map_or_else(String::new, |path| format!(" {option} {}", word(path)))
}

fn word(path: &Path) -> String {
    quoted(&path.display().to_string())
}
