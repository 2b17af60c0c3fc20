//! The words of a command line where clap's answer cannot be waited for: before defaults are known, of what clap does
//! not understand, and while it is still being typed.

use std::ffi::{OsStr, OsString};

use clap::{Command, ValueEnum};

use crate::output::{Colour, Form};
use crate::render::quoted;

/// Options about a tenant besides its id.
const OF_A_TENANT: [&str; 7] =
    ["context", "host", "user", "tenant-password-file", "token-file", "cacert", "proxy"];

/// The words after the program's name, up to `--`.
#[derive(Debug, Clone)]
pub(crate) struct Line(Vec<String>);

impl Line {
    pub(crate) fn new<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Self {
        let words = words.into_iter().map(|word| word.as_ref().to_string_lossy().into_owned());
        Self(words.take_while(|word| word != "--").collect())
    }

    /// All of them.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The value of the last `--name VALUE` or `--name=VALUE`; empty where none follows.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        (0..self.0.len()).rev().find_map(|at| {
            match self.0[at].strip_prefix("--")?.strip_prefix(name)? {
                "" => Some(self.0.get(at + 1).map_or("", String::as_str)),
                rest => rest.strip_prefix('='),
            }
        })
    }

    /// The options that say which tenant is meant, who asks, and how it is reached, as they are typed once more.
    pub(crate) fn of_tenant(&self) -> String {
        self.repeated(&OF_A_TENANT)
    }

    /// These options as they are typed once more, those that are there.
    pub(crate) fn repeated(&self, names: &[&str]) -> String {
        let option = |name: &&str| Some(format!(" --{name} {}", quoted(self.option(name)?)));
        names.iter().filter_map(option).collect()
    }

    /// The form that is asked for.
    pub(crate) fn form(&self) -> Option<Form> {
        if self.words().any(|word| word == "--json") {
            return Some(Form::Json);
        }
        // `-ojson`, `-o=json`, `-qo json`: flags may stand before it in one word.
        let short = self.0.iter().enumerate().rev().find_map(|(at, word)| {
            let flags = word.strip_prefix('-').filter(|rest| !rest.starts_with('-'))?;
            match flags.trim_start_matches(['q', 'v', 'y']).strip_prefix('o')? {
                "" => self.0.get(at + 1).map(String::as_str),
                rest => Some(rest.strip_prefix('=').unwrap_or(rest)),
            }
        });
        let asked = |word| Form::from_str(word, false).ok();
        self.option("output").and_then(asked).or_else(|| short.and_then(asked))
    }

    /// The colour that is asked for.
    pub(crate) fn colour(&self) -> Option<Colour> {
        Colour::from_str(self.option("color")?, false).ok()
    }

    /// The names of the command, up to the first word that is none. Options and their values are passed over.
    pub(crate) fn path(&self, root: &Command) -> Vec<String> {
        let (mut at, mut names) = (root, Vec::new());
        let mut words = self.words();
        while let Some(word) = words.next() {
            if let Some(below) = at.find_subcommand(word) {
                names.push(below.get_name().to_owned());
                at = below;
            } else if !word.starts_with('-') {
                break;
            } else if takes_value(word, root) || takes_value(word, at) {
                words.next();
            }
        }
        names
    }
}

/// Whether the word is an option of that command whose value is the next word.
fn takes_value(word: &str, command: &Command) -> bool {
    let is_it = |arg: &&clap::Arg| match word.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => {
            let short = word.trim_start_matches(['-', 'q', 'v', 'y']);
            arg.get_short().is_some_and(|letter| short == letter.to_string())
        }
    };
    command.get_arguments().find(is_it).is_some_and(|arg| arg.get_action().takes_values())
}

/// `--output tar` and `--output folders` are called `--into` now, at the commands that have it.
pub(crate) fn with_present_names(mut words: Vec<OsString>, root: &Command) -> Vec<OsString> {
    let path = Line::new(words.iter().skip(1)).path(root);
    let command = path.iter().try_fold(root, |at, name| at.find_subcommand(name));
    if command
        .is_none_or(|command| command.get_arguments().all(|arg| arg.get_long() != Some("into")))
    {
        return words;
    }
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    for at in 0..end {
        for kind in ["tar", "folders"] {
            if words[at].to_str() == Some(&format!("--output={kind}")) {
                words[at] = format!("--into={kind}").into();
            } else if words[at] == "--output" && words.get(at + 1).is_some_and(|word| word == kind)
            {
                words[at] = "--into".into();
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Cli;

    fn line(words: &str) -> Line {
        Line::new(words.split(' '))
    }

    #[test]
    fn options_are_found_among_words() {
        let find = |words: &str| line(words).option("context").map(str::to_owned);
        assert_eq!(find("tenant status --context acme").as_deref(), Some("acme"));
        assert_eq!(find("--context=acme tenant status").as_deref(), Some("acme"));
        assert_eq!(find("--context=acme status --context b").as_deref(), Some("b"));
        assert_eq!(find("tenant status --contexts acme"), None);
        assert_eq!(find("device issue -- --context acme"), None);
        assert_eq!(find("tenant status --context").as_deref(), Some(""));
    }

    #[test]
    fn the_form_is_found_however_it_is_written() {
        for words in
            ["--json", "-o json", "-ojson", "-o=json", "-qo json", "--output json", "--output=json"]
        {
            assert_eq!(line(&format!("ca list {words} --nonsense")).form(), Some(Form::Json));
        }
        assert_eq!(line("ca list -- --json").form(), None);
        assert_eq!(line("ca list --org json").form(), None);
        assert_eq!(line("ca list -o tar").form(), None);
        assert_eq!(line("--color=never x").colour(), Some(Colour::Never));
    }

    #[test]
    fn names_of_the_command_are_no_values() {
        let of = |words: &str| line(words).path(&Cli::command()).join(" ");
        assert_eq!(of("--pki context ca show config"), "ca show");
        assert_eq!(of("-q -o json context list"), "context list");
        assert_eq!(of("--pki=context tenant trust list --host ca"), "tenant trust list");
        assert_eq!(of("ca import show"), "ca");
        assert_eq!(of("--version"), "");
    }

    #[test]
    fn a_former_name_is_read() {
        let of = |words: &str| {
            let words = words.split(' ').map(OsString::from).collect();
            let words = with_present_names(words, &Cli::command());
            words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
        };
        let issue = "c8y-pki device issue";
        assert_eq!(
            of(&format!("{issue} --output tar --out x")),
            format!("{issue} --into tar --out x")
        );
        assert_eq!(of(&format!("{issue} --output=folders")), format!("{issue} --into=folders"));
        for same in [
            "c8y-pki ca list --output json",
            "c8y-pki ca list --output folders",
            "c8y-pki device issue -- --output tar",
        ] {
            assert_eq!(of(same), same);
        }
    }
}
