//! Words that are no commands here, though other programs have them: what was meant.
//!
//! Only what nothing else answers: a slip of the pen (`devcie`) is answered by clap's own tips.

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::failure::Failure;
use crate::line::Line;

mod table;

use table::MEANT;

/// What was meant by a word that is no command, where the table knows it.
pub(crate) fn meant(error: &clap::Error, root: &Command, line: &Line) -> Option<Failure> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let place = line.path(root).join(" ");
    let mut rows =
        MEANT.iter().filter(|(at, words, _)| *at == place && words.contains(&word.as_str()));
    let commands = rows.next()?.2;
    let told: Vec<String> = commands.iter().map(|(line, does)| told(line, does)).collect();
    let whole = [place.as_str(), word].join(" ");
    let name = whole.trim_start();
    Some(Failure::usage(format!("there is no command {name:?}"), told.join("; ")))
}

fn told(line: &str, does: &str) -> String {
    format!("`c8y-pki {line}` {does}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::CommandFactory;

    /// The command of a line, and what follows its name.
    fn command<'a, 'l>(root: &'a Command, line: &'l str) -> (&'a Command, Vec<&'l str>) {
        let mut words = line.split(' ').peekable();
        let mut at = root;
        while let Some(below) = words.peek().and_then(|word| at.find_subcommand(word)) {
            words.next();
            at = below;
        }
        (at, words.collect())
    }

    #[test]
    fn what_is_proposed_exists() {
        let mut root = Cli::command();
        root.build();
        for (place, words, commands) in MEANT {
            let (below, rest) = command(&root, place);
            assert!(rest.iter().all(|word| word.is_empty()), "{place} is no command");
            for word in *words {
                assert!(below.find_subcommand(word).is_none(), "{place} {word} is a command");
            }
            for (line, _) in *commands {
                let (found, rest) = command(&root, line);
                let is_whole =
                    !found.has_subcommands() || found.is_args_conflicts_with_subcommands_set();
                assert!(is_whole || rest == ["--version"], "{line} is not whole");
                let has =
                    |name: &str| found.get_arguments().any(|arg| arg.get_long() == Some(name));
                for option in rest.iter().filter_map(|word| word.strip_prefix("--")) {
                    assert!(has(option), "{line}: there is no --{option}");
                }
                let operand = rest.first().is_some_and(|word| !word.starts_with('-'));
                assert!(!operand || found.get_positionals().next().is_some(), "{line} takes none");
            }
        }
    }

    #[test]
    fn a_word_is_answered_where_it_was_typed() {
        let root = Cli::command();
        let asked = |line: &str| {
            let words = || line.split(' ').map(str::to_owned);
            let error = Cli::command().try_get_matches_from(words()).unwrap_err();
            meant(&error, &root, &Line::new(words().skip(1)))
                .and_then(|f| f.hint())
                .map(|hint| hint.to_string())
        };
        let hint = asked("c8y-pki --quiet ca import x.pem").unwrap();
        assert!(hint.contains("ca add NAME --import"), "{hint}");
        assert!(asked("c8y-pki device remove gw-1").unwrap().contains("device revoke ID"));
        assert!(asked("c8y-pki doctor").unwrap().contains("c8y-pki status"));
        // What looks like a slip of the pen is clap's.
        assert_eq!(asked("c8y-pki devcie list"), None);
    }
}
