//! The tenant's own CA, and enrolment with it (platform: "The platform's own CA"; RFC 7030, 4.2).
//!
//! A device enrols with its id and its one-time password, and renews with a token or its password. The
//! certificate is for a year and for the subject of the request. The refusals have the platform's words
//! where those are known. A one-time password is used up by the certificate, not by an attempt.
//!
//! The body is PKCS#10 in base64 or PEM; refused with 400 if it is neither, with 403 if its signature does
//! not verify, its key is weak, or it asks for CA:TRUE; if its common name is not the device's id, with
//! 401 where the device has a one-time password only, with 403 where it is known.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use time::{Duration, OffsetDateTime};

use super::Profile;
use super::answer::{Answer, Refusal};
use super::auth::{self, Basic, DEVICES, TRUSTED_CERTIFICATES};
use super::call::Call;
use super::features;
use super::identity;
use super::settings::AUTHORITY_DAYS;
use super::shown::spaced;
use super::state::{AuthType, Authority, Device, Enrolment, Tenant, Trusted, World};
use crate::cert::{Certificate, Serial};
use crate::csr::Request;
use crate::der;
use crate::issue::{self, BeyondIssuer, Issuer, Order, Validity};
use crate::name::Name;
use crate::profile::Kind;

/// How long a device's certificate is valid, at most as long as the CA.
const DAYS: i64 = 365;
/// The tenant's CA is renewed when it has less than that left: 18 months.
const RENEWED_FROM: Duration = Duration::days(548);
/// The length of the lines in which the answer's base64 may come (RFC 2045, 6.8).
const LINE: usize = 76;

const NOT_REQUESTED: &str = "No newDeviceRequest found for this ID. It may already be registered, check the \
                             audit logs for details.";
const NO_KEY: &str = "Failed to retrieve tenant keypair";
const OLD: &str =
    "Tenant CA certificate is either missing, expired, or has a validity of less than one year";

/// Refused unless the tenant has the feature.
fn check_feature(world: &World, tenant: &str) -> Result<(), Refusal> {
    let on = features::is_on(world, tenant, features::AUTHORITY);
    let off = || Refusal::not_found("The feature certificate-authority is disabled.");
    on.then_some(()).ok_or_else(off)
}

/// `POST /certificate-authority`.
pub(super) fn create_authority(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let caller = auth::caller(world, call)?.needs(TRUSTED_CERTIFICATES)?;
    let name = caller.tenant;
    check_feature(world, &name)?;
    if tenant(world, &name)?.authority.is_some() {
        return Err(Refusal::conflict(format!("The tenant {name} has a CA already.")));
    }
    let subject = Name::builder().with("O", &world.site.host).and_then(|b| b.with("CN", &name));
    let subject = subject.and_then(|builder| builder.build()).map_err(Refusal::broken)?;
    let key = identity::generate().map_err(Refusal::broken)?;
    let days = world.site.authority_days;
    let certificate = identity::root(&subject, &key, days, call.now).map_err(Refusal::broken)?;
    let trusted = own(&certificate);
    let object = trusted.object(&world.site, &name);
    let tenant = tenant(world, &name)?;
    tenant.trusted.push(trusted);
    tenant.authority = Some(Authority { certificate, key });
    Ok(Answer::json(201, &object))
}

/// The tenant's own CA among the trusted certificates.
fn own(certificate: &Certificate) -> Trusted {
    let mut trusted = Trusted::new(certificate.clone(), spaced(&certificate.subject));
    trusted.own_authority = true;
    trusted.auto_registration = true;
    trusted.in_trust_store = true;
    // The tenant made the key itself.
    trusted.proven = true;
    trusted
}

/// `POST /certificate-authority/renew`: other dates for the same key and name, so another fingerprint.
pub(super) fn renew_authority(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let name = auth::caller(world, call)?.needs(TRUSTED_CERTIFICATES)?.tenant;
    check_feature(world, &name)?;
    let days = world.site.authority_days.max(AUTHORITY_DAYS);
    let tenant = tenant(world, &name)?;
    let Some(authority) = &mut tenant.authority else {
        return Err(Refusal::not_found(format!("The tenant {name} has no CA.")));
    };
    let old = &authority.certificate;
    if old.not_after - call.now > RENEWED_FROM {
        let message = "The CA of the tenant is valid for more than 18 months.";
        return Err(Refusal::not_found(message));
    }
    let next = identity::root(&old.subject, &authority.key, days, call.now);
    let next = next.map_err(Refusal::broken)?;
    let former = old.fingerprint_sha1();
    authority.certificate = next.clone();
    let renewed = own(&next);
    match tenant.trusted.iter_mut().find(|t| t.fingerprint == former) {
        Some(place) => *place = renewed.clone(),
        None => tenant.trusted.push(renewed.clone()),
    }
    Ok(Answer::json(201, &renewed.object(&world.site, &name)))
}

