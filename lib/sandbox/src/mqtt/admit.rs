//! Who may connect, and with which CONNACK the others are refused (platform: "MQTT"). The code is all
//! that the client learns; the reason is for the list of connections.
//!
//! | code | here |
//! | --- | --- |
//! | 2 | the ClientId names no device, or has more than three parts (5 with a certificate) |
//! | 4 | without certificate: no user, one that names no tenant, or another password |
//! | 5 | anything about the certificate; MQTT 3.1 with 24 characters or more |
//!
//! MQTT 5 has codes of its own for the same ([`Denial`]). Clean session false is let in, with a line for the list of
//! connections. On the port of the MQTT Service: MQTT 3.1.1 and 5 only (1), clean session true, no will that is
//! retained or of QoS 2 (5; in MQTT 5 0x9a and 0x9b); the ClientId `X` or `d:X` and no template; a user, if any, has
//! to be the tenant's id.

use mqtt_protocol_core::mqtt::packet::Qos;
use time::OffsetDateTime;

use super::super::auth::{self, BOOTSTRAP, Basic};
use super::super::judge::{self, Admitted, Reason};
use super::super::state::{Guest, MANAGEMENT, Port, Protocol, Way, World};
use super::packets::{Denial, Will};
use crate::cert::Certificate;
use crate::secret::Password;

/// From so many characters a ClientId is too long for MQTT 3.1.
const LONG: usize = 24;

/// What a client says of itself.
pub(super) struct Claim<'a> {
    pub(super) port: Port,
    pub(super) protocol: Protocol,
    pub(super) client_id: &'a str,
    pub(super) clean_session: bool,
    pub(super) will: Option<&'a Will>,
    pub(super) user: Option<&'a str>,
    pub(super) password: Option<&'a [u8]>,
    /// The chain of the handshake; empty without one.
    pub(super) presented: &'a [Certificate],
}

/// A refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: Denial,
    pub(super) reason: String,
}

fn refused(code: Denial, reason: impl Into<String>) -> Refused {
    Refused { code, reason: reason.into() }
}

/// Admits a client, or says why not. A device may be registered by that.
pub(super) fn admit(
    world: &mut World,
    claim: &Claim<'_>,
    now: OffsetDateTime,
) -> Result<Guest, Refused> {
    let unauthorized = |reason: String| refused(Denial::Unauthorized, reason);
    if claim.port == Port::Service {
        check_service(claim)?;
    }
    let chars = claim.client_id.chars().count();
    if claim.protocol == Protocol::Mqtt31 && chars >= LONG {
        let reason = format!("the ClientId has {chars} characters; MQTT 3.1 allows 23");
        return Err(unauthorized(reason));
    }
    let device = device(claim)?;
    let (tenant, way, by) = if claim.presented.is_empty() {
        let (tenant, way) = by_password(world, claim, device)
            .map_err(|reason| refused(Denial::Credentials, reason))?;
        (tenant, way, None)
    } else {
        let admitted = by_certificate(world, claim, device, now).map_err(unauthorized)?;
        (admitted.tenant, Way::Certificate, Some(admitted.by))
    };
    let remark = (!claim.clean_session).then_some("clean session is false: it must be true");
    let (device, client_id) = (device.to_owned(), claim.client_id.to_owned());
    Ok(Guest { tenant, device, client_id, way, port: claim.port, by, remark })
}

/// What the MQTT Service refuses of any client.
fn check_service(claim: &Claim<'_>) -> Result<(), Refused> {
    if claim.protocol == Protocol::Mqtt31 {
        let reason = "the MQTT Service does not speak MQTT 3.1";
        return Err(refused(Denial::Version, reason));
    }
    if !claim.clean_session {
        return Err(refused(Denial::Unauthorized, "clean session is false"));
    }
    match claim.will {
        Some(will) if will.retain => {
            Err(refused(Denial::RetainedWill, "the last will is to be retained"))
        }
        Some(will) if will.qos == Qos::ExactlyOnce => {
            Err(refused(Denial::WillOfQos2, "the last will is of QoS 2"))
        }
        _ => Ok(()),
    }
}

/// The device identifier in `[type:]deviceIdentifier[:template]`.
fn device<'a>(claim: &Claim<'a>) -> Result<&'a str, Refused> {
    let parts: Vec<&str> = claim.client_id.split(':').collect();
    let device = match parts[..] {
        [_, _, _] if claim.port == Port::Service => {
            let reason = "the MQTT Service understands no template in the ClientId";
            return Err(refused(Denial::Unauthorized, reason));
        }
        [device] | [_, device] | [_, device, _] => device,
        _ => {
            let code = match claim.presented {
                [] => Denial::ClientId,
                _ => Denial::Unauthorized,
            };
            return Err(refused(code, "the ClientId has more than three parts"));
        }
    };
    if device.is_empty() {
        let reason = "the ClientId has no device identifier";
        return Err(refused(Denial::ClientId, reason));
    }
    Ok(device)
}

/// The tenant of a device, by the chain that it presents.
fn by_certificate(
    world: &mut World,
    claim: &Claim<'_>,
    device: &str,
    now: OffsetDateTime,
) -> Result<Admitted, String> {
    let presented = claim.presented;
    let name = presented.first().and_then(|leaf| leaf.subject.common_name());
    if claim.port == Port::Service {
        let fits = name.is_some_and(|name| name == device || name == claim.client_id);
        if !fits {
            return Err(format!(
                "the common name {:?} is neither {device:?} nor the ClientId {:?}",
                name.unwrap_or_default(),
                claim.client_id
            ));
        }
        let admitted = judge::admit_as(world, presented, device, now).map_err(Reason::text)?;
        return match claim.user {
            Some(user) if user != admitted.tenant => {
                Err(format!("the user {user:?} is not the tenant {:?}", admitted.tenant))
            }
            _ => Ok(admitted),
        };
    }
    // What else is wrong with a name is for the judge to say.
    if let Some(name) = name.filter(|name| !name.contains(':') && *name != device) {
        return Err(format!(
            "the common name {name:?} is not the device identifier {device:?} of the ClientId"
        ));
    }
    judge::admit(world, presented, now).map_err(Reason::text)
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
