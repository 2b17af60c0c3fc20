//! `cert`: any certificate, request, CRL, key or store shown; chains ordered and verified.

mod at_tenant;
mod lists;
mod manifest;

use std::path::{Path, PathBuf};

use c8y_pki::Error;
use c8y_pki::cert::{Certificate, LongestChain};
use c8y_pki::chain::{
    self, ChainError, DeviceFinding, LeafChoice, Policies, Refusal, Rule, VerifiedChain,
};
use c8y_pki::client_id::DeviceId;
use c8y_pki::describe::{DescribeError, Passwords, describe, needs_password};
use c8y_pki::files::{self, Access, Existing};
use c8y_pki::platform::verdict::Comparison;
use c8y_pki::secret::Password;
use c8y_pki::store::{self, Format, StoreError};
use clap::{Args, Subcommand};
use serde::Serialize;
use time::OffsetDateTime;

use lists::{Given, Lists};

use crate::failure::{Outcome, Result};
use crate::outlet;
use crate::output::Output;
use crate::render::{self, as_line, items};
use crate::secrets::{self, known};
use crate::values;
use at_tenant::AskArgs;

/// Commands about certificates.
#[derive(Debug, Subcommand)]
pub(crate) enum CertCommand {
    /// Show what a file holds: certificates, requests, CRLs, keys (public half), stores
    #[command(after_help = "\
Examples:
  c8y-pki cert show chain.pem
  c8y-pki cert show keystore.p12 --password-file pw --json")]
    Show(ShowArgs),
    /// Verify a certificate chain by RFC 5280, and by the platform's rules with --as-device
    #[command(after_help = "\
Examples:
  c8y-pki cert verify --trust root.pem chain.pem
  c8y-pki cert verify --trust root.pem --as-device gw-0001 out/gw-0001/chain.pem
  c8y-pki cert verify --trust root.pem --as-device gw-0001 --longest-chain 12 chain.pem
  c8y-pki cert verify --trust root.pem --crl line-7.crl chain.pem
  c8y-pki cert verify --trust root.pem --crl all.crl --untrusted list-signer.pem chain.pem
  c8y-pki cert verify --trust root.pem --untrusted line-7.pem --strict device.pem
  c8y-pki cert verify --tenant out/gw-0001/chain.pem
  c8y-pki cert verify --manifest handover/manifest.csv --trust root.pem handover/chain.pem

With --tenant the platform is asked for its own verdict, and both stand side by side; where they
differ, the platform's is the one that counts for connections.

Exit codes: 0 it is good, with --tenant by both verdicts; 1 it is refused: the certificate and the
rule are named; or the two verdicts differ; 2 a file cannot be read, or the platform did not judge
the chain (no right, or a release without the call); 3 the tenant was not reached.")]
    Verify(Box<VerifyArgs>),
    /// Put certificates in order: leaf first, each followed by its issuer
    #[command(after_help = "\
Examples:
  c8y-pki cert chain device.pem root.pem line.pem --out chain.pem
  c8y-pki cert chain heap.pem --leaf gw-0001")]
    Chain(ChainArgs),
}

/// Arguments of `cert show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// PEM or DER files, PKCS#7, PKCS#12 and JKS stores
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// File with the password of an encrypted key or a store [env: C8Y_PKI_PASSWORD]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Arguments of `cert verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The chain: PEM or DER, leaf first, then intermediates in any order; with --manifest that of
    /// the CA that signed it, if that is not trusted by itself
    #[arg(required_unless_present = "manifest")]
    chain: Option<PathBuf>,
    /// Trusted certificates, roots or intermediates: PEM or DER; may be repeated. With --tenant by default those
    /// that the tenant has
    #[arg(long, value_name = "FILE", required_unless_present = "ask")]
    trust: Vec<PathBuf>,
    /// More intermediates, and certificates of keys that have signed revocation lists in a CA's place, in any
    /// order: PEM or DER; may be repeated
    #[arg(long, value_name = "FILE")]
    untrusted: Vec<PathBuf>,
    /// Refuse also what RFC 5280 asks of issuers only and servers do not enforce; without it that is a
    /// warning
    #[arg(long, conflicts_with = "manifest")]
    strict: bool,
    #[command(flatten)]
    policies: PolicyArgs,
    /// The time for which to verify (RFC 3339, e.g. 2026-11-22T10:00:00Z); by default now
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    at: Option<OffsetDateTime>,
    /// Most intermediates between leaf and trusted certificate; by default what the longest chain leaves: 8 of 10
    #[arg(long, value_name = "N")]
    max_depth: Option<u8>,
    /// Apply the platform's rules too, for the device with this identifier
    #[arg(long, value_name = "ID", conflicts_with = "manifest")]
    as_device: Option<String>,
    /// Most certificates in a chain, both ends counted; by default what the PKI folder's pki.toml says, else 10 as
    /// in the cloud
    #[arg(long, value_name = "N")]
    longest_chain: Option<LongestChain>,
    /// Revocation lists: PEM or DER, complete ones, delta lists, lists for some certificates or reasons, indirect
    /// ones; one has to be for the leaf; may be repeated
    #[arg(long, value_name = "FILE")]
    crl: Vec<PathBuf>,
    /// Certificates of other CAs that have the name of an issuer in the chain and have made one of the lists, as after
    /// `ca renew --new-key`: their lists are told apart; may be repeated
    #[arg(long, value_name = "FILE", requires = "crl")]
    other_ca: Vec<PathBuf>,
    /// Verify this hand-over file in place of a chain: the CA that its rows name has to have made its
    /// signature (FILE.sig)
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    tenant: AskArgs,
}

