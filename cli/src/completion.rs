//! What a shell may complete: commands and options by their definitions, values by what is there. The engine is clap's:
//! the script asks this program at each Tab (`COMPLETE=bash c8y-pki -- …`).
//!
//! Nothing is written, nobody is asked, and what cannot be read completes nothing. A registry of a million devices is
//! looked through as far as [`MOST_ROWS`] reach.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::profile::BUILT_IN;
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::registry::{Filter, Record, RegistryError, Role, Status};
use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter};
use clap_complete::env::{CompleteEnv, Shells};
use time::OffsetDateTime;

use crate::context::Contexts;
use crate::line::Line;
use crate::values::DEFAULT_PKI;
use crate::variables::of_environment;

/// The variable by which a script asks.
const VARIABLE: &str = "COMPLETE";

/// Live certificates that are looked at.
const MOST_ROWS: usize = 100_000;

/// Values that are offered.
const MOST_VALUES: usize = 200;

/// Answers a script that asks; false if none does.
pub(crate) fn answer(command: impl Fn() -> Command) -> clap::error::Result<bool> {
    let here = std::env::current_dir().ok();
    CompleteEnv::with_factory(|| with_values(command(), ""))
        .try_complete(std::env::args_os(), here.as_deref())
}

/// The script that asks.
pub(crate) fn script(shell: &str) -> std::io::Result<Vec<u8>> {
    let shells = Shells::builtins();
    let shell = shells.completer(shell).ok_or_else(|| std::io::Error::other("no such shell"))?;
    let mut text = Vec::new();
    shell.write_registration(VARIABLE, "c8y-pki", "c8y-pki", "c8y-pki", &mut text)?;
    Ok(text)
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Ca,
    Profile,
    KeyType,
    Device,
    Server,
    Order,
    Context,
}

/// What an argument of a command takes; none where only its definition is known.
fn value_of(command: &str, arg: &Arg) -> Option<Value> {
    if !arg.get_action().takes_values() {
        return None;
    }
    match (command, arg.get_id().as_str()) {
        ("ca init" | "ca add" | "order create" | "context add" | "server issue", "name") => None,
        ("serve token add", "cas") => Some(Value::Ca),
        ("serve token add", "orders") => Some(Value::Order),
        (_, "ca" | "parent") => Some(Value::Ca),
        (_, "profile") => Some(Value::Profile),
        (_, "key_type") => Some(Value::KeyType),
        (_, "order") => Some(Value::Order),
        (_, "context") => Some(Value::Context),
        _ if !arg.is_positional() => None,
        (_, id) => of_operand(command, id),
    }
}

fn of_operand(command: &str, id: &str) -> Option<Value> {
    let (group, name) = command.split_once(' ')?;
    match (group, name, id) {
        ("ca", _, "name") | ("ca", "rename", "from") => Some(Value::Ca),
        ("order", _, "name") => Some(Value::Order),
        ("server", _, "name" | "names") => Some(Value::Server),
        ("profile", "show", "name") => Some(Value::Profile),
        ("context", _, "name") => Some(Value::Context),
        ("device", "enrol" | "bootstrap" | "sign" | "import", _) => None,
        ("device", _, "id" | "ids" | "device" | "certificates") => Some(Value::Device),
        _ => None,
    }
}

/// The command line, whose arguments know their values.
fn with_values(command: Command, path: &str) -> Command {
    let command = command.mut_args(|arg| match value_of(path, &arg) {
        Some(value) => {
            arg.add(ArgValueCompleter::new(move |typed: &OsStr| candidates(value, typed)))
        }
        None => arg,
    });
    let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        let path = format!("{path} {name}").trim_start().to_owned();
        command.mut_subcommand(name, |below| with_values(below, &path))
    })
}

fn candidates(value: Value, typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(start) = typed.to_str() else { return Vec::new() };
    let mut names = names(value, start);
    names.retain(|name| name.starts_with(start));
    names.sort();
    names.dedup();
    names.truncate(MOST_VALUES);
    let mut found: Vec<_> = names.into_iter().map(CompletionCandidate::new).collect();
    if value == Value::Profile {
        use clap_complete::engine::ValueCompleter;
        found.extend(PathCompleter::file().complete(typed));
    }
    found
}

