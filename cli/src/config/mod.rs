//! Settings of this user and this computer: where they are, and the defaults that a file gives options.
//!
//! | file | rule |
//! | --- | --- |
//! | `places` | where the files are, by the XDG rules |
//! | `file` | `config.toml`, written by people |
//! | `defaults` | which options of which commands take their default from it |

mod defaults;
mod file;
mod places;

pub(crate) use defaults::{apply, settings};
pub(crate) use file::Config;
pub(crate) use places::path;
