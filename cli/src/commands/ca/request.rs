//! `ca request`: the request with which another CA certifies one of this directory, or one that is new.

use std::path::{Path, PathBuf};

use c8y_pki_core::crypto::{KeyType, hex, sha256};
use c8y_pki_core::csr::{self, CaAsked};
use c8y_pki_core::failure::Task;
use c8y_pki_core::key::pkcs11::KeyUri;
use c8y_pki_core::profile::{Kind, Profile};
use c8y_pki_engine::Error;
use c8y_pki_engine::files::{Access, Existing};
use c8y_pki_engine::pki::{AuthorityError, Ca, CaWish, KeyPlace, Pki, WaitingCa};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use super::make::named;
use crate::clock;
use crate::commands::ml_dsa;
use crate::failure::{Failure, Outcome, Result};
use crate::hint;
use crate::outlet;
use crate::output::Output;
use crate::protocol::{Protocol, ProtocolArgs};
use crate::render::printable;
use crate::said::{Noted, Said};
use crate::secrets::{Place, PlaceArgs, unlock};
use crate::values::{self, SubjectArgs};

/// Arguments of `ca request`.
#[derive(Debug, Args)]
#[command(after_help = "\
For a new CA whose issuer is elsewhere (an offline root, the CA of a company): --subject makes its key,
which stays here, and the request. The CA then waits for its certificate. The same command again writes
the same request, and never makes a second key. Take the answer in with `c8y-pki ca add NAME
--certificate FILE`. A request for a new CA says CA:TRUE, the path length if you give one, and the key
usages of the profile.

For a CA that has a certificate, the request has its public key and its subject, and nothing else: the
CA that signs it decides what goes into the certificate. It must not change the subject (with OpenSSL:
`openssl ca -preserveDN`, and a policy that keeps each field). If it does, devices that this CA has
issued have no valid chain. Take the new certificate in with the same command.

Examples:
  c8y-pki ca request line-7 --subject \"CN=Line 7,O=Example GmbH,C=DE\" --out line-7.csr
  c8y-pki ca request line-7 --subject \"CN=Line 7\" --token \"pkcs11:token=Factory;object=line-7\"
  c8y-pki ca request line-7 --out line-7.csr
  c8y-pki ca request line-7 | openssl req -noout -text -verify")]
pub(crate) struct RequestArgs {
    /// Name of the CA
    name: String,
    /// Where the request goes, as PEM; by default to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    subject: SubjectArgs,
    /// For a new CA: the profile with the type of its key and its key usages
    #[arg(long, default_value = "intermediate", value_name = "NAME|FILE", value_parser = Noted)]
    profile: Said,
    /// For a new CA: type of its key, in place of the profile's
    #[arg(long = "key-type", value_name = "TYPE")]
    key_type: Option<KeyType>,
    /// For a new CA: how many CAs it asks to have below it; without this option its issuer decides
    #[arg(long, value_name = "N")]
    path_length: Option<u8>,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    protocol: ProtocolArgs,
}

#[derive(Serialize)]
struct Requested {
    ca: String,
    subject: String,
    /// Whether it has no certificate yet.
    waiting: bool,
    /// Whether its key was made just now.
    made: bool,
    /// The request as PEM, if it went into no file.
    request: Option<String>,
    file: Option<String>,
    /// SHA-256 of the request's PEM, to be compared where it is signed.
    sha256: String,
}

