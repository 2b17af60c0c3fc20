//! From the words of a command line to the command: defaults, context, form of the output; and what is said of words
//! that are no command line.

use std::ffi::OsString;
use std::process::ExitCode;

use c8y_pki_core::shown::{is_hidden, one_line};
use clap::error::{ContextKind, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, ColorChoice, Command, CommandFactory, FromArgMatches};

use crate::args::Cli;
use crate::commands::config::Origins;
use crate::config::{self, Config};
#[cfg(feature = "postgres")]
use crate::database;
use crate::failure::{Failure, Result};
use crate::hint::{self, SharedOptions};
use crate::line::{Line, with_present_names};
use crate::output::{Colour, Form, Output};
use crate::{clock, context, help, log, near, station};

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    let root = help::flowing(Cli::command());
    let words = with_present_names(std::env::args_os().collect(), &root);
    let line = Line::new(words.iter().skip(1));
    // A file that cannot be read is told once it is known that this is a command line, and no question for help.
    let (config, settings) = match Config::read() {
        Ok(config) => (config, Ok(())),
        Err(failure) => (Config::default(), Err(failure)),
    };
    let colour = line.colour().or(config.color).unwrap_or(Colour::Auto);
    colour.begin();
    let command = config::apply(coloured(root.clone(), colour), &config);
    let (command, context) = with_context(command, &line);
    let parsed = command.clone().try_get_matches_from(&words).and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches)?;
        Ok((cli, matches))
    });
    let (mut cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            let error = without_refused_usage(error);
            let form = line.form().or(config.output).unwrap_or(Form::Table);
            return not_understood(&error, &command, (&words, &line), form);
        }
    };
    let form = if cli.global.json { Ok(Form::Json) } else { form(cli.global.form, &matches) };
    let output = Output::new(*form.as_ref().unwrap_or(&Form::Table), cli.global.quiet);
    cli.global.origins = origins(&cli, &matches);
    advise(&line, &root);
    clock::believe(cli.global.clock_is_right);
    station::begin(cli.global.station.as_deref(), cli.global.operator.as_deref());
    #[cfg(feature = "postgres")]
    database::look_around();
    if cli.global.insecure_permissions {
        c8y_pki_engine::files::allow_directory_rights();
    }
    cli.global.color.begin();
    let done = settings
        .and_then(|()| if asks_a_tenant(&root, &matches) { context } else { Ok(()) })
        .and(form)
        .and_then(|_| log::begin(cli.global.verbose, output))
        .and_then(|()| cli.run(&line, output));
    match done {
        Ok(outcome) => outcome.code(),
        Err(failure) => {
            output.failure(&failure);
            failure.code()
        }
    }
}

/// Lets what is advised work on the same PKI directory and tenant. A rollout says itself which these are.
fn advise(line: &Line, root: &Command) {
    if line.path(root).first().is_some_and(|first| first == "rollout") {
        return;
    }
    hint::share(SharedOptions {
        pki: Some(line.repeated(&["pki"])).filter(|pki| !pki.is_empty()),
        tenant: line.repeated(&["tenant"]) + &line.of_tenant(),
        is_of_file: false,
    });
}

/// Whether a command takes something from a context. `root` is as it was before a context took the place of variables.
fn asks_a_tenant(root: &Command, matches: &ArgMatches) -> bool {
    let (mut command, mut at) = (root, matches);
    while let Some((name, below)) = at.subcommand() {
        let Some(found) = command.find_subcommand(name) else { break };
        (command, at) = (found, below);
    }
    command.get_arguments().any(|arg| {
        arg.get_env().is_some_and(|name| name == "C8Y_HOST") || arg.get_long() == Some("domain")
    })
}

/// The command line with the defaults of the context that counts. An error if there is none of that name, or which one
/// counts cannot be known.
fn with_context(command: Command, line: &Line) -> (Command, Result<()>) {
    // These are about all contexts, and say themselves which one counts.
    if line.path(&command).first().is_some_and(|first| first == "context") {
        return (command, Ok(()));
    }
    match context::choose(line) {
        Ok(Some(chosen)) => (context::apply(command, &chosen, line), Ok(())),
        Ok(None) => (command, Ok(())),
        Err(failure) => (command, Err(failure)),
    }
}

fn coloured(command: Command, colour: Colour) -> Command {
    command.color(match colour {
        Colour::Auto => ColorChoice::Auto,
        Colour::Always => ColorChoice::Always,
        Colour::Never => ColorChoice::Never,
    })
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
    (words, line): (&[OsString], &Line),
    form: Form,
) -> ExitCode {
    let tell = |failure: &Failure| {
        Output::new(form, false).failure(failure);
        failure.code()
    };
    if let Some(failure) = near::meant(error, command, line) {
        return tell(&failure);
    }
    if error.use_stderr() && form == Form::Json {
        return tell(&Failure::of_arguments(error));
    }
    let hidden = |word: &OsString| word.to_string_lossy().contains(is_hidden);
    if words.iter().any(hidden) {
        return say_visibly(command, words);
    }
    error.exit()
}

/// Without the usage line, where that would show the very arguments that do not go together.
fn without_refused_usage(mut error: clap::Error) -> clap::Error {
    if error.kind() == ErrorKind::ArgumentConflict {
        error.remove(ContextKind::Usage);
    }
    error
}

/// What clap says of arguments with hidden characters in them, as it says it of the same made visible.
fn say_visibly(command: &Command, words: &[OsString]) -> ExitCode {
    let visible = |word: &OsString| one_line(&word.to_string_lossy()).into_owned();
    match command.clone().try_get_matches_from(words.iter().map(visible)) {
        Err(error) => without_refused_usage(error).exit(),
        Ok(_) => {
            let message = "an argument holds a character that cannot be seen and is not taken";
            let failure = Failure::usage(message, "`--help` lists the arguments");
            Output::new(Form::Table, false).failure(&failure);
            failure.code()
        }
    }
}
