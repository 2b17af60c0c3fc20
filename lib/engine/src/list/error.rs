//! Why a device list cannot be used.

use super::fault::{BadRows, MOST_FAULTS};
use crate::failure::{Example, Failure, Fault, Hint, Task, Underlying};
use crate::files::FileError;

/// What reading a list gives, or why it cannot be used.
pub(super) type Result<T = (), E = ListError> = std::result::Result<T, E>;

/// Why a device list cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// A list that is no CSV with a column of ids.
    #[error("{file}: {problem}")]
    Unreadable {
        /// The list.
        file: String,
        /// What is wrong with it.
        #[source]
        problem: Underlying,
        /// What to do about it.
        hint: Option<Hint>,
    },
    /// A list as spreadsheets save "Unicode text".
    #[error("{file} is UTF-16; a list has to be UTF-8")]
    Utf16 {
        /// The list.
        file: String,
    },
    /// A list in an encoding that cannot be told.
    #[error("{file} is not UTF-8, first in line {line}")]
    NotUtf8 {
        /// The list.
        file: String,
        /// The first line (from 1) that is not UTF-8.
        line: u64,
    },
    /// A list that is not the same any more.
    #[error("{file} was changed while it was read")]
    Changed {
        /// The list.
        file: String,
    },
    /// Rows of a list that name no device; nothing was done with any of them.
    #[error("{} of {total} device{} of the list cannot be used; nothing was done", faults.count, if *total == 1 { "" } else { "s" })]
    Rows {
        /// Their faults.
        faults: BadRows,
        /// How many rows it has.
        total: usize,
    },
    /// A file operation.
    #[error(transparent)]
    File(#[from] FileError),
}

impl ListError {
    pub(super) fn unreadable(file: &str, problem: impl Into<Underlying>) -> Self {
        Self::Unreadable { file: file.to_owned(), problem: problem.into(), hint: None }
    }

    /// A list without the form of one.
    pub(super) fn no_list(file: &str, problem: impl Into<Underlying>) -> Self {
        let hint = Hint::run("start from a complete list", Task::PrintExample(Example::Devices));
        Self::unreadable(file, problem).with(hint)
    }

    /// The same of a workbook of which one sheet is read, `sheet` says which.
    pub(super) fn of_sheet(self, sheet: Option<&str>) -> Self {
        match (self, sheet) {
            (Self::Unreadable { file, problem, hint }, Some(sheet)) => {
                let problem = format!("{problem} ({sheet})").into();
                Self::Unreadable { file, problem, hint }
            }
            (other, _) => other,
        }
    }

    /// The same with what to do about it.
    pub(super) fn with(mut self, what: impl Into<Hint>) -> Self {
        if let Self::Unreadable { hint, .. } = &mut self {
            *hint = Some(what.into());
        }
        self
    }
}

/// Why a workbook is not read, without the file's name, and what to do about it.
#[derive(Debug)]
pub(super) struct Unread {
    pub(super) problem: Underlying,
    pub(super) hint: Option<&'static str>,
}

impl Unread {
    pub(super) fn new(problem: impl Into<Underlying>, hint: &'static str) -> Self {
        Self { problem: problem.into(), hint: Some(hint) }
    }
}

impl From<Underlying> for Unread {
    fn from(problem: Underlying) -> Self {
        Self { problem, hint: None }
    }
}

impl Failure for ListError {
    fn fault(&self) -> Fault {
        match self {
            Self::File(e) => e.fault(),
            Self::Unreadable { .. }
            | Self::Utf16 { .. }
            | Self::NotUtf8 { .. }
            | Self::Changed { .. }
            | Self::Rows { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Unreadable { hint, .. } => hint.clone(),
            Self::Utf16 { .. } => Some("save it as CSV UTF-8".into()),
            Self::NotUtf8 { .. } => Some(
                "it seems to be saved in the encoding of one country (ANSI, Windows-1252): save it as CSV UTF-8"
                    .into(),
            ),
            Self::Changed { .. } => {
                Some("do not change it, and run the same command again to finish it".into())
            }
            Self::Rows { faults, .. } => faults.hint(),
            Self::File(e) => e.hint(),
        }
    }
}

impl BadRows {
    /// What the user can do about faults of a list that are too many to be kept.
    pub(crate) fn hint(&self) -> Option<Hint> {
        self.is_cut().then(|| {
            format!(
                "more than {MOST_FAULTS} faults: is it the right list, and has it the right column of ids?"
            )
            .into()
        })
    }
}
