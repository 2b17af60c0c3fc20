//! `tenant trust add`: upload CAs, and prove that their keys are ours.

use std::path::{Path, PathBuf};

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::key::signer::Signer;
use c8y_pki_engine::platform::blocking::Client;
use c8y_pki_engine::platform::pop;
use c8y_pki_engine::platform::trusted::{self, Added, Change, NewTrusted, TrustedCertificate};
use clap::Args;
use time::OffsetDateTime;

use super::view::{View, details};
use super::{renewal, which};
use crate::clock;
use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::secrets::{self, Unlocked};
use crate::tenant::{TenantArgs, show_requests};

/// Arguments of `tenant trust add`.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Certificates of CAs, PEM or DER, one in each file
    #[arg(value_name = "CERT", required_unless_present = "ca")]
    certs: Vec<PathBuf>,
    /// A CA of the PKI directory; may be repeated
    #[arg(long, value_name = "NAME", conflicts_with = "certs")]
    ca: Vec<String>,
    /// Its name in the tenant; by default the common name of its subject
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Register devices at their first connection
    #[arg(long)]
    auto_registration: bool,
    /// Do not let its devices in yet
    #[arg(long)]
    disabled: bool,
    /// Prove possession of the private key too
    #[arg(long)]
    prove: bool,
    /// The private key for --prove, in a file or a token (pkcs11:…); --ca knows its own
    #[arg(long, value_name = "FILE|URI", requires = "prove", conflicts_with = "ca")]
    key: Option<PathBuf>,
    /// File with the password of --key, or the PIN of its token
    /// [env: C8Y_PKI_KEY_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE", requires = "key")]
    key_password_file: Option<PathBuf>,
    /// File with the password of the CA's key, for --ca, or the PIN of its token
    /// [env: C8Y_PKI_CA_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE", requires = "ca")]
    ca_password_file: Option<PathBuf>,
    /// Print the requests, send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArgs,
}

/// A certificate to add, and the key for its proof.
struct Wanted {
    certificate: Certificate,
    /// How `pop prove` is told of it.
    source: String,
    name: String,
    key: Option<Box<dyn Signer>>,
}

pub(super) fn run(args: &AddArgs, pki: &Path, out: Output) -> Result {
    let wanted = wanted(args, pki, out)?;
    let now = OffsetDateTime::now_utc();
    for new in &wanted {
        trusted::check(&new.certificate, now)?;
    }
    let new: Vec<NewTrusted<'_>> = wanted
        .iter()
        .map(|w| NewTrusted {
            certificate: &w.certificate,
            name: &w.name,
            enabled: !args.disabled,
            auto_registration: args.auto_registration,
        })
        .collect();
    if args.dry_run {
        return dry_run(args, &new, out);
    }
    let client = args.tenant.connect(out)?;
    client.wait(client.tenant())?;
    clock::hold_to(&client, pki, out)?;
    let added = client.wait(trusted::add(&client, &new))?;
    // Of a CA that was renewed the former certificate may be there.
    let there = client.wait(trusted::list(&client))?;
    // One that goes wrong does not keep the others from being settled.
    let mut failure: Option<Failure> = None;
    for ((wanted, new), added) in wanted.iter().zip(&new).zip(added) {
        if let Err(e) = settle(args, &client, wanted, new, (added, &there), out)
            && let Some(before) = failure.replace(e)
        {
            out.failure(&before);
        }
    }
    failure.map_or(Ok(Outcome::Done), Err)
}

