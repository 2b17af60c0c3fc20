//! From the words of a command line to the command: defaults, context, form of the output; and what is said of words
//! that are no command line.

use std::ffi::OsString;
use std::process::ExitCode;

use c8y_pki_core::shown::{is_hidden, one_line};
use clap::parser::ValueSource;
use clap::{ArgMatches, ColorChoice, Command, CommandFactory, FromArgMatches};

use crate::args::Cli;
use crate::commands::config::Origins;
use crate::config::{self, Config};
#[cfg(feature = "postgres")]
use crate::database;
use crate::failure::{Failure, Result};
use crate::output::{Colour, Form, Output};
use crate::{clock, context, log, near};

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    let words = with_present_names(std::env::args_os().collect());
    let arguments: Vec<String> =
        words.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let colour = colour(&arguments);
    colour.begin();
    // A file that cannot be read is told once it is known that this is a command line, and no question for help.
    let (command, settings) = match command(colour, &arguments) {
        Ok(command) => (command, Ok(())),
        Err(failure) => (coloured(Cli::command(), colour), Err(failure)),
    };
    let parsed = command.clone().try_get_matches_from(&words).and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches)?;
        Ok((cli, matches))
    });
    let (mut cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return not_understood(&error, &command, (&words, &arguments)),
    };
    let form = if cli.global.json { Ok(Form::Json) } else { form(cli.global.form, &matches) };
    let output = Output::new(*form.as_ref().unwrap_or(&Form::Table), cli.global.quiet);
    cli.global.origins = origins(&cli, &matches);
    clock::believe(cli.global.clock_is_right);
    #[cfg(feature = "postgres")]
    database::look_around();
    if cli.global.insecure_permissions {
        c8y_pki_engine::files::allow_directory_rights();
    }
    cli.global.color.begin();
    let done = settings
        .and(form)
        .and_then(|_| log::begin(cli.global.verbose, output))
        .and_then(|()| cli.run(&arguments, output));
    match done {
        Ok(outcome) => outcome.code(),
        Err(failure) => {
            output.failure(&failure);
            failure.code()
        }
    }
}

/// `--output tar` and `--output folders` are called `--into` now.
fn with_present_names(mut words: Vec<OsString>) -> Vec<OsString> {
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

/// The command line with the defaults of the settings and of the context that counts.
fn command(colour: Colour, arguments: &[String]) -> Result<Command> {
    let command = config::apply(coloured(Cli::command(), colour), &Config::read()?);
    // These two are about all contexts and settings.
    if matches!(first(arguments), Some("context" | "config")) {
        return Ok(command);
    }
    match context::choose(arguments)? {
        Some(chosen) => context::apply(command, &chosen, arguments),
        None => Ok(command),
    }
}

fn coloured(command: Command, colour: Colour) -> Command {
    command.color(match colour {
        Colour::Auto => ColorChoice::Auto,
        Colour::Always => ColorChoice::Always,
        Colour::Never => ColorChoice::Never,
    })
}

/// The word of the command: the first that is no option and no option's value.
fn first(arguments: &[String]) -> Option<&str> {
    const WITH_VALUE: [&str; 5] = ["--pki", "--context", "--color", "--output", "-o"];
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if WITH_VALUE.contains(&word) {
            words.next();
        } else if !word.starts_with('-') {
            return Some(word);
        }
    }
    None
}

/// The colour that is asked for, before the arguments are understood: what is said of them is coloured too.
fn colour(arguments: &[String]) -> Colour {
    let asked = |word: &str| {
        arguments.windows(2).any(|two| two[0] == "--color" && two[1] == word)
            || arguments.iter().any(|argument| argument.strip_prefix("--color=") == Some(word))
    };
    [Colour::Never, Colour::Always].into_iter().find(|c| asked(c.name())).unwrap_or(Colour::Auto)
}

/// Where the values of the global options come from.
fn origins(cli: &Cli, matches: &ArgMatches) -> Origins {
    let global = &cli.global;
    let of = |id: &'static str, name: &'static str, value: String, option, variable| {
        let from = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => option,
            Some(ValueSource::EnvVariable) => variable,
            _ => "default",
        };
        (name, value, from)
    };
    Origins(vec![
        of("pki", "pki", global.pki.display().to_string(), "--pki", "C8Y_PKI_DIR"),
        of("form", "output", global.form.name().to_owned(), "--output", ""),
        of("color", "color", global.color.name().to_owned(), "--color", ""),
    ])
}

/// The form of results. CSV has a line for each of many: not for what happens one after the other, or has many parts.
fn form(form: Form, matches: &ArgMatches) -> Result<Form> {
    let mut names = Vec::new();
    let mut at = matches;
    while let Some((name, below)) = at.subcommand() {
        names.push(name);
        at = below;
    }
    match names.last() {
        Some(&("list" | "show")) => Ok(form),
        _ if form != Form::Csv => Ok(form),
        // A default is for those that can.
        _ if matches.value_source("form") == Some(ValueSource::DefaultValue) => Ok(Form::Table),
        _ => Err(Failure::usage(
            format!("`{}` has no form as CSV", names.join(" ")),
            "commands named list or show have one; -o json works everywhere",
        )),
    }
}

/// Arguments that are none, or help: as JSON too, for those who asked for it.
fn not_understood(
    error: &clap::Error,
    command: &Command,
    (words, arguments): (&[OsString], &[String]),
) -> ExitCode {
    let before_end = || arguments.iter().take_while(|argument| *argument != "--");
    let as_json = before_end().any(|argument| argument == "--json")
        || before_end()
            .zip(before_end().skip(1))
            .any(|(option, form)| ["-o", "--output"].contains(&option.as_str()) && form == "json");
    let form = if as_json { Form::Json } else { Form::Table };
    let tell = |failure: &Failure| {
        Output::new(form, false).failure(failure);
        failure.code()
    };
    if let Some(failure) = near::meant(error, command, arguments.iter().cloned()) {
        return tell(&failure);
    }
    if error.use_stderr() && as_json {
        return tell(&Failure::of_arguments(error));
    }
    let hidden = |word: &OsString| word.to_string_lossy().contains(is_hidden);
    if words.iter().any(hidden) {
        return say_visibly(command, words);
    }
    error.exit()
}

/// What clap says of arguments with hidden characters in them, as it says it of the same made visible.
fn say_visibly(command: &Command, words: &[OsString]) -> ExitCode {
    let visible = |word: &OsString| one_line(&word.to_string_lossy()).into_owned();
    match command.clone().try_get_matches_from(words.iter().map(visible)) {
        Err(error) => error.exit(),
        Ok(_) => {
            let message = "an argument holds a character that cannot be seen and is not taken";
            let failure = Failure::usage(message, "`--help` lists the arguments");
            Output::new(Form::Table, false).failure(&failure);
            failure.code()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_the_command() {
        let of = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            first(&words).map(str::to_owned)
        };
        assert_eq!(of("--pki context ca show config").as_deref(), Some("ca"));
        assert_eq!(of("-q -o json context list").as_deref(), Some("context"));
        assert_eq!(of("--version"), None);
    }

    #[test]
    fn a_former_name_is_read() {
        let of = |line: &str| {
            let words = with_present_names(line.split(' ').map(OsString::from).collect());
            words
                .iter()
                .map(|word| word.to_string_lossy().into_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(of("device issue --output tar --out x"), "device issue --into tar --out x");
        assert_eq!(of("device issue --output=folders"), "device issue --into=folders");
        assert_eq!(of("ca list --output json"), "ca list --output json");
        assert_eq!(of("device issue -- --output tar"), "device issue -- --output tar");
    }
}
