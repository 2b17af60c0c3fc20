//! `serve token add|list|remove`: who may use the API, what for, and with which CAs and orders.

use std::path::{Path, PathBuf};

use c8y_pki_core::cert::Certificate;
use c8y_pki_engine::serve::{NewToken, Token, TokenRole, add_token, remove_token, tokens};
use clap::{Args, Subcommand};
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::clock;
use crate::failure::{Failure, Outcome, Result};
use crate::hint;
use crate::output::Output;
use crate::render::{day, table};
use crate::values;

/// What belongs to the service and does not start it.
#[derive(Debug, Subcommand)]
pub(crate) enum ServeCommand {
    /// Make, list and remove bearer tokens of the API, and client certificates in place of them
    #[command(subcommand)]
    Token(TokenCommand),
}

/// Commands about tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and show it once; or let in a client certificate in place of one
    #[command(after_help = "\
The PKI directory keeps the SHA-256 of the token, in service-tokens.json (mode 0600). The token itself
is kept nowhere: copy it to the station now. A service that runs knows it at once.

With --certificate no token is made: who shows that very certificate in the TLS handshake, with its key,
is let in. It may be of any CA. It is good until its own end, or until --days are over. The next
certificate of that client is let in under another name. A device's certificate is refused.

Examples:
  c8y-pki serve token add station-3 --role issue --role read --order acme-11
  c8y-pki serve token add mes --role read --ca line-7 --days 365
  c8y-pki serve token add desk --role revoke > desk.token
  c8y-pki serve token add mes-2027 --role issue --certificate mes.pem")]
    Add(AddArgs),
    /// List the tokens and client certificates: names, roles and ends, and not the tokens themselves
    #[command(
        after_help = "Examples:\n  c8y-pki serve token list\n  c8y-pki serve token list --json"
    )]
    List,
    /// Forget a token or a client certificate: it is good for nothing from now on
    #[command(after_help = "Examples:\n  c8y-pki serve token remove station-3")]
    Remove {
        /// Its name
        name: String,
    },
}

/// Arguments of `serve token add`.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Its name, which logs have of who has asked
    name: String,
    /// What it is good for: issue (have certificates and keys made), read (see devices, orders, CAs, lists and numbers) or
    /// revoke; several are possible
    #[arg(long = "role", required = true, value_name = "ROLE", value_parser = role)]
    roles: Vec<TokenRole>,
    /// Only for this CA; several are possible. By default for all CAs
    #[arg(long = "ca", value_name = "NAME")]
    cas: Vec<String>,
    /// Only for devices of this order; several are possible. By default for all orders, and for devices in no order
    #[arg(long = "order", value_name = "NAME")]
    orders: Vec<String>,
    /// How many days it is good for; by default until it is removed
    #[arg(long, value_name = "N", value_parser = values::validity_days())]
    days: Option<u32>,
    /// The client certificate that is shown in place of a token, in a file
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

fn role(text: &str) -> std::result::Result<TokenRole, String> {
    text.parse::<TokenRole>().map_err(|_| "it is not one of issue, read, revoke".to_owned())
}

/// A token, for people and programs.
#[derive(Debug, Serialize)]
struct View<'a> {
    name: &'a str,
    roles: &'a [TokenRole],
    cas: &'a [String],
    orders: &'a [String],
    #[serde(with = "time::serde::rfc3339")]
    created: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    expires: Option<OffsetDateTime>,
    /// Of the client certificate, if one is shown in place of a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_sha256: Option<String>,
    /// Once, when it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

impl<'a> View<'a> {
    fn of(kept: &'a Token, token: Option<&'a str>) -> Self {
        let Token { name, roles, cas, orders, created, expires, .. } = kept;
        let (created, expires) = (*created, *expires);
        let certificate_sha256 = kept.certificate_sha256();
        Self { name, roles, cas, orders, created, expires, certificate_sha256, token }
    }

    fn cells(&self) -> Vec<String> {
        let names = |names: &[String]| match names.is_empty() {
            true => "all".to_owned(),
            false => names.join(", "),
        };
        let roles: Vec<&str> = self.roles.iter().map(|role| role.name()).collect();
        vec![
            self.name.to_owned(),
            if self.certificate_sha256.is_some() { "certificate" } else { "token" }.to_owned(),
            roles.join(", "),
            names(self.cas),
            names(self.orders),
            self.expires.map(day).unwrap_or_default(),
        ]
    }
}

pub(super) fn run(command: &TokenCommand, dir: &Path, out: Output) -> Result {
    match command {
        TokenCommand::Add(args) => add(args, dir, out),
        TokenCommand::List => list(dir, out),
        TokenCommand::Remove { name } => remove(name, dir, out),
    }
}

fn add(args: &AddArgs, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let pki = clock::open(dir, now)?;
    let new = NewToken {
        name: args.name.clone(),
        roles: args.roles.clone(),
        cas: args.cas.clone(),
        orders: args.orders.clone(),
        expires: args.days.map(|days| now + Duration::days(days.into())),
        certificate: args.certificate.as_deref().map(leaf).transpose()?,
    };
    let (kept, secret) = add_token(&pki, new, now)?;
    let token = secret.as_ref().map(|secret| secret.expose());
    let view = View::of(&kept, token);
    let shown = token.or(view.certificate_sha256.as_deref()).unwrap_or_default();
    out.result(&view, |_| format!("{shown}\n"))?;
    out.note(&match token {
        Some(_) => format!("The token {} is shown this once: copy it now.", kept.name),
        None => {
            format!("The certificate {} is let in. Above is its SHA-256: compare it.", kept.name)
        }
    });
    Ok(Outcome::Done)
}

/// The certificate of a client in a file, which may have those above it too.
fn leaf(path: &Path) -> Result<Certificate> {
    let all = values::certificates(path)?;
    let leaves: Vec<&Certificate> = all.iter().filter(|one| !one.is_ca()).collect();
    match (leaves.as_slice(), all.first()) {
        ([one], _) => Ok((*one).clone()),
        // A CA: it is refused with a sentence of its own.
        ([], Some(first)) => Ok(first.clone()),
        (several, _) => Err(Failure::usage(
            format!("{} has the certificates of {} clients", path.display(), several.len()),
            "give a file with one",
        )),
    }
}

fn list(dir: &Path, out: Output) -> Result {
    let pki = clock::open_to_read(dir, out)?;
    let all = tokens(&pki)?;
    let views: Vec<View<'_>> = all.iter().map(|token| View::of(token, None)).collect();
    out.results(&views, |views| match views.is_empty() {
        true => String::new(),
        false => table(
            &["NAME", "KIND", "ROLES", "CAS", "ORDERS", "UNTIL"],
            views.iter().map(View::cells).collect(),
        ),
    })?;
    if views.is_empty() {
        out.note(&format!(
            "There is no token: `{}` makes one.",
            hint::with_pki("serve token add NAME --role read")
        ));
    }
    Ok(Outcome::Done)
}

fn remove(name: &str, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    remove_token(&clock::open(dir, now)?, name, now)?;
    out.note(&format!("The token {name} is good for nothing any more."));
    Ok(Outcome::Done)
}
