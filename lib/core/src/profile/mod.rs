//! Certificate profiles: `templates/*.toml` and files of the user's own, read into typed values.
//!
//! A profile says everything that goes into a certificate besides names, key and serial number, so
//! that nothing gets there by a silent default. Unknown keys, and keys that contradict each other
//! (a device that signs certificates, an EC key for key encipherment), are errors with file and
//! line.

mod extensions;
mod fault;
mod kind;
mod named;
mod raw;
mod reading;

pub use extensions::{CustomExtension, Extensions};
#[doc(hidden)]
pub use fault::{line_of, toml_fault};
pub use kind::Kind;
pub use named::UnknownProfile;
#[doc(hidden)]
pub use reading::days;
pub use reading::{
    BUILT_IN, MAX_VALIDITY_DAYS, PathLength, Profile, ProfileError, extended_key_usage_oid,
};

#[cfg(test)]
mod tests;