fn names(value: Value, start: &str) -> Vec<String> {
    match value {
        Value::Profile => BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect(),
        Value::KeyType => KeyType::ALL.iter().map(ToString::to_string).collect(),
        Value::Context => {
            let all = Contexts::read().map(|all| all.contexts).unwrap_or_default();
            all.into_keys().chain(["none".to_owned()]).collect()
        }
        of_pki => {
            let dir = pki_dir(std::env::args_os());
            let opened = Pki::open_to_read(&dir, OffsetDateTime::now_utc());
            opened.map(|pki| of_directory(&pki, of_pki, start)).unwrap_or_default()
        }
    }
}

fn of_directory(pki: &Pki, value: Value, start: &str) -> Vec<String> {
    match value {
        Value::Ca => pki.cas().unwrap_or_default().into_iter().map(|ca| ca.name).collect(),
        Value::Order => pki
            .registry()
            .orders()
            .unwrap_or_default()
            .into_iter()
            .map(|order| order.name.to_string())
            .collect(),
        Value::Server => holders(pki, Role::Server, start),
        _ => holders(pki, Role::Device, start),
    }
}

/// Enough was looked at, or the registry cannot be read.
struct Enough;

impl From<RegistryError> for Enough {
    fn from(_: RegistryError) -> Self {
        Self
    }
}

/// Those with a live certificate whose names begin so.
fn holders(pki: &Pki, role: Role, start: &str) -> Vec<String> {
    let filter = Filter { role: Some(role), status: Some(Status::Live), ..Filter::default() };
    let (mut found, mut seen) = (Vec::new(), 0);
    let visit = |record: Record| {
        seen += 1;
        let name = match record.holder.device() {
            Some(id) => id.to_string(),
            None => record.whose(),
        };
        if name.starts_with(start) {
            found.push(name);
        }
        if found.len() >= MOST_VALUES || seen >= MOST_ROWS { Err(Enough) } else { Ok(()) }
    };
    // What was found before it was enough counts.
    let _ = pki.registry().each(&filter, visit);
    found
}

/// The PKI directory of a command line that is being typed: the words after `--`.
fn pki_dir(arguments: impl Iterator<Item = OsString>) -> PathBuf {
    let line = Line::new(arguments.skip_while(|word| word != "--").skip(1));
    let given = line.option("pki").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    given
        .or_else(|| of_environment("C8Y_PKI_DIR").map(PathBuf::from))
        .or_else(|| crate::config::Config::read().ok().and_then(|config| config.pki))
        .unwrap_or_else(|| PathBuf::from(DEFAULT_PKI))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::CommandFactory;

    /// All arguments that have values, by command.
    fn all(command: &Command, path: &str, found: &mut Vec<(String, Value)>) {
        found.extend(command.get_arguments().filter_map(|arg| {
            value_of(path, arg).map(|value| (format!("{path} {}", arg.get_id()), value))
        }));
        for below in command.get_subcommands() {
            all(below, format!("{path} {}", below.get_name()).trim_start(), found);
        }
    }

    #[test]
    fn arguments_have_their_values() {
        let mut found = Vec::new();
        all(&Cli::command(), "", &mut found);
        let has = |name: &str, value| found.contains(&(name.to_owned(), value));
        assert!(has("ca renew name", Value::Ca) && has("device issue ca", Value::Ca), "{found:?}");
        assert!(
            has("device issue profile", Value::Profile) && has("ca init key_type", Value::KeyType),
            "{found:?}"
        );
        assert!(
            has("order show name", Value::Order) && has("device check order", Value::Order),
            "{found:?}"
        );
        assert!(
            has("context use name", Value::Context) && has(" context", Value::Context),
            "{found:?}"
        );
        for command in ["show", "check", "renew", "revoke", "token", "connect"] {
            let is_one = |(name, value): &(String, Value)| {
                name.starts_with(&format!("device {command} ")) && *value == Value::Device
            };
            assert!(found.iter().any(is_one), "device {command}: {found:?}");
        }
        assert!(!found.iter().any(|(name, _)| name.ends_with("ca init name")), "{found:?}");
    }

    #[test]
    fn the_directory_is_the_one_that_is_typed() {
        let of = |line: &str| pki_dir(line.split(' ').map(OsString::from)).display().to_string();
        assert_eq!(of("c8y-pki -- c8y-pki --pki there ca show"), "there");
        assert_eq!(of("c8y-pki -- c8y-pki --pki=here ca show"), "here");
    }
}
