//! `context add|use|list|show|remove`: how tenants are reached, each under a name.

use std::io::IsTerminal;
use std::path::PathBuf;

use c8y_pki_engine::platform::host_and_port;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::confirm::confirm;
use crate::context::{self, Chosen, Context, Contexts, Kept, Secret, name_of, said_of_secret};
use crate::failure::{Failure, Outcome, Result};
use crate::line::Line;
use crate::output::Output;
use crate::render::table;
use crate::secrets::known;
use crate::values;

/// Commands about contexts.
#[derive(Debug, Subcommand)]
pub(crate) enum ContextCommand {
    /// Keep how a tenant is reached, under a name
    #[command(after_help = "\
The context is kept in contexts.toml in the directory of your settings (`c8y-pki config show`). A
password or token is kept only if you name a file with it or give --save-password: in a file of its
own, mode 0600. Otherwise you are asked for it each time.

Examples:
  c8y-pki context add acme --host acme.eu-latest.cumulocity.com --user jo --use
  c8y-pki context add edge --host edge.local --tenant edge --user jo --cacert edge-ca.pem \\
    --tenant-password-file jo.pw")]
    Add(AddArgs),
    /// Choose the context that counts where nothing else says which tenant is meant
    #[command(after_help = "Examples:\n  c8y-pki context use acme\n  c8y-pki context use none")]
    Use {
        /// Its name; none for no context
        name: String,
    },
    /// List the contexts
    #[command(after_help = "Examples:\n  c8y-pki context list\n  c8y-pki context list -o csv")]
    List,
    /// Show a context, or the one that counts now; never a secret
    #[command(after_help = "\
Examples:
  c8y-pki context show acme
  c8y-pki context show          the one that counts now, and what has chosen it

Exit codes: 0 shown; 1 no context counts now; 2 there is none of that name.")]
    Show {
        /// Its name
        name: Option<String>,
    },
    /// Forget a context, and the secret that is kept of it
    #[command(
        after_help = "Examples:\n  c8y-pki context remove acme\n  c8y-pki context remove acme --yes"
    )]
    Remove {
        /// Its name
        name: String,
        /// Do not ask before a secret is forgotten that is kept
        #[arg(long, short = 'y')]
        yes: bool,
    },
}

/// Arguments of `context add`.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Its name
    #[arg(value_parser = name_of)]
    name: String,
    /// The tenant's host, e.g. acme.eu-latest.cumulocity.com
    #[arg(long = "host", id = "address", value_name = "HOST")]
    host: String,
    /// The tenant's id, e.g. t12345; by default the host's
    #[arg(long = "tenant", id = "tenant_id", value_name = "ID")]
    tenant: Option<String>,
    /// User of the tenant
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// PEM file with CAs to trust for the server's TLS certificate
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Keep the password in the first line of this file
    #[arg(long, value_name = "FILE", requires = "user")]
    tenant_password_file: Option<PathBuf>,
    /// Keep the token in the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "tenant_password_file", "save_password"])]
    token_file: Option<PathBuf>,
    /// Ask for the password now, and keep it
    #[arg(long, requires = "user", conflicts_with = "tenant_password_file")]
    save_password: bool,
    /// Replace the context of that name
    #[arg(long)]
    replace: bool,
    /// Use it from now on
    #[arg(long = "use", id = "use_it")]
    use_it: bool,
}

/// A context, for people and programs.
#[derive(Debug, Serialize)]
struct View<'a> {
    name: &'a str,
    host: &'a str,
    tenant: Option<&'a str>,
    user: Option<&'a str>,
    cacert: Option<String>,
    secret: Option<&'static str>,
    #[serde(skip)]
    kept: Kept,
    current: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen_by: Option<&'static str>,
}

impl<'a> View<'a> {
    fn of(name: &'a str, context: &'a Context, all: &Contexts) -> Self {
        Self {
            name,
            host: &context.host,
            tenant: context.tenant.as_deref(),
            user: context.user.as_deref(),
            cacert: context.cacert.as_ref().map(|file| file.display().to_string()),
            secret: context.secret.name(),
            kept: context.secret,
            current: all.current.as_deref() == Some(name),
            chosen_by: None,
        }
    }
}

pub(crate) fn run(command: &ContextCommand, line: &Line, out: Output) -> Result {
    match command {
        ContextCommand::Add(args) => add(args, out),
        ContextCommand::Use { name } => choose(name, out),
        ContextCommand::List => list(out),
        ContextCommand::Show { name } => show(name.as_deref(), line, out),
        ContextCommand::Remove { name, yes } => remove(name, *yes, out),
    }
}

fn add(args: &AddArgs, out: Output) -> Result {
    host_and_port(&args.host)?;
    // A path that is relative would mean another file in another directory.
    let absolute = |path: &PathBuf| std::path::absolute(path).map_err(Failure::Input);
    let cacert = args.cacert.as_ref().map(absolute).transpose()?;
    if let Some(file) = &cacert {
        values::certificates(file)?;
    }
    let mut all = Contexts::read()?;
    if all.contexts.contains_key(&args.name) && !args.replace {
        return Err(Failure::usage(
            format!("there is a context {:?} already", args.name),
            "give --replace, or another name",
        ));
    }
    // Some file systems would give both the same file for their secrets.
    let is_alike = |other: &&String| **other != args.name && other.eq_ignore_ascii_case(&args.name);
    if let Some(other) = all.contexts.keys().find(is_alike) {
        return Err(Failure::usage(
            format!("there is a context {other:?}, which differs only in capital letters"),
            "give another name",
        ));
    }
    let secret = secret(args)?;
    let (host, tenant, user) = (args.host.clone(), args.tenant.clone(), args.user.clone());
    let context = Context { host, tenant, user, cacert, secret: Kept::Nothing };
    put(&mut all, &args.name, context, secret.as_ref())?;
    if args.use_it {
        all.current = Some(args.name.clone());
        all.write()?;
    }
    let context = all.named(&args.name)?;
    out.result(&View::of(&args.name, context, &all), |view| lines(view))?;
    if all.current.as_deref() != Some(args.name.as_str()) {
        out.note(&format!("`c8y-pki context use {}` makes it the one that counts", args.name));
    }
    Ok(Outcome::Done)
}

