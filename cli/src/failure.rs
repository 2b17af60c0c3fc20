//! How a command ends, and the table of exit codes.
//!
//! | code | meaning |
//! | --- | --- |
//! | 0 | done, also when there was nothing to do |
//! | 1 | the answer is no, or some rows failed |
//! | 2 | wrong use or wrong input |
//! | 3 | the environment failed; trying again may help |

use std::process::ExitCode;

use c8y_pki::files::reason;
use c8y_pki::{Error, Fault};
use clap::error::ErrorKind;

/// The exit code of a command that was stopped.
pub(crate) const STOPPED: u8 = 3;

/// How a command ended that did what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done, or the answer is yes.
    Done,
    /// The answer is no, or some rows failed.
    No,
    /// What was looked at is wrong in itself.
    WrongInput,
    /// The other side was not reached.
    NotReached,
    /// Stopped by the user before the end.
    Stopped,
}

impl Outcome {
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::No => 1,
            Self::WrongInput => 2,
            Self::NotReached => 3,
            Self::Stopped => STOPPED,
        })
    }

    /// Yes or no.
    pub(crate) fn of(good: bool) -> Self {
        if good { Self::Done } else { Self::No }
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library says why.
    Library(Box<Error>),
    /// Arguments that clap cannot check, or a password that nobody can be asked for.
    Usage {
        /// What is wrong.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The answer is no, and why.
    No {
        /// What is refused.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Writing to standard output failed.
    Output(std::io::Error),
    /// Reading standard input or the terminal failed.
    Input(std::io::Error),
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: Some(hint.into()) }
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
        Self::No { message: message.into(), hint: Some(hint.into()) }
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Library(e) => match e.fault() {
                Fault::Refusal => 1,
                Fault::Input => 2,
                Fault::Environment => 3,
            },
            Self::No { .. } => 1,
            Self::Usage { .. } => 2,
            Self::Output(_) | Self::Input(_) => 3,
        })
    }

    pub(crate) fn message(&self) -> String {
        match self {
            Self::Library(e) => e.to_string(),
            Self::Usage { message, .. } | Self::No { message, .. } => message.clone(),
            Self::Output(e) => format!("cannot write to standard output: {}", reason(e)),
            Self::Input(e) => {
                format!("cannot read from standard input or the terminal: {}", reason(e))
            }
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Library(e) => e.hint(),
            Self::Usage { hint, .. } | Self::No { hint, .. } => hint.clone(),
            Self::Output(_) | Self::Input(_) => None,
        }
    }

    /// The faults of single devices, where the error is about many.
    pub(crate) fn faults(&self) -> &[c8y_pki::list::Fault] {
        use c8y_pki::list::ListError;
        use c8y_pki::provision::ProvisionError;
        use c8y_pki::rollout::RolloutError;
        fn of(error: &Error) -> &[c8y_pki::list::Fault] {
            match error {
                Error::Provision(ProvisionError::NotRevoked { faults, .. }) => faults,
                Error::Provision(ProvisionError::Faults { faults, .. })
                | Error::List(ListError::Rows { faults, .. })
                | Error::Rollout(RolloutError::Provision(ProvisionError::Faults {
                    faults, ..
                })) => &faults.first,
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
