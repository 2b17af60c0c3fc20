//! Contexts: how tenants are reached, each under a name.
//!
//! What is given on the command line counts first; then a context that is named (`--context`, `C8Y_PKI_CONTEXT`); then
//! the variables of the session (`C8Y_HOST` and the others); then the context of `context use`. Host and login always
//! come from one of these, so that no password goes to another tenant than its own.
//!
//! | file | rule |
//! | --- | --- |
//! | `store` | the file of the contexts, and the files of their secrets |
//! | `chosen` | which context counts, and what it puts in place of variables |

mod chosen;
mod store;

pub(crate) use chosen::{By, Chosen, apply, check_secret, choose, current_host, keeps_for_another};
pub(crate) use store::{Context, Contexts, Kept, Secret, forget, keep, name_of, said_of_secret};