/// Certificate policies that are asked for.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// A certificate policy that is acceptable, as a dotted object identifier (e.g. 1.3.6.1.4.1.99999.1); by
    /// default any; may be repeated
    #[arg(long = "policy", value_name = "OID", conflicts_with = "manifest")]
    acceptable: Vec<String>,
    /// One of the acceptable policies has to be valid for the chain
    #[arg(long, conflicts_with = "manifest")]
    explicit_policy: bool,
    /// Mappings of policies do not count
    #[arg(long, conflicts_with = "manifest")]
    inhibit_policy_mapping: bool,
    /// The policy anyPolicy does not count
    #[arg(long, conflicts_with = "manifest")]
    inhibit_any_policy: bool,
}

impl PolicyArgs {
    fn policies(&self) -> Policies {
        Policies {
            acceptable: self.acceptable.iter().cloned().collect(),
            explicit: self.explicit_policy,
            inhibit_mapping: self.inhibit_policy_mapping,
            inhibit_any: self.inhibit_any_policy,
        }
    }
}

/// Arguments of `cert chain`.
#[derive(Debug, Args)]
pub(crate) struct ChainArgs {
    /// PEM or DER files with certificates in any order
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Common name of the first certificate, if it is in doubt
    #[arg(long, value_name = "CN")]
    leaf: Option<String>,
    /// Write the chain here; - for standard output, as by default
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Warn of more certificates than that; by default what the PKI folder's pki.toml says, else 10 as in the cloud
    #[arg(long, value_name = "N")]
    longest_chain: Option<LongestChain>,
}

pub(crate) fn run(command: &CertCommand, pki: &Path, out: Output) -> Result {
    match command {
        CertCommand::Show(args) => show(args, out),
        CertCommand::Verify(args) => verify(args, pki, out),
        CertCommand::Chain(args) => order(args, pki, out),
    }
}

fn show(args: &ShowArgs, out: Output) -> Result {
    for path in &args.files {
        let bytes = files::read_small(path)?;
        let name = path.display().to_string();
        let source = known::shown(args.password_file.as_ref(), &name);
        let open = |password: Option<&Password>| {
            if password.is_none() && needs_password(&bytes) {
                let tried = describe(&bytes, Passwords::default());
                // A JKS store without its password is not seen whole.
                let jks = StoreError::PasswordNeeded { format: Format::Jks };
                return if store::is_pkcs12(&bytes) { tried } else { Err(jks.into()) };
            }
            describe(&bytes, Passwords { password, key: None })
        };
        let needs = |e: &DescribeError| {
            matches!(e, DescribeError::Store(StoreError::PasswordNeeded { .. }))
        };
        let found =
            secrets::opening(source, open, needs)?.map_err(|e| Error::from(e).in_file(name))?;
        if out.is_json() {
            for item in &found {
                out.result(item, |_| String::new())?;
            }
        } else {
            out.text(&items(&found))?;
        }
    }
    Ok(Outcome::Done)
}

#[derive(Serialize)]
struct Verdict<'a> {
    valid: bool,
    path: Option<&'a VerifiedChain>,
    /// Duties of issuers that are broken.
    warnings: &'a [Refusal],
    refusal: Option<&'a Refusal>,
    error: Option<String>,
    hint: Option<String>,
    /// Whether a revocation list was used.
    revocation_checked: bool,
    /// The revocation lists that were given.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    lists: &'a [Given],
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a [DeviceFinding]>,
    /// The platform's verdict beside this one, if it was to be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a Comparison>,
}

