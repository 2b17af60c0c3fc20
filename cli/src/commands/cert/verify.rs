//! `cert verify`: a chain against what is trusted, and its revocation lists.

use std::path::Path;

use c8y_pki_core::chain::{self, ChainError, DeviceFinding, Refusal, Rule, VerifiedChain};
use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::failure::{Failure as _, Hint};
use c8y_pki_engine::platform::verdict::Comparison;
use serde::Serialize;
use time::OffsetDateTime;

use super::args::VerifyArgs;
use super::lists::{self, Given, Lists};
use super::{at_tenant, manifest};
use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::{self, as_line};
use crate::values;

#[derive(Serialize)]
struct Verdict<'a> {
    valid: bool,
    path: Option<&'a VerifiedChain>,
    /// Duties of issuers that are broken.
    warnings: &'a [Refusal],
    refusal: Option<&'a Refusal>,
    error: Option<String>,
    hint: Option<Hint>,
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

pub(super) fn run(args: &VerifyArgs, pki: &Path, out: Output) -> Result {
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
        hint: error.and_then(|e| e.hint()),
        revocation_checked: judged.lists.iter().any(Given::is_used),
        lists: &judged.lists,
        device: findings.as_deref(),
        tenant: asked.as_ref().map(|asked| &asked.compared),
    };
    out.result(&verdict, verdict_text)?;
    lists::note_unused(&judged.lists, out);
    if verdict.valid && judged.lists.is_empty() {
        out.note("No revocation list was given (--crl), so revocation was not checked.");
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
        Rule::NoNextUpdate { .. } => "OpenSSL accepts such a list, Java does not",
        Rule::SignatureParameters(what) if what.contains("RSA-PSS") => {
            "OpenSSL and Java accept it, GnuTLS does not"
        }
        _ => "servers do not enforce it",
    }
}
