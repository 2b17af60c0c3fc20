//! Secrets at the command line: where a password, a PIN or a token comes from, and keys that are opened with it.
//!
//! A secret comes from a file, the environment or a person at a terminal: never from an argument's value, and
//! nobody is asked where nobody can answer.
//!
//! | file | rule |
//! | --- | --- |
//! | `surroundings` | what is outside: variables, and a person who can be asked |
//! | `source` | in which order they are looked at, and what is said if none has it |
//! | `known` | every secret that a command takes, with its option and its variable |
//! | `weak` | whether a weak password may be chosen |
//! | `opening` | something is tried without a password before anybody is asked for one |
//! | `uri` | a PKCS#11 URI where a file's name may stand |
//! | `key` | a private key, in a file or a token |
//! | `ca` | the key of a CA, in a file or a token; of several CAs |
//! | `parent` | the key of the CA above: whose password, whose PIN |
//! | `place` | where the key of a new CA is kept |

mod ca;
mod key;
pub(crate) mod known;
mod opening;
mod parent;
mod place;
mod source;
mod surroundings;
#[cfg(test)]
mod tests;
mod uri;
mod weak;

pub(crate) use ca::{Unlocked, unlock, unlock_with};
pub(crate) use key::{At, Opened, open_for, opened, read, read_bytes, signer};
pub(crate) use known::is_secret_variable;
pub(crate) use opening::{needs_password, opening};
pub(crate) use parent::signing_secret;
pub(crate) use place::{Place, PlaceArgs};
pub(crate) use source::Source;
pub(crate) use uri::module;
pub(crate) use weak::{WeakArgs, warn_of_weak};
