//! `device token`: a device's token, over MQTT or HTTPS; shown by what it says, kept by `--watch`.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use c8y_pki_core::secret::Password;
use c8y_pki_engine::device::connection;
use c8y_pki_engine::device::link::{Identity, Target};
use c8y_pki_engine::device::token::{self, Claims, Renewal, Token, TokenError};
use c8y_pki_engine::files::{self, Access, Existing};
use c8y_pki_engine::platform;
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use super::at_service::ServiceArgs;
use super::connecting::{FilesArgs, Ready};
use super::endpoint::EndpointArgs;
use crate::failure::{Failure, Outcome, Result};
use crate::old_ids;
use crate::outlet;
use crate::output::Output;
use crate::render::{count, date, table};
use crate::stop;

/// Arguments of `device token`.
#[derive(Debug, Args)]
#[command(after_help = "\
The command shows what the token says. It cannot verify the token, because only the platform has
the key. The token itself is a secret: --raw prints it, --token-out writes it to a file.

Over MQTT the platform closes a connection that the device has open, because it keeps one for each
ClientId. With --https the device stays connected. --watch asks again after half of each token's
life, also after the network was lost. Ctrl-C ends it with exit code 0. It also ends with 0 when
the program that reads its output ends, unless --token-out is given.

Examples:
  c8y-pki device token gw-0001 --host acme.eu-latest.cumulocity.com
  token=$(c8y-pki device token gw-0001 --raw)
  curl -H \"Authorization: Bearer $token\" \"https://${C8Y_HOST#https://}/user/currentUser\"
  c8y-pki device token gw-0001 --mqtt-service --tenant t12345   where SmartREST is on for it
  c8y-pki device token gw-0001 --https --watch --token-out gw-0001.token

Exit codes: 0 done; 1 refused by the platform; 2 wrong use or input; 3 not reached.")]
pub(crate) struct TokenArgs {
    /// The device's id; its directory is in --out
    #[arg(value_name = "ID", required_unless_present_any = ["bundle", "keystore"])]
    id: Option<String>,
    #[command(flatten)]
    files: FilesArgs,
    /// Print the token itself
    #[arg(long)]
    raw: bool,
    /// Write the token to this file (mode 0600), which is always complete; - for standard output, if that is not a
    /// terminal
    #[arg(long, value_name = "FILE")]
    token_out: Option<PathBuf>,
    /// Stay, and renew the token at half its life
    #[arg(long)]
    watch: bool,
    /// Ask over HTTPS, in place of MQTT
    #[arg(long)]
    https: bool,
    /// Port of HTTPS with client certificates
    #[arg(long, value_name = "PORT", default_value_t = platform::token::PORT, requires = "https", value_parser = clap::value_parser!(u16).range(1..))]
    https_port: u16,
    #[command(flatten)]
    endpoint: EndpointArgs,
    #[command(flatten)]
    service: ServiceArgs,
    /// The tenant's id: the MQTT user at the MQTT Service
    #[arg(long, value_name = "ID", env = "C8Y_TENANT", hide_env_values = true)]
    tenant: Option<String>,
}

/// What is shown of a token.
#[derive(Serialize)]
struct Shown<'a> {
    device: &'a str,
    #[serde(flatten)]
    claims: &'a Claims,
    /// By this machine's clock.
    seconds_left: Option<i64>,
    verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

pub(super) fn run(args: &TokenArgs, out: Output) -> Result {
    let known = args.tenant.as_deref().filter(|id| !id.is_empty());
    let service = args.service.service(&args.endpoint, known, None)?;
    let at = (&args.service, service);
    let ready = Ready::new(&args.files, &args.endpoint, args.id.as_ref(), at)?;
    old_ids::warn_of(&ready.device, out);
    if let Some(path) = &args.token_out {
        check_own(path)?;
    }
    let out = out.beside(args.token_out.as_deref());
    if !args.watch {
        report(args, &ready, &fetch(args, &ready)?, "", out)?;
        return Ok(Outcome::Done);
    }
    let stop = stop::on_interrupt();
    let mut above = "";
    let tell = |renewal: Renewal<'_>| -> Result<()> {
        match renewal {
            Renewal::Token(token) => {
                let is_read = report(args, &ready, token, above, out)?;
                above = "\n";
                if !is_read && args.token_out.is_none() {
                    // Nobody is left to get the next one.
                    stop.store(true, Ordering::Relaxed);
                }
            }
            Renewal::Failed { error, pause } => out.retry(&error.to_string(), None, pause),
            _ => {}
        }
        Ok(())
    };
    token::watch(|| fetch(args, &ready), tell, &stop)?;
    Ok(Outcome::Done)
}

