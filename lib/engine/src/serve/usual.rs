//! How certificates are made where no order says something else.

use crate::name::NameBuilder;
use crate::profile::Profile;

/// How the certificates of devices are made that are in no order, and what an order does not say.
#[derive(Debug, Clone)]
pub struct Usual {
    /// The profile, of kind `device`.
    pub profile: Profile,
    /// Fields of the subject besides the common name.
    pub subject: NameBuilder,
    /// Validity in days, in place of the profile's.
    pub days: Option<u32>,
}