fn tenant<'a>(world: &'a mut World, name: &str) -> Result<&'a mut Tenant, Refusal> {
    world.tenants.get_mut(name).ok_or_else(|| Refusal::not_found("There is no such tenant."))
}

/// `POST /.well-known/est/simpleenroll`.
pub(super) fn enrol(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let Some(Basic { tenant: name, user: id, password }) = auth::basic(&call.headers) else {
        return Err(Refusal::unauthorized("no device id and one-time password were given"));
    };
    let none = |reason: String| Refusal::unauthorized(reason).saying(NOT_REQUESTED);
    let requests = world.tenants.get_mut(&name).map(|tenant| &mut tenant.requests);
    let pending = requests.and_then(|requests| requests.get_mut(&id));
    let pending = pending.filter(|pending| pending.may_enrol());
    let pending = pending.ok_or_else(|| {
        none(format!("{id} has no one-time password in {name}, has used it, or is blocked"))
    })?;
    if !pending.matches(&password) {
        return Err(Refusal::unauthorized("the one-time password is wrong"));
    }
    let request = request(call)?;
    let common_name = request.subject.common_name().unwrap_or_default();
    if common_name != id {
        return Err(none(format!("the request is for {common_name:?}, the device is {id:?}")));
    }
    let certificate = sign(world, call, &request, &name, &id, false)?;
    let tenant = tenant(world, &name)?;
    tenant.requests.remove(&id);
    let new = || Device::new(AuthType::Certificates);
    let device = tenant.devices.entry(id).or_insert_with(new);
    device.enrolled = Some(certificate.serial.to_string());
    Ok(answered(world.site.profile, call, &certificate))
}

/// `POST /.well-known/est/simplereenroll`.
pub(super) fn renew(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let caller = auth::caller(world, call)?.needs(DEVICES)?;
    let request = request(call)?;
    let common_name = request.subject.common_name().unwrap_or_default();
    if common_name != caller.user {
        let reason = format!("the request is for {common_name:?}, the device is {:?}", caller.user);
        return Err(Refusal::forbidden(reason).saying("The request is for another device."));
    }
    let certificate = sign(world, call, &request, &caller.tenant, &caller.user, true)?;
    if let Some(device) = tenant(world, &caller.tenant)?.devices.get_mut(&caller.user) {
        device.enrolled = Some(certificate.serial.to_string());
    }
    Ok(answered(world.site.profile, call, &certificate))
}

/// Signs what the device asks for, and notes it.
fn sign(
    world: &mut World,
    call: &Call,
    request: &Request,
    name: &str,
    id: &str,
    renewal: bool,
) -> Result<Certificate, Refusal> {
    let off = "The feature certificate-authority is disabled.";
    check_feature(world, name).map_err(|_| Refusal::forbidden(off).saying(off))?;
    let tenant = tenant(world, name)?;
    let Some(authority) = &tenant.authority else {
        return Err(Refusal::not_found(NO_KEY));
    };
    if authority.certificate.not_after - call.now < Duration::days(DAYS) {
        return Err(Refusal::not_found(OLD));
    }
    let certificate = issue_to(authority, request, call.now)?;
    let serial = certificate.serial.to_string();
    tenant.enrolments.push(Enrolment { at: call.now, device: id.to_owned(), serial, renewal });
    Ok(certificate)
}

/// The PKCS#10 of the body, in base64 with or without line ends, or PEM; the signature in it verifies.
fn request(call: &Call) -> Result<Request, Refusal> {
    if call.media_type() != "application/pkcs10" {
        return Err(Refusal::media_type("application/pkcs10"));
    }
    let encoding = call.header("content-transfer-encoding");
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("base64")) {
        return Err(Refusal::bad("The Content-Transfer-Encoding must be base64."));
    }
    let body = String::from_utf8_lossy(call.body()?);
    let text: String = body.lines().filter(|line| !line.starts_with("-----")).collect();
    let text: String = text.split_ascii_whitespace().collect();
    let der = STANDARD.decode(text);
    let der = der.map_err(|e| Refusal::bad(format!("The body is no base64: {e}.")))?;
    let request = Request::from_der(&der);
    let request = request.map_err(|e| Refusal::bad(format!("The body is refused: {e}.")))?;
    let refused = |message: String| Refusal::forbidden(message.clone()).saying(message);
    request.check_possession().map_err(|e| refused(format!("{e}.")))?;
    if asks_for_ca(&der) {
        return Err(refused("A certificate of a CA cannot be requested.".to_owned()));
    }
    Ok(request)
}

