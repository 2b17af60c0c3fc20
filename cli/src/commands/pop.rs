//! `pop`: proof of possession of a CA's key, at once or in pieces for a key that is elsewhere.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use c8y_pki_core::key::signer::Signer;
use c8y_pki_engine::files::{Access, Existing};
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::platform::pop::{self, CodeError, Proof, Signed, VerificationCode};
use c8y_pki_engine::platform::trusted::{self, TrustedCertificate};
use clap::{Args, Subcommand};
use serde::Serialize;
use time::OffsetDateTime;

use super::tenant::{Pick, fingerprint_of};
use crate::failure::{Failure, Outcome, Result};
use crate::input;
use crate::outlet;
use crate::output::Output;
use crate::render::{as_line, date, printable};
use crate::secrets;
use crate::tenant::{TenantArgs, show_requests};

/// Commands about proof of possession.
#[derive(Debug, Subcommand)]
pub(crate) enum PopCommand {
    /// Get the code, sign it, submit it, see that the proof is complete
    #[command(after_help = "\
Examples:
  c8y-pki pop prove --ca line-7
  c8y-pki pop prove --cert ca.pem --key ca.key

The text from the tenant is signed only if it is a code: one line of printable ASCII, 1 to 512
bytes, not DER, and not the beginning of a manifest. This is checked before the key is opened.

Exit codes: 0 complete, also when it was before; 1 the platform does not accept it, or gives no code
that may be signed; 2 a wrong key, password or certificate; 3 not reached, trying again may help.")]
    Prove(ProveArgs),
    /// Get the verification code, a new one if the last has expired
    #[command(after_help = "\
The code goes to standard output or to a file as it is, without a line end: all of it is signed.

Examples:
  c8y-pki pop code --ca line-7 --out code.txt
  c8y-pki pop code --cert ca.pem --new > code.txt")]
    Code(CodeArgs),
    /// Sign a verification code; needs no network
    #[command(after_help = "\
The result is that of `openssl dgst -sha256 -sign ca.key code.txt | openssl base64 -A`. Only a code
is signed: one line of printable ASCII, 1 to 512 bytes, not DER, and not the beginning of a
manifest. A line end at the end of the file is left out.

Examples:
  c8y-pki pop sign code.txt --key ca.key > signed.txt
  c8y-pki pop sign code.txt --ca line-7 --ca-password-file pw --out signed.txt
  c8y-pki pop sign code.txt --key \"pkcs11:token=Factory;object=root\" > signed.txt")]
    Sign(SignArgs),
    /// Submit a signed code, see that the proof is complete
    #[command(after_help = "\
Examples:
  c8y-pki pop submit signed.txt --cert ca.pem
  c8y-pki pop submit signed.txt --trusted \"Line 7\"

Exit codes: 0 complete; 1 the signature is not right, and why, or it is over a text that is no code;
2 wrong input; 3 not reached.")]
    Submit(SubmitArgs),
}

/// The private key that proves possession.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// File with the password of --key, or the PIN of its token
    /// [env: C8Y_PKI_KEY_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    key_password_file: Option<PathBuf>,
    /// File with the password of the CA's key, for --ca, or the PIN of its token
    /// [env: C8Y_PKI_CA_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    ca_password_file: Option<PathBuf>,
}

/// Arguments of `pop prove`.
#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    #[command(flatten)]
    pick: Pick,
    /// The CA's private key, in a file or a token (pkcs11:…); --ca knows its own
    #[arg(long, value_name = "FILE|URI", required_unless_present = "ca", conflicts_with = "ca")]
    key: Option<PathBuf>,
    #[command(flatten)]
    secret: KeyArgs,
    /// Print the requests, send nothing
    #[arg(long, conflicts_with = "trusted")]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArgs,
}

/// Arguments of `pop code`.
#[derive(Debug, Args)]
pub(crate) struct CodeArgs {
    #[command(flatten)]
    pick: Pick,
    /// Get a new code, even if the last one can still be used
    #[arg(long)]
    new: bool,
    /// Write the code here; - for standard output, as by default
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    tenant: TenantArgs,
}

/// Arguments of `pop sign`.
#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// File with the code; - for standard input
    code: PathBuf,
    /// The CA's private key, in a file or a token (pkcs11:…)
    #[arg(long, value_name = "FILE|URI", required_unless_present = "ca")]
    key: Option<PathBuf>,
    /// A CA of the PKI directory, in place of --key
    #[arg(long, value_name = "NAME", conflicts_with = "key")]
    ca: Option<String>,
    #[command(flatten)]
    secret: KeyArgs,
    /// Write the signed code here; - for standard output, as by default
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Arguments of `pop submit`.
#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// File with the signed code, base64 or as the key gave it; - for standard input
    signed: PathBuf,
    #[command(flatten)]
    pick: Pick,
    #[command(flatten)]
    tenant: TenantArgs,
}