/// Puts a context in its place, and then its secret. In between it has none: whatever ends the program, no host gets a
/// secret that was kept for another.
fn put(all: &mut Contexts, name: &str, context: Context, secret: Option<&Secret>) -> Result<()> {
    all.contexts.insert(name.to_owned(), context.clone());
    all.write()?;
    let (kept, secret) = match secret {
        None => return context::forget(name),
        Some(Secret::Password(secret)) => (Kept::Password, secret),
        Some(Secret::Token(secret)) => (Kept::Token, secret),
    };
    context::keep(name, secret)?;
    all.contexts.insert(name.to_owned(), Context { secret: kept, ..context });
    all.write()
}

/// The secret that is to be kept, if one is.
fn secret(args: &AddArgs) -> Result<Option<Secret>> {
    let user = format!("the user {}", args.user.as_deref().unwrap_or_default());
    if args.tenant_password_file.is_some() {
        let source = known::tenant_user(args.tenant_password_file.as_ref(), &user);
        return Ok(source.given()?.map(Secret::Password));
    }
    if args.token_file.is_some() {
        return Ok(known::tenant_token(args.token_file.as_ref()).given()?.map(Secret::Token));
    }
    if !args.save_password {
        return Ok(None);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(
            "--save-password asks for the password, and there is no terminal to ask",
            "give --tenant-password-file FILE",
        ));
    }
    Ok(Some(Secret::Password(known::tenant_user(None, &user).new_one()?)))
}

fn choose(name: &str, out: Output) -> Result {
    let mut all = Contexts::read()?;
    if name == "none" {
        all.current = None;
        all.write()?;
        out.note("No context counts from now on, unless one is named.");
        return Ok(Outcome::Done);
    }
    all.named(name)?;
    all.current = Some(name.to_owned());
    all.write()?;
    let context = all.named(name)?;
    out.result(&View::of(name, context, &all), |view| lines(view))?;
    Ok(Outcome::Done)
}

fn list(out: Output) -> Result {
    let all = Contexts::read()?;
    let views: Vec<View<'_>> =
        all.contexts.iter().map(|(name, context)| View::of(name, context, &all)).collect();
    out.results(&views, |views| {
        let row = |view: &View<'_>| {
            let mark = if view.current { "*" } else { "" };
            let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
            vec![
                mark.to_owned(),
                view.name.to_owned(),
                view.host.to_owned(),
                text(view.tenant),
                text(view.user),
            ]
        };
        match views.is_empty() {
            true => String::new(),
            false => {
                table(&["", "NAME", "HOST", "TENANT", "USER"], views.iter().map(row).collect())
            }
        }
    })?;
    if views.is_empty() {
        out.note("There is no context: `c8y-pki context add NAME --host HOST` makes one.");
    }
    Ok(Outcome::Done)
}

fn show(name: Option<&str>, line: &Line, out: Output) -> Result {
    let all = Contexts::read()?;
    let (name, by) = match name {
        Some(name) => (name.to_owned(), None),
        None => match context::choose(line)? {
            Some(Chosen { name, by, .. }) => (name, Some(by)),
            None => {
                out.note(
                    "No context counts: variables such as C8Y_HOST are set, or none is in use.",
                );
                return Ok(Outcome::NO);
            }
        },
    };
    let view = View::of(&name, all.named(&name)?, &all);
    let view = View { chosen_by: by.map(context::By::name), ..view };
    out.result(&view, |view| lines(view))?;
    Ok(Outcome::Done)
}

fn lines(view: &View<'_>) -> String {
    let mut rows = vec![vec!["name", view.name], vec!["host", view.host]];
    rows.extend(view.tenant.map(|tenant| vec!["tenant", tenant]));
    rows.extend(view.user.map(|user| vec!["user", user]));
    rows.extend(view.cacert.as_deref().map(|file| vec!["cacert", file]));
    let secret = said_of_secret(view.name, view.kept);
    rows.push(vec!["secret", &secret]);
    rows.extend(view.chosen_by.map(|by| vec!["chosen by", by]));
    table(&[], rows.into_iter().map(|row| row.into_iter().map(str::to_owned).collect()).collect())
}

fn remove(name: &str, yes: bool, out: Output) -> Result {
    let mut all = Contexts::read()?;
    let keeps = all.named(name)?.secret != Kept::Nothing;
    let question = format!("Forget the context {name} and its secret?");
    if keeps && !yes && !confirm("forgetting a secret", &[name.to_owned()], &question)? {
        out.note("Nothing was changed.");
        return Ok(Outcome::NO);
    }
    all.contexts.remove(name);
    if all.current.as_deref() == Some(name) {
        all.current = None;
    }
    // The secret first: without its context it would be forgotten by nobody.
    context::forget(name)?;
    all.write()?;
    out.note(&format!("The context {name} is forgotten."));
    Ok(Outcome::Done)
}