fn verify(args: &VerifyArgs, pki: &Path, out: Output) -> Result {
    let longest = values::longest_chain(args.longest_chain, pki)?;
    let max_depth = args.max_depth.unwrap_or(longest.between());
    let mut anchors = Vec::new();
    for path in &args.trust {
        anchors.extend(values::certificates(path)?);
    }
    let presented = match &args.chain {
        Some(chain) => values::certificates(chain)?,
        None => Vec::new(),
    };
    let tenant = args.tenant.connect(out)?;
    if let (Some(tenant), true) = (&tenant, anchors.is_empty()) {
        anchors = tenant.anchors()?;
    }
    if let Some(manifest) = &args.manifest {
        return manifest::verify(args, manifest, (&presented, &anchors), max_depth, out);
    }
    let lists = Lists::read(args, &anchors)?;
    let id = args.as_device.as_deref().map(DeviceId::parse).transpose()?;
    let mut options = chain::Options::new(args.at.unwrap_or_else(OffsetDateTime::now_utc));
    options.max_depth = max_depth;
    options.strict = args.strict;
    options.policies = args.policies.policies();
    let (leaf, rest) = presented.split_first().ok_or(ChainError::Empty)?;
    let mut rest = rest.to_vec();
    for path in &args.untrusted {
        rest.extend(values::certificates(path)?);
    }
    let judged = lists.judge(leaf, &rest, &anchors, &options);
    let findings = id.map(|id| chain::check_device(&presented, &anchors, &id, longest));
    let refused_as_device = findings.as_ref().is_some_and(|all| all.iter().any(|f| !f.is_note()));
    let error = judged.error.as_ref();
    let valid = error.is_none() && !refused_as_device;
    let ours = at_tenant::ours(judged.path.as_ref(), error, findings.as_deref());
    let asked = tenant.map(|tenant| tenant.ask(&presented, ours));
    let verdict = Verdict {
        valid,
        path: judged.path.as_ref().filter(|_| error.is_none()),
        warnings: &judged.warnings,
        refusal: error.and_then(ChainError::refusal),
        error: error.map(ToString::to_string),
        hint: error.and_then(ChainError::hint),
        revocation_checked: judged.lists.iter().any(Given::is_used),
        lists: &judged.lists,
        device: findings.as_deref(),
        tenant: asked.as_ref().map(|asked| &asked.compared),
    };
    out.result(&verdict, verdict_text)?;
    lists::note_unused(&judged.lists, out);
    if verdict.valid && judged.lists.is_empty() {
        out.note("No revocation list was given: whether a certificate is revoked was not looked at (--crl).");
    }
    match asked {
        Some(asked) => asked.outcome(valid),
        None => Ok(Outcome::of(verdict.valid)),
    }
}

fn verdict_text(verdict: &Verdict<'_>) -> String {
    let mut lines = Vec::new();
    if let Some(path) = verdict.path {
        let whole = "valid by RFC 5280, but refused by the platform's rules:";
        lines.push(if verdict.valid { "valid" } else { whole }.to_owned());
        for (position, cert) in path.certificates().iter().enumerate() {
            lines.push(format!("  {position}  {}", cert.subject));
        }
    }
    if let Some(error) = &verdict.error {
        lines.push(format!("refused: {error}"));
        lines.extend(verdict.hint.as_ref().map(|hint| format!("hint: {hint}")));
    }
    // What is only recommended would stand under nearly every chain: the JSON has it.
    for warning in verdict.warnings.iter().filter(|w| !w.rule.is_advice()) {
        lines.push(format!("warning: {warning}; {}", who_minds(&warning.rule)));
    }
    for finding in verdict.device.unwrap_or_default() {
        let word = if finding.is_note() { "note" } else { "refused" };
        lines.push(format!("{word}: {finding}"));
        lines.extend(finding.hint().map(|hint| format!("hint: {hint}")));
    }
    let text: String = lines.iter().map(|line| as_line(line)).collect();
    text + &verdict.tenant.map_or_else(String::new, render::verdicts)
}

/// Which servers take what is warned about (docs/how-to/check-a-chain.md: measured).
fn who_minds(rule: &Rule) -> &'static str {
    match rule {
        Rule::NoNextUpdate { .. } => "OpenSSL takes such a list, Java does not",
        Rule::SignatureParameters(what) if what.contains("RSA-PSS") => {
            "OpenSSL and Java take it, GnuTLS does not"
        }
        _ => "servers do not enforce it",
    }
}

fn order(args: &ChainArgs, pki: &Path, out: Output) -> Result {
    let longest = values::longest_chain(args.longest_chain, pki)?;
    let mut heap = Vec::new();
    for path in &args.files {
        heap.extend(values::certificates(path)?);
    }
    let choice = args.leaf.as_deref().map_or(LeafChoice::Only, LeafChoice::CommonName);
    let ordered = chain::order(&heap, choice).map_err(Error::from)?;
    let pem: String = ordered.certificates.iter().map(Certificate::pem).collect();
    if let Some(path) = &args.out {
        outlet::write(path, pem.as_bytes(), Access::Public, Existing::Replace, out)?;
    }
    let out = out.beside(args.out.as_deref());
    if out.is_json() {
        out.result(&ordered, |_| String::new())?;
    } else if args.out.is_none() {
        out.data(pem.as_bytes())?;
    }
    for (position, cert) in ordered.certificates.iter().enumerate() {
        out.note(&format!("{position}  {}", cert.subject));
    }
    for cert in &ordered.unrelated {
        out.warning(&format!("{} has no part in the chain", cert.subject));
    }
    if !longest.takes(ordered.certificates.len()) {
        let found = ordered.certificates.len();
        out.warning(&DeviceFinding::TooMany { found, longest }.to_string());
    }
    if let Some(issuer) = &ordered.missing_issuer {
        out.warning(&format!("the chain is not complete: the certificate of {issuer} is missing"));
        return Ok(Outcome::No);
    }
    Ok(Outcome::Done)
}
