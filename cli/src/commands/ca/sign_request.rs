//! `ca sign-request`: a CA signs the request of a CA that is elsewhere.

use std::path::{Path, PathBuf};

use c8y_pki_core::crypto::{KeyPolicy, hex, sha256};
use c8y_pki_core::csr::Request;
use c8y_pki_core::issue::{BeyondIssuer, Validity};
use c8y_pki_core::profile::{PathLength, Profile};
use c8y_pki_core::read;
use c8y_pki_engine::Error;
use c8y_pki_engine::files::{Access, Existing};
use c8y_pki_engine::pki::{Ca, CaPlan, CaSigning, Pki, SignedCa};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;
use crate::commands::{ml_dsa, shortened};
use crate::confirm::confirm;
use crate::failure::{Failure, Outcome, Result};
use crate::input;
use crate::outlet;
use crate::output::Output;
use crate::protocol::{Protocol, ProtocolArgs};
use crate::render::{as_line, date, day, printable};
use crate::secrets::unlock;
use crate::values;

/// Arguments of `ca sign-request`.
#[derive(Debug, Args)]
#[command(after_help = "\
For an offline root: the key of the new CA stays where it was made, and only its request comes here. What
will be signed is shown, and you are asked; in a script give --yes. Checked are the request's own
signature, weak keys, keys that somebody else has, the signing policy and the name constraints of the
CA, its path length, and the longest chain that the platform takes.

A request may ask for a path length and for key usages; what is too much is limited, and said. If it
asks for any other extension it is refused, unless you give --leave-out. The certificate is recorded
here, so it can be revoked here (`c8y-pki device revoke SERIAL --ca-certificate`). The same request
again gets the same certificate; --renew signs it anew.

Examples:
  c8y-pki ca sign-request line-7.csr --ca root --out line-7.pem
  c8y-pki ca sign-request line-7.csr --ca root --plan
  c8y-pki ca sign-request line-7.csr --ca root --days 1825 --out line-7.pem --yes --protocol signed.txt

Exit codes: 0 signed, or was signed before; 1 the question was answered with no, or the request asks for
what a CA must not ask for; 2 the request cannot be signed as it is.")]
pub(crate) struct SignRequestArgs {
    /// The request (PEM or DER), or - for standard input
    #[arg(value_name = "CSR|-")]
    request: PathBuf,
    /// The CA that signs
    #[arg(long, value_name = "NAME")]
    ca: String,
    /// Where the answer goes: the certificate and those above it, the root last, as PEM; by default to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Profile: a built-in one (`c8y-pki profile list`) or a file
    #[arg(long, default_value = "intermediate", value_name = "NAME|FILE")]
    profile: String,
    /// Validity in days, in place of the profile's
    #[arg(long, value_name = "N", value_parser = values::validity_days())]
    days: Option<u32>,
    /// If --days would end after the CA, shorten them instead of refusing; without --days the validity is always
    /// shortened
    #[arg(long, alias = "clamp")]
    shorten: bool,
    /// How many CA certificates may follow: a number, none (no limit) or computed; in place of what the request asks for
    #[arg(long, value_name = "N", value_parser = values::path_length)]
    path_length: Option<PathLength>,
    /// Sign without the extensions that a request for a CA may not ask for
    #[arg(long)]
    leave_out: bool,
    /// Sign anew a request that was signed before; the former certificate becomes superseded
    #[arg(long)]
    renew: bool,
    /// Accept an RSA key with the public exponent 3, which old recipes made
    #[arg(long)]
    allow_exponent_3: bool,
    /// Only show what would be signed
    #[arg(long, conflicts_with_all = ["yes", "out", "protocol"])]
    plan: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// File with the password of the CA's key, or the PIN of its token
    /// [env: C8Y_PKI_CA_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    ca_password_file: Option<PathBuf>,
    #[command(flatten)]
    protocol: ProtocolArgs,
}

