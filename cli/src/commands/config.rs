//! `config show`: each setting, and where its value comes from.

use clap::Subcommand;
use serde::Serialize;

use crate::config::{self, Config};
use crate::context;
use crate::failure::{Outcome, Result};
use crate::line::Line;
use crate::output::Output;
use crate::render::table;
use crate::variables::of_environment;

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

/// The tenant that is meant where no option names one.
fn tenant(line: &Line) -> Result<Vec<Row>> {
    let is_set = |name: &'static str| of_environment(name).map(|_| ("set".to_owned(), name));
    let Some(chosen) = context::choose(line)? else {
        let variable =
            |setting: &str, name: &'static str| Row::new(setting, of_environment(name), name);
        let user = if of_environment("C8Y_USER").is_some() { "C8Y_USER" } else { "C8Y_USERNAME" };
        let secret = is_set("C8Y_TOKEN").or_else(|| is_set("C8Y_PASSWORD"));
        let (secret, from) = secret.map_or((None, ""), |(set, name)| (Some(set), name));
        return Ok(vec![
            Row::new("context", None, ""),
            variable("host", "C8Y_HOST"),
            variable("tenant", "C8Y_TENANT"),
            variable("user", user),
            variable("cacert", "C8Y_PKI_CACERT"),
            Row::new("secret", secret, from),
        ]);
    };
    let from = format!("context {}", chosen.name);
    let secret = Some(chosen.context.secret.name().to_owned());
    let cacert = chosen.context.cacert.as_ref().map(|path| path.display().to_string());
    Ok(vec![
        Row::new("context", Some(chosen.name.clone()), chosen.by.name()),
        Row::new("host", Some(chosen.context.host.clone()), from.as_str()),
        Row::new("tenant", chosen.context.tenant.clone(), from.as_str()),
        Row::new("user", chosen.context.user.clone(), from.as_str()),
        match cacert {
            Some(file) => Row::new("cacert", Some(file), from.as_str()),
            None => Row::new("cacert", of_environment("C8Y_PKI_CACERT"), "C8Y_PKI_CACERT"),
        },
        Row::new("secret", secret, from.as_str()),
    ])
}