pub(crate) fn run(command: &PopCommand, pki: &Path, out: Output) -> Result {
    match command {
        PopCommand::Prove(args) => prove(args, pki, out),
        PopCommand::Code(args) => code(args, pki, out),
        PopCommand::Sign(args) => sign(args, pki, out),
        PopCommand::Submit(args) => submit(args, pki, out),
    }
}

/// How far a proof is.
#[derive(Serialize)]
struct State<'a> {
    action: &'static str,
    name: &'a str,
    fingerprint: &'a str,
    complete: bool,
}

fn complete(found: &TrustedCertificate, action: &'static str, out: Output) -> Result {
    let complete = found.proof_of_possession_valid;
    let state = State { action, name: &found.name, fingerprint: &found.fingerprint, complete };
    out.result(&state, |s| {
        let what = if s.action == "already" { "was complete already" } else { "is complete" };
        as_line(&format!("{}: proof of possession {what}", s.name))
    })?;
    Ok(Outcome::Done)
}

fn prove(args: &ProveArgs, pki: &Path, out: Output) -> Result {
    let certificate = args.pick.certificate(pki)?;
    if let Some(certificate) = certificate.as_ref().filter(|_| args.dry_run) {
        let (tenant, fingerprint) = (args.tenant.known_tenant(), certificate.fingerprint_sha1());
        let requests = [
            pop::code_request(tenant, &fingerprint),
            pop::submit_request(tenant, &fingerprint, "(the signed code)"),
        ];
        return show_requests(&requests, out);
    }
    let client = args.tenant.connect(out)?;
    let certificate = match certificate {
        Some(certificate) => certificate,
        None => {
            let fingerprint = fingerprint_of(&client, &args.pick, pki)?;
            client.wait(trusted::known(&client, &fingerprint))?.certificate()?
        }
    };
    // Only when there is a code to sign.
    let open = || private_key(args.key.as_deref(), args.pick.ca.as_deref(), &args.secret, pki);
    let (proof, found) =
        client.wait(pop::prove(&client, &certificate, open, OffsetDateTime::now_utc()))?;
    let action = match proof {
        Proof::Made => "made now",
        Proof::AlreadyComplete => "already",
    };
    complete(&found, action, out)
}

/// The key of a file or of a CA of the PKI directory.
fn private_key(
    file: Option<&Path>,
    ca: Option<&str>,
    secret: &KeyArgs,
    dir: &Path,
) -> Result<Box<dyn Signer>> {
    match (file, ca) {
        (Some(path), _) => secrets::signer(path, secret.key_password_file.as_ref()),
        (None, Some(name)) => {
            let pki = Pki::open_to_read(dir, OffsetDateTime::now_utc())?;
            let ca = pki.ca(name)?;
            Ok(Box::new(secrets::unlock(&ca, secret.ca_password_file.as_ref())?))
        }
        (None, None) => Err(Failure::usage("no private key is given", "give --key or --ca")),
    }
}

#[derive(Serialize)]
struct Code<'a> {
    fingerprint: &'a str,
    name: &'a str,
    complete: bool,
    code: Option<&'a str>,
    #[serde(with = "time::serde::rfc3339::option")]
    usable_until: Option<OffsetDateTime>,
}

fn code(args: &CodeArgs, pki: &Path, out: Output) -> Result {
    let client = args.tenant.connect(out)?;
    let fingerprint = fingerprint_of(&client, &args.pick, pki)?;
    let found =
        client.wait(pop::code(&client, &fingerprint, args.new, OffsetDateTime::now_utc()))?;
    let code = match found.proof_of_possession_valid {
        true => None,
        false => pop::code_of(&client, &found)?,
    };
    let code = code.as_ref().map(VerificationCode::as_str);
    let until = found.proof_of_possession_verification_code_usable_until;
    let Some(text) = code else {
        out.note(&format!("{}: the proof is complete, there is nothing to sign", found.name));
        if out.is_json() {
            out.result(&view(&found, None, until), |_| String::new())?;
        }
        return Ok(Outcome::Done);
    };
    match &args.out {
        Some(path) => {
            outlet::write(path, text.as_bytes(), Access::Public, Existing::Replace, out)?;
            let shown = path.display().to_string();
            out.result_aside(&view(&found, code, until), |_| usable(&shown, until));
        }
        None if out.is_json() => out.result(&view(&found, code, until), |_| String::new())?,
        None => {
            match is_seen() {
                true => out.text(&format!("{}\n", printable(text)))?,
                false => out.data(text.as_bytes())?,
            }
            out.note(&usable("this code", until));
        }
    }
    Ok(Outcome::Done)
}

fn view<'a>(
    found: &'a TrustedCertificate,
    code: Option<&'a str>,
    usable_until: Option<OffsetDateTime>,
) -> Code<'a> {
    let TrustedCertificate { fingerprint, name, proof_of_possession_valid: complete, .. } = found;
    Code { fingerprint, name, complete: *complete, code, usable_until }
}

