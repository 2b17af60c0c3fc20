//! How a command ends, and the table of exit codes.
//!
//! | code | meaning |
//! | --- | --- |
//! | 0 | done, also when there was nothing to do |
//! | 1 | the answer is no, or some rows failed |
//! | 2 | wrong use or wrong input |
//! | 3 | the environment failed; trying again may help |
//! | 4 | `rollout --plan --exit-code`: something is not as the file wants it |
//!
//! What an error comes to is said beside it, in the library ([`c8y_pki_core::failure::Failure`]); here each kind has its code. The
//! page docs/how-to/scripting.md lists the failures in words, and the tests `exit_codes` hold every command to it.

use std::process::ExitCode;

use c8y_pki_core::failure::{Failure as _, Hint, Kind};
use c8y_pki_engine::Error;
use c8y_pki_engine::files::reason;
use clap::error::ErrorKind;

/// The exit code of a command that was stopped.
pub(crate) const STOPPED: u8 = 3;

/// The exit code of a plan with changes, where it was asked for.
const CHANGES: u8 = 4;

/// How a command ended that did what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done, or the answer is yes.
    Done,
    /// It is not as it should be, in this way.
    Failed(Kind),
    /// Stopped by the user before the end.
    Stopped,
    /// A plan has changes, and the caller wants to know it by the exit code.
    Changes,
}

/// The table: the exit code of each kind of failure.
fn code_of(kind: Kind) -> u8 {
    match kind {
        Kind::No => 1,
        Kind::WrongInput => 2,
        Kind::Surroundings => 3,
    }
}

impl Outcome {
    /// The answer is no, or some rows failed.
    pub(crate) const NO: Self = Self::Failed(Kind::No);

    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::Failed(kind) => code_of(kind),
            Self::Stopped => STOPPED,
            Self::Changes => CHANGES,
        })
    }

    /// Yes or no.
    pub(crate) fn of(good: bool) -> Self {
        if good { Self::Done } else { Self::NO }
    }

    /// Done, or what has failed.
    pub(crate) fn of_kind(kind: Option<Kind>) -> Self {
        kind.map_or(Self::Done, Self::Failed)
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library says why.
    Library(Box<Error>),
    /// The command line says why: arguments that clap cannot check, a password that nobody can be asked for, or
    /// that the answer is no.
    Said {
        /// What the failure comes to.
        kind: Kind,
        /// What is wrong, or refused.
        message: String,
        /// What to do about it.
        hint: Option<Hint>,
    },
    /// Writing to standard output failed.
    Output(std::io::Error),
    /// Reading standard input or the terminal failed.
    Input(std::io::Error),
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::said(Kind::WrongInput, message, hint)
    }

    /// What clap says of the arguments: a paragraph, and perhaps a tip.
    pub(crate) fn of_arguments(error: &clap::Error) -> Self {
        let all = "`--help` lists the arguments";
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            return Self::usage("a command is missing, or its arguments", all);
        }
        let text = error.render().to_string();
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut paragraphs = text.split("\n\n").map(words);
        let message = paragraphs.next().unwrap_or_default();
        let tip = paragraphs.find_map(|p| p.strip_prefix("tip: ").map(str::to_owned));
        Self::usage(
            message.strip_prefix("error: ").unwrap_or(&message),
            tip.as_deref().unwrap_or(all),
        )
    }

    pub(crate) fn no(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::said(Kind::No, message, hint)
    }

    /// A failure of that kind.
    pub(crate) fn said(kind: Kind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Said { kind, message: message.into(), hint: Some(hint.into().into()) }
    }

    /// The same with more to know before something is done about it.
    pub(crate) fn and(self, more: String) -> Self {
        let (kind, message) = (self.kind(), self.message());
        let hint = match self.hint() {
            Some(hint) => Hint::say(more).then(hint),
            None => Hint::say(more),
        };
        Self::Said { kind, message, hint: Some(hint) }
    }

    /// Whether something that was given is wrong.
    pub(crate) fn is_wrong_input(&self) -> bool {
        self.kind() == Kind::WrongInput
    }

    /// What it comes to.
    fn kind(&self) -> Kind {
        match self {
            Self::Library(e) => e.fault().kind(),
            Self::Said { kind, .. } => *kind,
            Self::Output(_) | Self::Input(_) => Kind::Surroundings,
        }
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(code_of(self.kind()))
    }

    pub(crate) fn message(&self) -> String {
        match self {
            Self::Library(e) => e.to_string(),
            Self::Said { message, .. } => message.clone(),
            Self::Output(e) => format!("cannot write to standard output: {}", reason(e)),
            Self::Input(e) => {
                format!("cannot read from standard input or the terminal: {}", reason(e))
            }
        }
    }

    pub(crate) fn hint(&self) -> Option<Hint> {
        match self {
            Self::Library(e) => e.hint(),
            Self::Said { hint, .. } => hint.clone(),
            Self::Output(_) | Self::Input(_) => None,
        }
    }

    /// The faults of single devices, where the error is about many.
    pub(crate) fn faults(&self) -> &[c8y_pki_engine::list::BadRow] {
        use c8y_pki_engine::list::ListError;
        use c8y_pki_engine::orders::OrderError;
        use c8y_pki_engine::provision::ProvisionError;
        use c8y_pki_engine::rollout::RolloutError;
        fn of(error: &Error) -> &[c8y_pki_engine::list::BadRow] {
            match error {
                Error::Provision(ProvisionError::NotRevoked { faults, .. }) => faults,
                Error::Provision(ProvisionError::Faults { faults, .. })
                | Error::List(ListError::Rows { faults, .. })
                | Error::Rollout(RolloutError::Provision(ProvisionError::Faults {
                    faults, ..
                })) => &faults.first,
                Error::Order(OrderError::List(ListError::Rows { faults, .. })) => &faults.first,
                Error::In { source, .. } => of(source),
                _ => &[],
            }
        }
        match self {
            Self::Library(e) => of(e),
            _ => &[],
        }
    }
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(e: E) -> Self {
        Self::Library(Box::new(e.into()))
    }
}

pub(crate) type Result<T = Outcome> = std::result::Result<T, Failure>;