/// What is to be added; everything that can be wrong with files and passwords is found here.
fn wanted(args: &AddArgs, dir: &Path, out: Output) -> Result<Vec<Wanted>> {
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut add = |certificate: Certificate, source, key| {
        if wanted.iter().all(|w| w.certificate.der() != certificate.der()) {
            let name = args.name.clone().unwrap_or_else(|| title(&certificate));
            wanted.push(Wanted { certificate, source, name, key });
        }
    };
    for path in &args.certs {
        let source = format!("--cert {} --key KEY", path.display());
        add(which::one_certificate(path)?, source, None);
    }
    if !args.ca.is_empty() {
        let pki = clock::open_to_read(dir, out)?;
        let mut secrets = Unlocked::default();
        for name in &args.ca {
            let ca = pki.ca(name)?;
            let key: Option<Box<dyn Signer>> = match args.prove && !args.dry_run {
                true => Some(Box::new(secrets.unlock(&ca, args.ca_password_file.as_ref())?)),
                false => None,
            };
            add(ca.certificate().clone(), format!("--ca {name}"), key);
        }
    }
    let several = wanted.len() > 1;
    if several && args.name.is_some() {
        let hint = "leave --name out: each takes the common name of its subject";
        return Err(Failure::usage("one name is given for several certificates", hint));
    }
    if args.prove && args.ca.is_empty() {
        match (wanted.as_mut_slice(), &args.key) {
            ([_], Some(_)) if args.dry_run => {}
            ([one], Some(key)) => one.key = Some(own_key(args, key, &one.certificate)?),
            (_, None) => {
                let hint = "give --key FILE, or upload a CA of the PKI directory: --ca NAME";
                return Err(Failure::usage("--prove needs the CA's private key", hint));
            }
            _ => {
                let hint = "add them one by one, each with its --key";
                return Err(Failure::usage("one --key cannot prove several certificates", hint));
            }
        }
    }
    Ok(wanted)
}

fn own_key(args: &AddArgs, path: &Path, certificate: &Certificate) -> Result<Box<dyn Signer>> {
    let key = secrets::signer(path, args.key_password_file.as_ref())?;
    pop::check_key(certificate, key.as_ref())?;
    Ok(key)
}

/// A name for people: the common name, else the whole subject.
fn title(certificate: &Certificate) -> String {
    certificate.subject.common_name().map_or_else(|| certificate.subject.to_string(), str::to_owned)
}

fn dry_run(args: &AddArgs, new: &[NewTrusted<'_>], out: Output) -> Result {
    let tenant = args.tenant.known_tenant();
    let mut requests = vec![trusted::add_request(tenant, new)];
    if args.prove {
        for new in new {
            let fingerprint = new.certificate.fingerprint_sha1();
            requests.push(pop::code_request(tenant, &fingerprint));
            requests.push(pop::submit_request(tenant, &fingerprint, "(the signed code)"));
        }
    }
    show_requests(&requests, out)
}

/// Brings one certificate to where it was wanted, and says so.
fn settle(
    args: &AddArgs,
    client: &Client,
    wanted: &Wanted,
    new: &NewTrusted<'_>,
    (added, there): (Added, &[TrustedCertificate]),
    out: Output,
) -> Result<()> {
    if added == Added::InAnotherTenant {
        return Err(new.in_another_tenant().into());
    }
    let fingerprint = wanted.certificate.fingerprint_sha1();
    let mut found = client.wait(trusted::known(client, &fingerprint))?;
    let mut action = if added == Added::Created { "added" } else { "already there" };
    let change = Change {
        name: args.name.clone(),
        enabled: args.disabled.then_some(false),
        auto_registration: args.auto_registration.then_some(true),
    };
    if change.concerns(&found) {
        found = client.wait(trusted::update(client, &found, &change))?;
        action = "updated";
    }
    if let Some(key) = wanted.key.as_deref() {
        // It was opened before anything was uploaded, so that a wrong password changes nothing.
        let open = || Ok::<_, Failure>(Box::new(key) as Box<dyn Signer + '_>);
        (_, found) = client.wait(pop::prove(
            client,
            &wanted.certificate,
            open,
            OffsetDateTime::now_utc(),
        ))?;
    }
    out.result(&View::of(&found, Some(action)).among(there), details)?;
    for former in trusted::renewals_of(there, &wanted.certificate) {
        out.note(&format!(
            "The tenant also has another certificate of this CA, with the same name and key: {}. Do not \
             remove it while devices present it.",
            renewal::shown(former)
        ));
    }
    remark(args, &wanted.source, &found, out);
    Ok(())
}

/// What still keeps its devices out.
fn remark(args: &AddArgs, source: &str, found: &TrustedCertificate, out: Output) {
    let name = &found.name;
    if !found.is_enabled() && !args.disabled {
        out.warning(&format!(
            "{name:?} was there and is disabled: `c8y-pki tenant trust update {} --enable`",
            found.fingerprint
        ));
    }
    if !found.proof_of_possession_valid {
        out.note(&format!("Possession of its key is not proven yet: `c8y-pki pop prove {source}`"));
    }
}
