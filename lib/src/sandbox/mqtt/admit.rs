//! Who may connect, and with which CONNACK the others are refused (platform: "MQTT"). The code is all
//! that the client learns; the reason is for the list of connections.
//!
//! | code | here |
//! | --- | --- |
//! | 2 | the ClientId names no device, or has more than three parts (5 with a certificate) |
//! | 4 | without certificate: no user, one that names no tenant, or another password |
//! | 5 | anything about the certificate; clean session false; MQTT 3.1 with 24 characters or more |

use mqtt_protocol_core::mqtt::result_code::ConnectReturnCode;
use time::OffsetDateTime;

use super::super::auth::{self, Basic};
use super::super::judge;
use super::super::state::World;
use super::super::tenant::MANAGEMENT;
use super::hello::Protocol;
use crate::cert::Certificate;
use crate::secret::Password;

/// The user of devices that have no credentials yet.
const BOOTSTRAP: &str = "devicebootstrap";
/// From so many characters a ClientId is too long for MQTT 3.1.
const LONG: usize = 24;

/// How a connection was authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Certificate,
    Password,
    Bootstrap,
}

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Password => "password",
            Self::Bootstrap => "bootstrap",
        }
    }
}

/// Who is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guest {
    pub(super) tenant: String,
    /// The device identifier of the ClientId.
    pub(super) device: String,
    pub(super) client_id: String,
    pub(super) way: Way,
}

/// What a client says of itself.
pub(super) struct Claim<'a> {
    pub(super) protocol: Protocol,
    pub(super) client_id: &'a str,
    pub(super) clean_session: bool,
    pub(super) user: Option<&'a str>,
    pub(super) password: Option<&'a [u8]>,
    /// The chain of the handshake; empty without one.
    pub(super) presented: &'a [Certificate],
}

/// A refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: ConnectReturnCode,
    pub(super) reason: String,
}

fn refused(code: ConnectReturnCode, reason: impl Into<String>) -> Refused {
    Refused { code, reason: reason.into() }
}

/// Admits a client, or says why not. A device may be registered by that.
pub(super) fn admit(
    world: &mut World,
    claim: &Claim<'_>,
    now: OffsetDateTime,
) -> Result<Guest, Refused> {
    let unauthorized = |reason: String| refused(ConnectReturnCode::NotAuthorized, reason);
    if !claim.clean_session {
        return Err(unauthorized("clean session is false".to_owned()));
    }
    let chars = claim.client_id.chars().count();
    if claim.protocol == Protocol::Mqtt31 && chars >= LONG {
        let reason = format!("the ClientId has {chars} characters; MQTT 3.1 allows 23");
        return Err(unauthorized(reason));
    }
    let device = device(claim)?;
    let (tenant, way) = if claim.presented.is_empty() {
        by_password(world, claim, device)
            .map_err(|reason| refused(ConnectReturnCode::BadUserNameOrPassword, reason))?
    } else {
        let tenant = by_certificate(world, claim.presented, device, now).map_err(unauthorized)?;
        (tenant, Way::Certificate)
    };
    let (device, client_id) = (device.to_owned(), claim.client_id.to_owned());
    Ok(Guest { tenant, device, client_id, way })
}

/// The device identifier in `[type:]deviceIdentifier[:template]`.
fn device<'a>(claim: &Claim<'a>) -> Result<&'a str, Refused> {
    let parts: Vec<&str> = claim.client_id.split(':').collect();
    let device = match parts[..] {
        [device] | [_, device] | [_, device, _] => device,
        _ => {
            let code = match claim.presented {
                [] => ConnectReturnCode::IdentifierRejected,
                _ => ConnectReturnCode::NotAuthorized,
            };
            return Err(refused(code, "the ClientId has more than three parts"));
        }
    };
    if device.is_empty() {
        let reason = "the ClientId has no device identifier";
        return Err(refused(ConnectReturnCode::IdentifierRejected, reason));
    }
    Ok(device)
}

/// The tenant of a device, by the chain that it presents.
fn by_certificate(
    world: &mut World,
    presented: &[Certificate],
    device: &str,
    now: OffsetDateTime,
) -> Result<String, String> {
    let name = presented.first().and_then(|leaf| leaf.subject.common_name());
    // What else is wrong with a name is for the judge to say.
    if let Some(name) = name.filter(|name| !name.contains(':') && *name != device) {
        return Err(format!(
            "the common name {name:?} is not the device identifier {device:?} of the ClientId"
        ));
    }
    judge::admit(world, presented, now).map(|admitted| admitted.tenant)
}

/// The tenant of a user, by name and password.
fn by_password(world: &World, claim: &Claim<'_>, device: &str) -> Result<(String, Way), String> {
    let user = claim.user.ok_or("neither a certificate nor a user was given")?;
    if !user.contains('/') {
        return Err(format!("the user {user:?} names no tenant: MQTT expects tenant/user"));
    }
    let password = claim.password.ok_or("no password was given")?;
    let password = std::str::from_utf8(password).map_err(|_| "the password is no text")?;
    let basic = Basic::of(user, Password::new(password));
    if basic.tenant == MANAGEMENT && basic.user == BOOTSTRAP {
        let right = basic.password == world.password;
        let wrong = || "the password is wrong".to_owned();
        return right.then_some((basic.tenant, Way::Bootstrap)).ok_or_else(wrong);
    }
    let caller = auth::login(world, &basic)?;
    if caller.device && caller.user != device {
        return Err(format!(
            "the user is the device {:?}, the ClientId names {device:?}",
            caller.user
        ));
    }
    Ok((caller.tenant, Way::Password))
}