#[derive(Serialize)]
struct View {
    ca: String,
    subject: String,
    key: String,
    /// SHA-256 of the request as it came.
    request_sha256: String,
    path_length: Option<u8>,
    /// How many certificates a device below it presents.
    chain_length: usize,
    #[serde(with = "time::serde::rfc3339")]
    not_after: OffsetDateTime,
    /// What it asks for and does not get, a sentence each.
    limited: Vec<String>,
    /// `planned`, `signed`, or `kept` for one that was signed before.
    change: &'static str,
    /// Of the certificate.
    serial: Option<String>,
    file: Option<String>,
    /// The answer, if it went into no file.
    chain: Option<String>,
}

/// What came in: the request, and its bytes' digest.
struct Came {
    request: Request,
    sha256: String,
}

pub(super) fn run(args: &SignRequestArgs, dir: &Path, out: Output) -> Result {
    args.protocol.check()?;
    outlet::check_place(args.out.as_deref())?;
    let profile = values::profile(&args.profile, None)?;
    let came = read(&args.request)?;
    let now = OffsetDateTime::now_utc();
    let mut pki = clock::open(dir, now)?;
    let ca = pki.ca(&args.ca)?;
    let wanted = wanted(args, &came.request, &profile);
    let plan = pki.plan_ca(&ca, &wanted, now)?;
    let view = View::of(&ca, &came, &plan);
    let before = plan.signed_before(&ca).filter(|_| !args.renew);
    let asked = came.request.public_key.as_ref().ok().and_then(ml_dsa::of_key);
    ml_dsa::warn(asked.or_else(|| ml_dsa::of_subject(ca.certificate())), out);
    if args.plan {
        let view = match &before {
            Some(signed) => view.with(signed),
            None => view,
        };
        out.result(&view, View::text)?;
        before.iter().for_each(|signed| tell_before(signed, out));
        return Ok(Outcome::Done);
    }
    let signed = match before {
        Some(signed) => signed,
        None => {
            let question = format!("Sign this with {}?", ca.name);
            let lines: Vec<String> = view.text().lines().map(str::to_owned).collect();
            if !args.yes && !confirm("what is signed", &lines, &question)? {
                out.note("Nothing was signed.");
                return Ok(Outcome::of(false));
            }
            shortened::note(args.days, &Validity::of(&profile, now, None), ca.certificate(), out);
            sign(&mut pki, &ca, args, &wanted, now)?
        }
    };
    tell(args, view, &ca, &signed, now, out)
}

fn wanted<'a>(args: &SignRequestArgs, request: &'a Request, profile: &'a Profile) -> CaSigning<'a> {
    CaSigning {
        request,
        profile,
        days: args.days,
        beyond_issuer: BeyondIssuer::of(args.days, args.shorten),
        path_length: args.path_length,
        leave_out: args.leave_out,
        renew: args.renew,
        keys: KeyPolicy { allow_exponent_3: args.allow_exponent_3 },
    }
}

fn sign(
    pki: &mut Pki,
    ca: &Ca,
    args: &SignRequestArgs,
    wanted: &CaSigning<'_>,
    now: OffsetDateTime,
) -> Result<SignedCa> {
    let key = unlock(ca, args.ca_password_file.as_ref())?;
    Ok(pki.sign_ca(ca, &key, wanted, now)?)
}

/// The only request of a file.
fn read(path: &Path) -> Result<Came> {
    let bytes = input::read(path)?;
    let named = |e: Error| e.in_file(path.display().to_string());
    let mut found = read::requests(&bytes).map_err(|e| named(e.into()))?;
    match (found.len(), found.pop()) {
        (1, Some(request)) => {
            let request = request.map_err(|e| named(e.into()))?;
            Ok(Came { request, sha256: hex(&sha256(&bytes)) })
        }
        (count, _) => Err(Failure::usage(
            format!("{} holds {count} requests, and one is signed at a time", path.display()),
            "give a file with the request of one CA",
        )),
    }
}

impl View {
    fn of(ca: &Ca, came: &Came, plan: &CaPlan) -> Self {
        let request = &came.request;
        Self {
            ca: ca.name.clone(),
            subject: request.subject.to_string(),
            key: request
                .public_key
                .as_ref()
                .map_or_else(ToString::to_string, |key| key.algorithm().to_string()),
            request_sha256: came.sha256.clone(),
            path_length: plan.path_length,
            chain_length: plan.chain_length,
            not_after: plan.validity.not_after,
            limited: plan.limited.iter().map(ToString::to_string).collect(),
            change: "planned",
            serial: None,
            file: None,
            chain: None,
        }
    }