fn fetch(args: &TokenArgs, ready: &Ready) -> std::result::Result<Token, TokenError> {
    let Ready { credentials, target, timeout, .. } = ready;
    if args.https {
        let target = Target { host: target.host.clone(), port: args.https_port };
        return token::over_https(&target, credentials, *timeout);
    }
    let identity = Identity::Certificate(credentials);
    let mut session = connection::open(target, identity, &ready.options())?;
    let token = match token::over_mqtt(&mut session, *timeout) {
        Err(e) if ready.service.is_some() => return Err(e.at_service()),
        told => told?,
    };
    // The token is there: nothing depends on the goodbye.
    let _ = session.disconnect();
    Ok(token)
}

/// Writes the token, and shows it, or what it says, with `above` before that; false if nobody reads it any
/// more.
fn report(
    args: &TokenArgs,
    ready: &Ready,
    token: &Token,
    above: &str,
    out: Output,
) -> Result<bool> {
    if let Some(path) = &args.token_out {
        let line = format!("{}\n", token.secret().expose());
        outlet::write(path, line.as_bytes(), Access::Private, Existing::Replace, out)?;
    }
    let left = token.claims.expires.map(|end| (end - OffsetDateTime::now_utc()).whole_seconds());
    let raw = args.raw.then(|| token.secret().expose());
    let shown = Shown {
        device: ready.device.as_str(),
        claims: &token.claims,
        seconds_left: left,
        verified: false,
        token: raw,
    };
    let is_read = out.offer_result(&shown, |shown| match shown.token {
        Some(token) => format!("{token}\n"),
        None => format!("{above}{}", text(shown)),
    })?;
    if let Some(path) = &args.token_out {
        out.note(&format!("the token is in {}", path.display()));
    }
    if raw.is_none() {
        out.note("decoded, not verified: only the platform has the key");
    }
    Ok(is_read)
}

fn text(shown: &Shown<'_>) -> String {
    let Claims { issuer, subject, tenant, issued, expires, other, .. } = shown.claims;
    let left = match shown.seconds_left {
        Some(left) if left < 0 => format!(" (expired {} ago by this machine's clock)", span(-left)),
        Some(left) => format!(" (in {})", span(left)),
        None => String::new(),
    };
    let known = [
        ("issuer", issuer.clone()),
        ("subject", subject.clone()),
        ("tenant", tenant.clone()),
        ("issued", issued.map(date)),
        ("expires", expires.map(|end| format!("{}{left}", date(end)))),
    ];
    let known = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let other = other.iter().map(|(name, value)| {
        // RFC 7519, 4.1.5; all that is not known is shown as it is.
        let from = value.as_i64().filter(|_| name == "nbf");
        let from = from.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
        let text = from.map(date).or_else(|| value.as_str().map(str::to_owned));
        (name.clone(), text.unwrap_or_else(|| value.to_string()))
    });
    let rows = known.chain(other).map(|(name, value)| vec![name, value]);
    table(&[], rows.collect())
}

/// Seconds in words: `59 minutes`.
fn span(seconds: i64) -> String {
    let (number, what) = match seconds {
        0..120 => (seconds, "second"),
        120..7200 => (seconds / 60, "minute"),
        _ => (seconds / 3600, "hour"),
    };
    count(usize::try_from(number).unwrap_or_default(), what)
}

/// Refuses to write over a file that holds something else than a token.
fn check_own(path: &Path) -> Result<()> {
    outlet::check_secret(path)?;
    let is_own = |bytes: Vec<u8>| {
        bytes.is_empty()
            || Password::from_file(&bytes).is_ok_and(|token| Token::parse(&token).is_ok())
    };
    if !outlet::stands(path)? || is_own(files::read(path)?) {
        return Ok(());
    }
    Err(Failure::usage(
        format!("{} exists and has no token in it", path.display()),
        "name another file for --token-out, or move it away",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_in_words() {
        let all: Vec<String> = [0, 1, 119, 120, 3600, 7200].into_iter().map(span).collect();
        assert_eq!(
            all,
            ["0 seconds", "1 second", "119 seconds", "2 minutes", "60 minutes", "2 hours"]
        );
    }
}
