//! `ca add --import`: a CA made elsewhere is taken in.

use std::path::{Path, PathBuf};

use c8y_pki::Error;
use c8y_pki::authority::{OwnKey, Pki};
use c8y_pki::cert::Certificate;
use c8y_pki::chain;
use c8y_pki::crypto::KeyPolicy;
use c8y_pki::files;
use c8y_pki::key::PrivateKey;
use c8y_pki::read;
use c8y_pki::secret::{ChosenPassword, Password};
use time::OffsetDateTime;

use super::{AddArgs, ca_password, made};
use crate::commands::key::read_key_of;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::password::WeakArgs;
use crate::{clock, password, token, values};

pub(super) fn run(args: &AddArgs, dir: &Path, out: Output) -> Result {
    Pki::check_new_name(dir, &args.name)?;
    let path = key_place(args)?;
    let keys = KeyPolicy { allow_exponent_3: args.allow_exponent_3 };
    let now = OffsetDateTime::now_utc();
    let ca = if let Some(text) = token::as_uri(&path) {
        if args.make.place.ca_password_file.is_some() {
            return Err(Failure::usage(
                "--ca-password-file is for a key that is kept in a file, and this one stays in its token",
                "leave it out; the PIN is that of --key-password-file or C8Y_PKI_TOKEN_PIN",
            ));
        }
        let file = args.key_password_file.as_ref();
        let heap = certificates(args, None)?;
        let pin = token::pin(file, "--key-password-file", "the token with the key");
        let key = token::open_for(text, pin, &heap)?;
        clock::open_or_create(dir, now)?.import(
            &args.name,
            &heap,
            OwnKey::InToken(&key),
            keys,
            now,
        )?
    } else {
        let (key, opened_by) = key_of_file(args, &path)?;
        // A store's password opens its certificates too.
        let heap = certificates(args, Some((&path, opened_by.as_ref())))?;
        let password = own_password(args, opened_by, out)?;
        let own = OwnKey::File(&key, &password);
        clock::open_or_create(dir, now)?.import(&args.name, &heap, own, keys, now)?
    };
    if ca.chain.last().is_some_and(|top| !top.is_self_issued()) {
        out.warning(&format!(
            "the chain of {} ends at {}, which is no root; upload that one to the platform",
            ca.name,
            ca.chain.last().map(|c| c.subject.to_string()).unwrap_or_default()
        ));
    }
    // What is only recommended of a CA would be said of nearly every one.
    let warnings = chain::check_ca(&ca.chain, now).unwrap_or_default();
    for warning in warnings.iter().filter(|w| !w.rule.is_advice()) {
        let end = if warning.rule.is_duty() {
            "servers do not enforce it"
        } else {
            "servers may refuse it"
        };
        out.warning(&format!("{warning}; {end}"));
    }
    made(&ca, out)
}

/// Where the key is: as named, or the one file of the certificates that holds a key too, as a store does.
fn key_place(args: &AddArgs) -> Result<PathBuf> {
    if let Some(path) = &args.key {
        return Ok(path.clone());
    }
    let mut with_key = Vec::new();
    for path in &args.import {
        if read::may_hold_key(&files::read_small(path)?) {
            with_key.push(path.clone());
        }
    }
    let named = |paths: &[PathBuf]| {
        paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
    };
    match with_key.len() {
        1 => Ok(with_key.remove(0)),
        0 => Err(Failure::usage(
            format!("there is no private key in {}", named(&args.import)),
            "name the file with the CA's key, or its token: --key FILE|URI",
        )),
        _ => Err(Failure::usage(
            format!("there are private keys in several files: {}", named(&with_key)),
            "say which one is the CA's: --key FILE",
        )),
    }
}

/// All certificates that were given; `opened` is a file of them that was opened already, and by what.
fn certificates(
    args: &AddArgs,
    opened: Option<(&Path, Option<&Password>)>,
) -> Result<Vec<Certificate>> {
    let mut heap = Vec::new();
    for path in &args.import {
        match opened {
            Some((known, password)) if known == path => {
                let found = read::certificates(&files::read_small(path)?, password)
                    .map_err(|e| Error::from(e).in_file(path.display().to_string()))?;
                heap.extend(found);
            }
            _ => heap.extend(values::certificates(path)?),
        }
    }
    Ok(heap)
}

/// The key of a CA to take in, and the password that opened it.
fn key_of_file(args: &AddArgs, path: &Path) -> Result<(PrivateKey, Option<Password>)> {
    let bytes = files::read_small(path)?;
    let what = format!("the key in {}", path.display());
    let source = password::of_key(args.key_password_file.as_ref(), &what);
    let read = read_key_of(&bytes, source)?;
    Ok(read.map_err(|e| Error::from(e).in_file(path.display().to_string()))?)
}

/// The password under which the key will be kept.
fn own_password(
    args: &AddArgs,
    came_with: Option<Password>,
    out: Output,
) -> Result<ChosenPassword> {
    let own = ca_password(args.make.place.ca_password_file.as_ref());
    let weak = args.make.place.weak;
    // Without a new password the key keeps the one it came with.
    match (own.given()?, came_with.filter(|password| !password.expose().is_empty())) {
        (Some(new), _) => weak.choose(new, out),
        (None, Some(kept)) => as_it_came(kept, weak, out),
        (None, None) => own.chosen(weak, out),
    }
}

/// The password that the key has already protects a CA's key from now on.
fn as_it_came(password: Password, weak: WeakArgs, out: Output) -> Result<ChosenPassword> {
    match ChosenPassword::judge(password.clone()) {
        Err(problem) if !weak.weak_password => Err(Failure::usage(
            format!(
                "the key would keep the password that it came with, and that is weak: {problem}"
            ),
            "give it a new one: --ca-password-file FILE; for tests and labs, --weak-password keeps it",
        )),
        _ => weak.choose(password, out),
    }
}