    /// As it is in the certificate.
    fn with(self, signed: &SignedCa) -> Self {
        let own = &signed.chain[0];
        let path_length = own.basic_constraints.and_then(|bc| bc.path_length);
        Self {
            change: if signed.is_new { "signed" } else { "kept" },
            serial: Some(own.serial.to_string()),
            not_after: own.not_after,
            path_length: path_length.and_then(|n| u8::try_from(n).ok()),
            ..self
        }
    }

    fn text(&self) -> String {
        let mut text = as_line(&format!("CA {}", self.subject));
        let mut line = |what: &str, value: &str| {
            text.push_str(&as_line(&format!("  {what:<13} {value}")));
        };
        line("signed by", &self.ca);
        line("key", &self.key);
        line("valid until", &day(self.not_after));
        let below = self.path_length.map_or_else(|| "no limit".to_owned(), |n| n.to_string());
        line("path length", &below);
        line("chain", &format!("a device below it presents {} certificates", self.chain_length));
        line("request", &format!("SHA-256 {}", self.request_sha256));
        self.limited.iter().for_each(|limited| line("limited", limited));
        if let Some(serial) = &self.serial {
            line("serial number", serial);
        }
        if let Some(file) = &self.file {
            line("answer", &outlet::name(Path::new(file)));
        }
        text
    }
}

fn tell_before(signed: &SignedCa, out: Output) {
    out.note(&format!(
        "This request was signed before: the answer is that certificate, {}. --renew signs it anew.",
        signed.chain[0].serial
    ));
}

/// Writes the answer, and says what it is.
fn tell(
    args: &SignRequestArgs,
    view: View,
    ca: &Ca,
    signed: &SignedCa,
    now: OffsetDateTime,
    out: Output,
) -> Result {
    let out = out.beside(args.out.as_deref()).beside(args.protocol.protocol.as_deref());
    let mut view = view.with(signed);
    match &args.out {
        Some(path) => {
            outlet::write(path, signed.pem().as_bytes(), Access::Public, Existing::Replace, out)?;
            view.file = Some(path.display().to_string());
        }
        None => view.chain = Some(signed.pem()),
    }
    out.result(&view, |view| match &view.chain {
        Some(pem) => pem.clone(),
        None => view.text(),
    })?;
    if !signed.is_new {
        tell_before(signed, out);
    }
    protocol(args, &view, ca, signed, now).write(&args.protocol, out)?;
    out.note(&format!(
        "Take the answer to where the request was made: `c8y-pki ca add NAME --certificate {}`",
        args.out.as_deref().map_or_else(|| "FILE".to_owned(), |path| path.display().to_string())
    ));
    Ok(Outcome::Done)
}

fn protocol(
    args: &SignRequestArgs,
    view: &View,
    ca: &Ca,
    signed: &SignedCa,
    now: OffsetDateTime,
) -> Protocol {
    let own = &signed.chain[0];
    let what = match signed.is_new {
        true => "the request of a CA is signed",
        false => "the answer to a request that was signed before is written again",
    };
    let mut protocol = Protocol::new(what, now)
        .fact("Signed by", format!("{} ({})", ca.name, ca.certificate().subject))
        .fact("Subject", view.subject.clone())
        .fact("Key", view.key.clone())
        .fact("SHA-256 of the request", view.request_sha256.clone())
        .fact("Serial number", own.serial.to_string())
        .fact("Valid from", date(own.not_before))
        .fact("Valid until", date(own.not_after))
        .fact(
            "Path length",
            view.path_length.map_or_else(|| "no limit".to_owned(), |n| n.to_string()),
        )
        .fact("SHA-256 fingerprint", crate::render::colons(&own.fingerprint_sha256()));
    for limited in &view.limited {
        protocol = protocol.fact("Limited", printable(limited));
    }
    for path in [Some(&args.request), args.out.as_ref()].into_iter().flatten() {
        if path.is_file() {
            protocol = protocol.file(path);
        }
    }
    protocol.file(ca.dir().join("cert.pem"))
}