/// Whether a request has the extension basicConstraints with CA:TRUE (RFC 2985, 5.4.2; RFC 5280, 4.2.1.9):
/// its object identifier, maybe that it is critical, and a value that begins with TRUE.
fn asks_for_ca(der: &[u8]) -> bool {
    const BASIC_CONSTRAINTS: &[u8] = &[0x06, 3, 0x55, 0x1d, 0x13];
    const TRUE: &[u8] = &[0x01, 1, 0xff];
    let behind = der.windows(BASIC_CONSTRAINTS.len()).position(|w| w == BASIC_CONSTRAINTS);
    let Some(behind) = behind.map(|at| &der[at + BASIC_CONSTRAINTS.len()..]) else { return false };
    let value = behind.strip_prefix(TRUE).unwrap_or(behind);
    // OCTET STRING, SEQUENCE.
    value.get(4..).is_some_and(|value| value.starts_with(TRUE))
}

fn issue_to(
    authority: &Authority,
    request: &Request,
    now: OffsetDateTime,
) -> Result<Certificate, Refusal> {
    let key = request.public_key.as_ref().map_err(Refusal::broken)?;
    let issuer =
        Issuer::new(&authority.certificate, &authority.key, now).map_err(Refusal::broken)?;
    let now = now.replace_nanosecond(0).unwrap_or(now);
    let wanted = Validity {
        not_before: now - Duration::hours(1),
        not_after: now + Duration::days(DAYS),
        counted_from: now,
    };
    let profile = identity::profile(Kind::Device, &["digitalSignature"], &["clientAuth"]);
    let order = Order {
        profile: &profile,
        subject: &request.subject,
        public_key: key,
        serial: Serial::random().map_err(Refusal::broken)?,
        validity: issuer.fit(wanted, BeyondIssuer::Shorten).map_err(Refusal::broken)?,
        path_length: None,
    };
    issue::issue(&order, &issuer).map_err(Refusal::broken)
}

/// The certificate as it was asked for: as PEM, or alone in a PKCS#7 in base64.
fn answered(profile: Profile, call: &Call, certificate: &Certificate) -> Answer {
    const PEM: &str = "application/pkcs10";
    let status = if profile == Profile::Field { 200 } else { 201 };
    let accept = call.header("accept").unwrap_or_default();
    if accept.split(',').any(|range| range.trim().starts_with(PEM)) {
        return Answer::of_type(status, PEM, certificate.pem());
    }
    let base64 = STANDARD.encode(pkcs7(certificate.der()));
    let body = match profile {
        Profile::Field => base64,
        Profile::Documented => in_lines(&base64),
    };
    Answer::of_type(status, "application/pkcs7-mime;smime-type=certs-only", body)
        .with("Content-Transfer-Encoding", "base64")
}

fn in_lines(base64: &str) -> String {
    let mut body = String::with_capacity(base64.len() + base64.len() / LINE * 2 + 2);
    let mut rest = base64;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(LINE.min(rest.len()));
        body.push_str(line);
        body.push_str("\r\n");
        rest = after;
    }
    body
}

/// PKCS#7 with one certificate and nothing signed (RFC 5652, 5.1; RFC 7030, 4.1.3), in BER: all lengths
/// around the certificate are indefinite (X.690, 8.1.3.6).
fn pkcs7(certificate: &[u8]) -> Vec<u8> {
    const EXPLICIT: u8 = 0xa0;
    /// 1.2.840.113549.1.7.2 and 1.2.840.113549.1.7.1.
    const SIGNED_DATA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
    const DATA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
    let indefinite =
        |tag: u8, parts: &[&[u8]]| [&[tag, 0x80], parts.concat().as_slice(), &[0, 0]].concat();
    let signed_data = indefinite(
        der::SEQUENCE,
        &[
            &der::element(der::INTEGER, &[&[1]]),
            &der::element(der::SET, &[]),
            &der::element(der::SEQUENCE, &[DATA]),
            // [0] IMPLICIT: certificates.
            &indefinite(EXPLICIT, &[certificate]),
            &der::element(der::SET, &[]),
        ],
    );
    indefinite(der::SEQUENCE, &[SIGNED_DATA, &indefinite(EXPLICIT, &[&signed_data])])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_for_a_ca_are_known() {
        for (der, is) in [
            (&b"x\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x05\x30\x03\x01\x01\xff"[..], true),
            (b"\x06\x03\x55\x1d\x13\x04\x05\x30\x03\x01\x01\xff", true),
            (b"\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00", false),
            (b"\x06\x03\x55\x1d\x13\x04\x02\x30\x00", false),
            (b"\x06\x03\x55\x1d\x0f", false),
        ] {
            assert_eq!(asks_for_ca(der), is, "{der:x?}");
        }
    }
}
