//! Why a rollout does not write to a place.

use std::path::PathBuf;

use crate::failure::{Failure, Fault, Hint};

/// Why a rollout does not write to a place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Occupied {
    /// The place is used for something else.
    #[error("{}: {output} would be written to {}, which {purpose}", file.display(), path.display())]
    InUse {
        /// The rollout file.
        file: PathBuf,
        /// What would be written.
        output: &'static str,
        /// Where.
        path: PathBuf,
        /// What the place is: the rest of a sentence.
        purpose: &'static str,
    },
    /// Another file stands there.
    #[error("{} exists and is not a registration CSV", .0.display())]
    NoCsv(PathBuf),
}

impl Failure for Occupied {
    fn fault(&self) -> Fault {
        match self {
            Self::InUse { .. } | Self::NoCsv(_) => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::InUse { .. } => "name another `file` under [registration]".into(),
            Self::NoCsv(_) => {
                "name another `file` under [registration], or move this one away".into()
            }
        })
    }
}
