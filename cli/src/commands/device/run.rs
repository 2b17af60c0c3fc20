//! What a run of `device issue` or `device renew` is about, before anybody is asked for a password.

use c8y_pki_core::crypto::KeyPolicy;
use c8y_pki_core::name::NameBuilder;
use c8y_pki_core::profile::Profile;
use c8y_pki_engine::list::Devices;
use c8y_pki_engine::pki::Ca;
use c8y_pki_engine::provision::{Existing, Keep, RevokedDevices};
use c8y_pki_engine::registry::OrderRecord;

use super::kinds::Kinds;

/// What is issued, once it is known that it may be.
pub(super) struct Run {
    pub(super) ca: Ca,
    pub(super) profile: Profile,
    pub(super) subject: NameBuilder,
    pub(super) existing: Existing,
    /// What to do with devices that were revoked.
    pub(super) revoked: RevokedDevices,
    pub(super) keep: Keep,
    pub(super) keys: KeyPolicy,
    pub(super) kinds: Kinds,
    pub(super) devices: Devices,
    /// Devices that are none of these, since they were revoked.
    pub(super) left_out: Vec<String>,
    /// The order that they are in.
    pub(super) order: Option<OrderRecord>,
    /// Whether live certificates are renewed: what is wrong with others is no attempt to issue them.
    pub(super) is_renewal: bool,
    /// Whether other stations make that order too.
    pub(super) is_shared: bool,
}

impl Run {
    /// Whether it replaces certificates and can be asked to replace revoked ones too.
    pub(super) fn may_issue_revoked(&self) -> bool {
        matches!(self.existing, Existing::Replace { .. }) && !self.is_renewal
    }
}
