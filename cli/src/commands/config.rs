//! `config show`: each setting, and where its value comes from.

use clap::Subcommand;
use serde::Serialize;

use crate::config::{self, Config};
use crate::context::{self, Chosen, Kept, said_of_secret};
use crate::failure::{Outcome, Result};
use crate::line::Line;
use crate::output::Output;
use crate::render::table;
use crate::variables::{is_replaced, of_environment, variable};

/// Commands about settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show each setting, and where its value comes from; never a secret
    #[command(after_help = "\
Defaults are read from config.toml in $XDG_CONFIG_HOME/c8y-pki, else ~/.config/c8y-pki, on Windows
%APPDATA%\\c8y-pki. It may hold pki, ca, out (for `device issue`, `device sign` and `device renew`),
output, color, and in [subject] country, state, locality, org, org-unit and email (for `ca init` and
`ca add`). An option counts before a variable, a variable before the file.

Examples:
  c8y-pki config show
  c8y-pki config show -o json")]
    Show,
}

/// Where the global options have their values from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origins(pub(crate) Vec<(&'static str, String, &'static str)>);

#[derive(Debug, Serialize)]
struct Row {
    setting: String,
    value: Option<String>,
    from: String,
}

impl Row {
    fn new(setting: &str, value: Option<String>, from: impl Into<String>) -> Self {
        let from = if value.is_some() { from.into() } else { String::new() };
        Self { setting: setting.to_owned(), value, from }
    }
}

pub(crate) fn run(_: &ConfigCommand, (origins, line): (&Origins, &Line), out: Output) -> Result {
    let file = Config::place();
    let file_name = file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let mut rows = vec![Row::new(
        "config.toml",
        file.as_ref().map(|_| file_name.clone()),
        if file.is_some_and(|path| path.exists()) { "it is there" } else { "it is not there" },
    )];
    let set = config::settings(&Config::read()?);
    for (name, value) in set {
        let global = origins.0.iter().find(|(global, ..)| *global == name);
        rows.push(match global {
            Some((_, now, "default")) if value.is_some() => {
                Row::new(name, Some(now.clone()), &file_name)
            }
            Some((_, now, from)) => Row::new(name, Some(now.clone()), *from),
            None => Row::new(name, value, &file_name),
        });
    }
    rows.push(Row::new("log", of_environment("C8Y_PKI_LOG"), "C8Y_PKI_LOG"));
    rows.extend(tenant(line)?);
    out.results(&rows, |rows| {
        let cells = |row: &Row| {
            let value = row.value.clone().unwrap_or_else(|| "not set".to_owned());
            vec![row.setting.clone(), value, row.from.clone()]
        };
        table(&["SETTING", "VALUE", "FROM"], rows.iter().map(cells).collect())
    })?;
    Ok(Outcome::Done)
}

/// The tenant that is meant where no option names one: what commands take for the variables.
fn tenant(line: &Line) -> Result<Vec<Row>> {
    let chosen = context::choose(line)?;
    let of_context = chosen.as_ref().map(|chosen| format!("context {}", chosen.name));
    let from = |name: &str| match &of_context {
        Some(context) if is_replaced(name) => context.clone(),
        _ => name.to_owned(),
    };
    let row = |setting: &str, name: &str| Row::new(setting, variable(name), from(name));
    let kept = chosen.as_ref().filter(|chosen| chosen.context.secret != Kept::Nothing);
    let secret = match kept {
        Some(Chosen { name, context, .. }) => Row::new(
            "secret",
            Some(said_of_secret(name, context.secret)),
            format!("context {name}"),
        ),
        None => {
            let set = ["C8Y_TOKEN", "C8Y_PASSWORD"].into_iter().find(|n| variable(n).is_some());
            match (set, &of_context) {
                (Some(name), _) => Row::new("secret", Some("set".to_owned()), name),
                (None, Some(context)) => {
                    Row::new("secret", Some("asked for each time".to_owned()), context.as_str())
                }
                (None, None) => Row::new("secret", None, ""),
            }
        }
    };
    let user = if variable("C8Y_USER").is_some() { "C8Y_USER" } else { "C8Y_USERNAME" };
    let by = chosen.as_ref().map_or("", |chosen| chosen.by.name());
    Ok(vec![
        Row::new("context", chosen.as_ref().map(|chosen| chosen.name.clone()), by),
        row("host", "C8Y_HOST"),
        row("tenant", "C8Y_TENANT"),
        row("user", user),
        row("cacert", "C8Y_PKI_CACERT"),
        secret,
    ])
}
