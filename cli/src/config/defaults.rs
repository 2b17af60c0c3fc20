//! Which options take their default from `config.toml`.

use clap::Command;
use clap::builder::ArgPredicate;

use super::file::Config;

/// A setting: its key in the file, and its value if it has one.
pub(crate) type Setting = (&'static str, Option<String>);

/// A default: the command, the option's id, the key in the file, and options (`id` or `id=value`) beside which there
/// is none.
type Default = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// All of them. Only where something new is made: a filter such as `device list --ca` has no default.
const DEFAULTS: &[Default] = &[
    ("", "pki", "pki", &[]),
    ("", "form", "output", &[]),
    ("", "color", "color", &[]),
    ("device issue", "ca", "ca", &["order"]),
    ("device issue", "out", "out", &["into=tar"]),
    ("device sign", "ca", "ca", &[]),
    ("device sign", "out", "out", &[]),
    ("device renew", "out", "out", &["into=tar"]),
    ("ca init", "c", "subject.country", &["subject"]),
    ("ca init", "st", "subject.state", &["subject"]),
    ("ca init", "l", "subject.locality", &["subject"]),
    ("ca init", "o", "subject.org", &["subject"]),
    ("ca init", "ou", "subject.org-unit", &["subject"]),
    ("ca init", "email", "subject.email", &["subject"]),
    ("ca add", "c", "subject.country", &["subject", "import"]),
    ("ca add", "st", "subject.state", &["subject", "import"]),
    ("ca add", "l", "subject.locality", &["subject", "import"]),
    ("ca add", "o", "subject.org", &["subject", "import"]),
    ("ca add", "ou", "subject.org-unit", &["subject", "import"]),
    ("ca add", "email", "subject.email", &["subject", "import"]),
];

/// What the file sets.
pub(crate) fn settings(config: &Config) -> Vec<Setting> {
    let path = |path: &std::path::PathBuf| path.display().to_string();
    let subject = &config.subject;
    vec![
        ("pki", config.pki.as_ref().map(path)),
        ("ca", config.ca.clone()),
        ("out", config.out.as_ref().map(path)),
        ("output", config.output.map(|form| form.name().to_owned())),
        ("color", config.color.map(|colour| colour.name().to_owned())),
        ("subject.country", subject.country.clone()),
        ("subject.state", subject.state.clone()),
        ("subject.locality", subject.locality.clone()),
        ("subject.org", subject.org.clone()),
        ("subject.org-unit", subject.org_unit.clone()),
        ("subject.email", subject.email.clone()),
    ]
}

/// The command line with the file's defaults.
pub(crate) fn apply(mut root: Command, config: &Config) -> Command {
    let settings = settings(config);
    for (command, id, key, beside) in DEFAULTS {
        let set = settings.iter().find(|(name, _)| name == key);
        if let Some(value) = set.and_then(|(_, value)| value.clone()) {
            root = at(root, command, Box::new(move |c| with_default(c, id, value, beside)));
        }
    }
    root
}

/// Changes the command of that name.
fn at<'c>(root: Command, path: &str, change: Box<dyn FnOnce(Command) -> Command + 'c>) -> Command {
    match path.split_once(' ') {
        _ if path.is_empty() => change(root),
        Some((first, rest)) => {
            let rest = rest.to_owned();
            root.mut_subcommand(first, |below| at(below, &rest, change))
        }
        None => root.mut_subcommand(path, change),
    }
}

fn with_default(
    command: Command,
    id: &'static str,
    value: String,
    beside: &[&'static str],
) -> Command {
    command.mut_arg(id, |mut arg| {
        for other in beside {
            arg = match other.split_once('=') {
                Some((id, value)) => arg
                    .default_value_if(id, ArgPredicate::Equals(value.into()), None::<&str>)
                    .required_if_eq(id, value),
                None => arg.default_value_if(*other, ArgPredicate::IsPresent, None::<&str>),
            };
        }
        arg.required(false).default_value(value)
    })
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::*;
    use crate::args::{Cli, Command as Asked};

    fn config() -> Config {
        let text = "pki = 'p'\nca = 'line'\nout = 'o'\noutput = 'csv'\ncolor = 'never'\n[subject]\ncountry = 'DE'\n\
                    state = 'B'\nlocality = 'L'\norg = 'Example'\norg-unit = 'U'\nemail = 'a@example.com'\n";
        toml::from_str(text).unwrap()
    }

    /// Every row of the table names a command and an option, and the whole is a command line that clap takes.
    #[test]
    fn every_default_has_its_option() {
        let command = apply(Cli::command(), &config());
        command.clone().debug_assert();
        let taken: Vec<&str> = DEFAULTS.iter().map(|(_, _, key, _)| *key).collect();
        for (key, value) in settings(&config()) {
            assert!(value.is_some() && taken.contains(&key), "{key} is a default of nothing");
        }
    }

    #[test]
    fn a_default_counts_where_nothing_is_given() {
        let parse = |line: &str| {
            let matches = apply(Cli::command(), &config()).get_matches_from(line.split(' '));
            Cli::from_arg_matches(&matches).unwrap()
        };
        let cli = parse("c8y-pki device sign x.csr");
        assert_eq!(cli.global.pki.display().to_string(), "p");
        assert!(format!("{:?}", cli.command).contains(r#"ca: "line""#), "{:?}", cli.command);
        let cli = parse("c8y-pki device sign x.csr --ca other --out z");
        let said = format!("{:?}", cli.command);
        assert!(said.contains(r#"ca: "other""#) && said.contains(r#"out: "z""#), "{said}");
        let Asked::Ca(_) = parse("c8y-pki ca init --subject CN=x").command else { panic!() };
        let whole = format!("{:?}", parse("c8y-pki ca init --subject CN=x").command);
        assert!(whole.contains("o: None"), "{whole}");
    }
}