fn usable(what: &str, until: Option<OffsetDateTime>) -> String {
    match until {
        Some(end) => format!("{what}: can be used until {}", date(end)),
        None => format!("{what}: the platform does not say until when it can be used"),
    }
}

/// Whether standard output is a terminal: then a line end belongs to what is shown.
fn is_seen() -> bool {
    std::io::stdout().is_terminal()
}

/// The code in a file, and whether a line end stands behind it, as an editor leaves one. A byte order
/// mark is no part of it. What stands around a code in JSON or a shell is refused, not signed with it.
fn code_in(bytes: &[u8]) -> std::result::Result<(VerificationCode, bool), String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || bytes.contains(&0) {
        return Err("it is text in UTF-16; save it as UTF-8 or ASCII".to_owned());
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let code = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let code = code.strip_suffix(b"\r").unwrap_or(code);
    if code.starts_with(b"{") || code.starts_with(b"[") {
        return Err("it is JSON; give the code in it alone".to_owned());
    }
    if let [b'"' | b'\'', ..] | [.., b'"' | b'\''] = code {
        return Err("there are quotes around the code, which are no part of it".to_owned());
    }
    let not_ascii = |e: std::str::Utf8Error| CodeError::NotAscii(e.valid_up_to() + 1).to_string();
    let text = std::str::from_utf8(code).map_err(not_ascii)?;
    let parsed = VerificationCode::parse(text).map_err(|e| e.to_string())?;
    Ok((parsed, code.len() < bytes.len()))
}

#[derive(Serialize)]
struct SignedView<'a> {
    signed: &'a str,
}

fn sign(args: &SignArgs, pki: &Path, out: Output) -> Result {
    let shown = args.code.display();
    let bytes = input::read(&args.code)?;
    let (code, had_line_end) = code_in(&bytes).map_err(|problem| {
        let hint = "get one: `c8y-pki pop code --ca NAME --out code.txt`";
        Failure::usage(format!("{shown} holds no verification code: {problem}"), hint)
    })?;
    if had_line_end {
        out.warning(&format!(
            "{shown} ends with a line end, which is not part of the code and was not signed; with it the \
             proof could fail"
        ));
    }
    let key = private_key(args.key.as_deref(), args.ca.as_deref(), &args.secret, pki)?;
    let signed = pop::sign(key.as_ref(), &code)?;
    if let Some(path) = &args.out {
        outlet::write(path, signed.as_bytes(), Access::Public, Existing::Replace, out)?;
        out.result_aside(&SignedView { signed: &signed }, |_| path.display().to_string());
        return Ok(Outcome::Done);
    }
    let end = if is_seen() { "\n" } else { "" };
    out.result(&SignedView { signed: &signed }, |s| format!("{}{end}", s.signed))?;
    Ok(Outcome::Done)
}

fn submit(args: &SubmitArgs, pki: &Path, out: Output) -> Result {
    let shown = args.signed.display();
    let given = input::read(&args.signed)?;
    if given.trim_ascii().is_empty() || given.starts_with(b"-----BEGIN") {
        let hint = "give the file that `c8y-pki pop sign` or `openssl dgst -sign` has written";
        return Err(Failure::usage(format!("{shown} holds no signed code"), hint));
    }
    let signature = pop::signature(&given);
    let client = args.tenant.connect(out)?;
    let fingerprint = fingerprint_of(&client, &args.pick, pki)?;
    let found = client.wait(trusted::known(&client, &fingerprint))?;
    if found.proof_of_possession_valid {
        return complete(&found, "already", out);
    }
    let public_key = found.certificate()?.public_key?;
    // What others have signed is not handed over either, if it is no code.
    let code = pop::code_of(&client, &found)?;
    let is_over = !found.has_usable_code(OffsetDateTime::now_utc());
    let again = "sign the code that `c8y-pki pop code` gives";
    let problem = match code.map(|code| (pop::judge(&public_key, &code, &signature), code)) {
        None => Some(("there is no verification code for it", again)),
        Some(_) if is_over => Some(("the code has expired", again)),
        Some((Signed::Right, _)) => None,
        Some((Signed::WithLineEnd, _)) => Some((
            "the code was signed with a line end, which is no part of it",
            "use `c8y-pki pop sign`, or write the code with `printf %s`",
        )),
        Some((Signed::Wrong, code)) if given.trim_ascii() == code.as_str().as_bytes() => {
            Some(("it is the code itself, not signed yet", "sign it: `c8y-pki pop sign`"))
        }
        Some((Signed::Wrong, _)) => Some((
            "it is not the CA's signature of the present code: another key signed it, or another code was signed",
            again,
        )),
    };
    if let Some((problem, hint)) = problem {
        return Err(Failure::no(format!("{shown} is not submitted: {problem}"), hint));
    }
    complete(&client.wait(pop::submit(&client, &fingerprint, &signature))?, "made now", out)
}
