//! Which context counts, and what it puts in place of variables and defaults.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use c8y_pki_engine::platform::host_and_port;
use clap::Command;

use super::store::{self, Context, Contexts, Kept, Secret};
use crate::failure::{Failure, Result};
use crate::line::Line;
use crate::variables::{self, OF_A_TENANT, of_environment};

/// What has chosen a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// `--context`.
    Option,
    /// `C8Y_PKI_CONTEXT`.
    Variable,
    /// `context use`.
    Use,
}

impl By {
    /// As it is shown.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Option => "--context",
            Self::Variable => "C8Y_PKI_CONTEXT",
            Self::Use => "context use",
        }
    }
}

/// The context that counts.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(crate) name: String,
    pub(crate) by: By,
    pub(crate) context: Context,
}

/// The one of `context use`, for [`current_host`].
static IN_USE: OnceLock<Chosen> = OnceLock::new();

/// The tenant of the context whose secret stands in place of variables, for [`keeps_for_another`].
static KEPT_FOR: OnceLock<String> = OnceLock::new();

/// What is wrong with the secret that the context keeps, for the first who needs it.
static UNUSABLE: Mutex<Option<Failure>> = Mutex::new(None);

/// The context that counts for these arguments, if one does.
pub(crate) fn choose(line: &Line) -> Result<Option<Chosen>> {
    let is_set = |name: &&str| of_environment(name).is_some();
    let host = line.option("host").is_some();
    let named = line.option("context").map(|name| (name.to_owned(), By::Option));
    let named =
        named.or_else(|| of_environment("C8Y_PKI_CONTEXT").map(|name| (name, By::Variable)));
    let (name, by) = match named {
        Some((name, _)) if name == "none" => return Ok(None),
        Some((name, By::Option)) if host => {
            return Err(Failure::usage(
                format!("--context {name} and --host both say which tenant is meant"),
                "give one of them",
            ));
        }
        Some(named) if !host => named,
        None if !host && !OF_A_TENANT.iter().any(is_set) => match Contexts::read()?.current {
            Some(name) => (name, By::Use),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    let context = Contexts::read()?.named(&name)?.clone();
    Ok(Some(Chosen { name, by, context }))
}

/// Lets a context count: in place of the variables, and as the default of options. What options say of the login
/// counts before it, and then its secret is not sent. One that cannot be used is told by [`check_secret`].
pub(crate) fn apply(command: Command, chosen: &Chosen, line: &Line) -> Command {
    let Chosen { name, context, by } = chosen;
    let mut values: BTreeMap<&'static str, Option<String>> =
        OF_A_TENANT.into_iter().map(|name| (name, None)).collect();
    values.insert("C8Y_HOST", Some(context.host.clone()));
    values.insert("C8Y_TENANT", context.tenant.clone());
    values.insert("C8Y_USER", context.user.clone());
    if let Some(file) = &context.cacert {
        values.insert("C8Y_PKI_CACERT", Some(file.display().to_string()));
    }
    if !is_other(line) {
        match store::kept(name, context.secret) {
            Ok(Some(Secret::Password(secret))) => {
                values.insert("C8Y_PASSWORD", Some(secret.expose().to_owned()));
            }
            Ok(Some(Secret::Token(secret))) => {
                values.insert("C8Y_TOKEN", Some(secret.expose().to_owned()));
            }
            Ok(None) if is_of_this_host(&context.host) => {
                values.retain(|name, _| !["C8Y_PASSWORD", "C8Y_TOKEN"].contains(name));
            }
            Ok(None) => {}
            Err(failure) => {
                *UNUSABLE.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
            }
        }
    }
    variables::replace(values);
    if let (true, Some(tenant)) = (context.secret != Kept::Nothing, &context.tenant) {
        KEPT_FOR.get_or_init(|| tenant.clone());
    }
    if *by == By::Use {
        IN_USE.get_or_init(|| chosen.clone());
    }
    with_defaults(command, context)
}

/// Whether options name another login than that of the context: its secret is not for that one.
fn is_other(line: &Line) -> bool {
    ["user", "tenant-password-file", "token-file"].iter().any(|name| line.option(name).is_some())
}

/// Refuses a login with the secret that the context keeps, if that cannot be used.
pub(crate) fn check_secret() -> Result<()> {
    UNUSABLE.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
}

/// Whether the secret in place of variables is kept for another tenant than this one.
pub(crate) fn keeps_for_another(tenant: Option<&str>) -> bool {
    let kept_for = KEPT_FOR.get();
    kept_for.is_some_and(|own| tenant.is_some_and(|tenant| tenant != own))
}

/// Whether a password in the environment may belong to that host: another host in the environment owns it.
fn is_of_this_host(host: &str) -> bool {
    let Some(other) = of_environment("C8Y_HOST") else { return true };
    matches!((host_and_port(&other), host_and_port(host)), (Ok(a), Ok(b)) if a == b)
}

/// Host and tenant in place of their variables, in every command that takes them.
fn with_defaults(command: Command, context: &Context) -> Command {
    let command = command.mut_args(|arg| {
        let value = match arg.get_env().and_then(|name| name.to_str()) {
            Some("C8Y_HOST") => Some(&context.host),
            Some("C8Y_TENANT") => context.tenant.as_ref(),
            _ => return arg,
        };
        let arg = arg.env(None::<&'static str>);
        value.map_or(arg.clone(), |value| arg.default_value(value.clone()))
    });
    command.mut_subcommands(|below| with_defaults(below, context))
}

/// Refuses the context of `context use` where a file names another host: its login is not for that host.
pub(crate) fn current_host(file: Option<&str>) -> Result<()> {
    let (Some(chosen), Some(host)) = (IN_USE.get(), file) else { return Ok(()) };
    if host_and_port(host)? == host_and_port(&chosen.context.host)? {
        return Ok(());
    }
    Err(Failure::usage(
        format!(
            "the file names the host {host}, and the context {} in use is for {}",
            chosen.name, chosen.context.host
        ),
        format!(
            "give --context {} to take the context, or --context none to take the file's host",
            chosen.name
        ),
    ))
}