pub(super) fn run(args: &RequestArgs, dir: &Path, out: Output) -> Result {
    args.protocol.check()?;
    outlet::check_place(args.out.as_deref())?;
    let now = OffsetDateTime::now_utc();
    let waiting = match dir.join("pki.toml").exists() {
        true => clock::open_to_read(dir, out)?.waiting_ca(&args.name)?,
        false => None,
    };
    if let Some(waiting) = waiting {
        check_same(args, &waiting)?;
        return tell(args, &of_waiting(&waiting, false), Some(&waiting), now, out);
    }
    if let Err(e) = Pki::check_new_name(dir, &args.name) {
        if !e.is_name_taken() {
            return Err(e.into());
        }
        return again(args, dir, now, out);
    }
    if !args.subject.is_given() {
        // A name that was mistyped, or a new CA.
        if dir.join("pki.toml").exists() {
            let known = clock::open_to_read(dir, out)?.ca(&args.name);
            if let Err(e) = known {
                out.note(
                    "For a new CA give its subject: --subject \"CN=Line 7,O=Example GmbH,C=DE\"",
                );
                return Err(e.into());
            }
        }
        return Err(Failure::usage(
            format!(
                "there is no CA {:?} in {}, and a new one needs a subject",
                args.name,
                dir.display()
            ),
            "give one: --subject \"CN=Line 7,O=Example GmbH,C=DE\"",
        ));
    }
    let waiting = make(args, dir, now, out)?;
    tell(args, &of_waiting(&waiting, true), Some(&waiting), now, out)
}

/// Makes the key of a new CA, and its request.
fn make(args: &RequestArgs, dir: &Path, now: OffsetDateTime, out: Output) -> Result<WaitingCa> {
    let profile = profile(args)?;
    let subject = named(&args.subject, &profile)?;
    ml_dsa::warn(ml_dsa::of_new(profile.key), out);
    let ready = Place::of(&args.place, profile.key, out)?.ready()?;
    let mut pki = clock::open_or_create(dir, now)?;
    let wish = CaWish {
        subject: &subject,
        key_type: profile.key,
        key: ready.new_key(),
        path_length: args.path_length,
        key_usage: &profile.key_usage,
    };
    Ok(pki.request_ca(&args.name, &wish)?)
}

fn profile(args: &RequestArgs) -> Result<Profile> {
    let profile = values::profile(args.profile.as_str(), args.key_type)?;
    match profile.kind {
        Kind::Root | Kind::Intermediate => Ok(profile),
        _ => Err(Failure::usage(
            format!("profile {:?} is not for a CA", profile.name),
            "give one of kind intermediate: `c8y-pki profile list`",
        )),
    }
}

/// Refuses to write the request of a CA that waits for one that asks for something else. The same command again
/// gives it again.
fn check_same(args: &RequestArgs, waiting: &WaitingCa) -> Result<()> {
    let request = &waiting.request;
    let key = request.public_key.as_ref().ok().and_then(|key| KeyType::of(key.algorithm()));
    let asked = CaAsked::of(request).map_err(AuthorityError::from)?;
    let has_usages = match args.profile.on_line() {
        Some(_) => asked.asks_for(&profile(args)?.key_usage),
        None => true,
    };
    let differs = if args.subject.is_given()
        && named(&args.subject, &profile(args)?)? != request.subject
    {
        "--subject"
    } else if args.key_type.is_some_and(|wanted| Some(wanted) != key) {
        "--key-type"
    } else if args.path_length.is_some_and(|wanted| Some(u32::from(wanted)) != asked.path_length())
    {
        "--path-length"
    } else if !has_usages {
        "--profile"
    } else if !is_there(args.place.token.as_deref(), waiting.key_place())? {
        "--token"
    } else {
        return Ok(());
    };
    let has = printable(&request.subject.to_string());
    Err(Failure::usage(
        format!(
            "the CA {} waits with a request for {has}, and {differs} says something else",
            waiting.name
        ),
        format!(
            "leave {differs} out to get this request again; to drop it, remove the directory {} with its key",
            waiting.dir().display()
        ),
    ))
}

/// Whether a key is where it is asked for.
fn is_there(token: Option<&str>, place: &KeyPlace) -> Result<bool> {
    let Some(wanted) = token else { return Ok(true) };
    let wanted: KeyUri = wanted.parse().map_err(AuthorityError::from)?;
    Ok(matches!(place, KeyPlace::Token { uri, .. } if wanted.fits(uri)))
}

