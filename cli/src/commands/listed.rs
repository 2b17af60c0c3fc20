//! Which recorded certificates are listed, of devices and of servers alike.

use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::registry::{Filter, Role, Status};
use clap::{Args, ValueEnum};
use time::OffsetDateTime;

use crate::failure::Result;
use crate::values;

/// Which certificates.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum StatusArg {
    /// In use
    Live,
    /// Another one took its place
    Superseded,
    /// Revoked
    Revoked,
    /// All of them
    Any,
}

impl StatusArg {
    /// The only one that is meant; none for all of them.
    fn status(self) -> Option<Status> {
        match self {
            Self::Live => Some(Status::Live),
            Self::Superseded => Some(Status::Superseded),
            Self::Revoked => Some(Status::Revoked),
            Self::Any => None,
        }
    }
}

/// Which certificates a list shows.
#[derive(Debug, Args)]
pub(crate) struct ListedArgs {
    /// Issued by this CA
    #[arg(long, value_name = "NAME")]
    ca: Option<String>,
    /// In this state
    #[arg(long, value_enum, default_value = "live")]
    status: StatusArg,
    /// Whose validity ends within this time, e.g. 30d or 8w; those that have ended too
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    expiring: Option<time::Duration>,
}

impl ListedArgs {
    /// What is asked of the registry. A CA that is not there is an error.
    pub(crate) fn filter(&self, role: Role, pki: &Pki, now: OffsetDateTime) -> Result<Filter<'_>> {
        if let Some(name) = &self.ca {
            pki.ca(name)?;
        }
        Ok(Filter {
            ca: self.ca.as_deref(),
            role: Some(role),
            status: self.status.status(),
            expires_before: self.expiring.map(|time| now + time),
            ..Filter::default()
        })
    }
}

/// What became of a certificate: the cell of a table. A live one of a CA that is revoked is not trusted.
pub(crate) fn state(status: Status, reason: Option<&str>, ca_revoked: bool) -> String {
    match reason {
        Some(reason) => format!("{}: {reason}", status.name()),
        None if ca_revoked && status == Status::Live => format!("{}, CA revoked", status.name()),
        None => status.name().to_owned(),
    }
}
