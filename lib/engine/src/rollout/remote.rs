//! What a rollout reaches beyond this machine.

use super::connect::Connecting;
use crate::platform::blocking::Client;

/// What lies beyond this machine; what is not given is left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Remote<'a> {
    /// The tenant.
    pub client: Option<&'a Client>,
    /// Where the devices are to connect, at the end.
    pub connect: Option<&'a Connecting>,
}