/// The request of a CA that has a certificate.
fn again(args: &RequestArgs, dir: &Path, now: OffsetDateTime, out: Output) -> Result {
    let pki = clock::open_to_read(dir, out)?;
    let ca = pki.ca(&args.name)?;
    if args.subject.is_given() || args.key_type.is_some() || args.path_length.is_some() {
        return Err(Failure::usage(
            format!("the CA {} has a certificate, and keeps its subject and its key", ca.name),
            format!(
                "leave --subject, --key-type and --path-length out: {}",
                hint::run(&Task::RequestCa { ca: ca.name.clone() })
            ),
        ));
    }
    if args.place.token.is_some() {
        return Err(Failure::usage(
            "--token is for a new key, but the CA keeps its own",
            "leave it out, or choose another name for a new CA",
        ));
    }
    tell(args, &of_ca(args, &ca)?, None, now, out)
}

fn of_ca(args: &RequestArgs, ca: &Ca) -> Result<Requested> {
    let key = unlock(ca, args.place.ca_password_file.as_ref())?;
    let subject = &ca.certificate().subject;
    let pem = csr::pem(&csr::make(subject, &key).map_err(Error::from)?);
    Ok(Requested {
        ca: ca.name.clone(),
        subject: subject.to_string(),
        waiting: false,
        made: false,
        sha256: hex(&sha256(pem.as_bytes())),
        request: Some(pem),
        file: None,
    })
}

fn of_waiting(waiting: &WaitingCa, made: bool) -> Requested {
    Requested {
        ca: waiting.name.clone(),
        subject: waiting.request.subject.to_string(),
        waiting: true,
        made,
        sha256: hex(&sha256(waiting.pem.as_bytes())),
        request: Some(waiting.pem.clone()),
        file: None,
    }
}

/// Writes the request, and says what comes next.
fn tell(
    args: &RequestArgs,
    made: &Requested,
    waiting: Option<&WaitingCa>,
    now: OffsetDateTime,
    out: Output,
) -> Result {
    let out = out.beside(args.out.as_deref()).beside(args.protocol.protocol.as_deref());
    let pem = made.request.as_deref().unwrap_or_default();
    let (ca, subject, sha256) = (made.ca.clone(), made.subject.clone(), made.sha256.clone());
    let mut said = Requested { ca, subject, sha256, request: None, file: None, ..*made };
    match &args.out {
        Some(path) => {
            outlet::write(path, pem.as_bytes(), Access::Public, Existing::Replace, out)?;
            said.file = Some(path.display().to_string());
        }
        None => said.request = Some(pem.to_owned()),
    }
    out.result(&said, |said| match (&said.request, &said.file) {
        (Some(pem), _) => pem.clone(),
        (None, file) => format!(
            "Request of {} for {}\n  {}\n  SHA-256 {}\n",
            said.ca,
            printable(&said.subject),
            file.as_deref().map(|file| outlet::name(Path::new(file))).unwrap_or_default(),
            said.sha256
        ),
    })?;
    protocol(args, made, waiting, now).write(&args.protocol, out)?;
    out.note(&match made.waiting {
        true => format!(
            "{} waits for its certificate. Have the request signed (`c8y-pki ca sign-request FILE --ca NAME` \
             where the CA above is), then take the answer in: {}",
            made.ca,
            hint::run(&Task::TakeAnswer { ca: made.ca.clone() })
        ),
        false => format!(
            "Take the new certificate in: {}; it must have the same subject.",
            hint::run(&Task::TakeAnswer { ca: made.ca.clone() })
        ),
    });
    Ok(Outcome::Done)
}

fn protocol(
    args: &RequestArgs,
    made: &Requested,
    waiting: Option<&WaitingCa>,
    now: OffsetDateTime,
) -> Protocol {
    let what = match (made.waiting, made.made) {
        (true, true) => "the key of a CA is made, and its request is written",
        (true, false) => "the request of a CA is written again; its key is the former one",
        (false, _) => "a request for a new certificate of a CA is written",
    };
    let protocol = Protocol::new(what, now)
        .fact("CA", made.ca.clone())
        .fact("Subject", made.subject.clone())
        .fact("SHA-256 of the request", made.sha256.clone());
    let protocol = match waiting {
        Some(waiting) => protocol.key(waiting.key_place()).file(waiting.request_path()),
        None => protocol,
    };
    match &args.out {
        Some(path) if path.is_file() => protocol.file(path),
        _ => protocol,
    }
}
