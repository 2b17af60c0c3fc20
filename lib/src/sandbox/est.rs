//! The tenant's own CA, and enrolment with it (platform: "The platform's own CA"; RFC 7030, 4.2).
//!
//! A device enrols with its id and its one-time password, and renews with a token or its password.
//! Refused with 400: a request that is no PKCS#10 in base64; with 422: one whose signature does not
//! verify, whose key is weak, or whose common name is not the device's id; with 404: a tenant
//! without a CA. A one-time password is used up by the certificate, not by an attempt.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use time::{Duration, OffsetDateTime};

use super::answer::{Answer, Refusal};
use super::auth::{self, Basic, TRUSTED_CERTIFICATES};
use super::call::Call;
use super::identity;
use super::state::World;
use super::tenant::{Authority, Enrolment, Tenant};
use super::trusted::Trusted;
use crate::cert::{Certificate, Serial};
use crate::csr::Request;
use crate::der;
use crate::issue::{self, Issuer, Order, Outliving, Validity};
use crate::name::Name;
use crate::profile::Kind;

/// How long a device's certificate is valid, at most as long as the CA.
const DAYS: i64 = 365;
/// The length of the lines in which the answer's base64 comes (RFC 2045, 6.8).
const LINE: usize = 76;

/// `POST /certificate-authority`.
pub(super) fn create_authority(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let caller = auth::caller(world, call)?.needs(TRUSTED_CERTIFICATES)?;
    let name = caller.tenant;
    if tenant(world, &name)?.authority.is_some() {
        return Err(Refusal::conflict(format!("The tenant {name} has a CA already.")));
    }
    let subject = format!("c8y-pki sandbox, tenant {name}");
    let (certificate, key) = identity::authority(&subject, call.now).map_err(Refusal::broken)?;
    let mut trusted = Trusted::new(certificate.clone(), subject);
    trusted.own_authority = true;
    // The tenant made the key itself.
    trusted.proven = true;
    let object = trusted.object(&world.site, &name);
    let tenant = tenant(world, &name)?;
    tenant.trusted.push(trusted);
    tenant.authority = Some(Authority { certificate, key });
    Ok(Answer::json(201, &object))
}

fn tenant<'a>(world: &'a mut World, name: &str) -> Result<&'a mut Tenant, Refusal> {
    world.tenants.get_mut(name).ok_or_else(|| Refusal::not_found("There is no such tenant."))
}

/// `POST /.well-known/est/simpleenroll`.
pub(super) fn enrol(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let Some(Basic { tenant: name, user: id, password }) = auth::basic(&call.headers) else {
        return Err(Refusal::unauthorized("no device id and one-time password were given"));
    };
    let device = world.tenants.get(&name).and_then(|tenant| tenant.devices.get(&id));
    let Some(device) = device else {
        return Err(Refusal::unauthorized(format!("there is no device {id:?} in {name:?}")));
    };
    match &device.one_time {
        None => {
            let reason = format!("{id} has no one-time password, or has used it");
            return Err(Refusal::unauthorized(reason));
        }
        Some(one_time) if *one_time != password => {
            return Err(Refusal::unauthorized("the one-time password is wrong"));
        }
        Some(_) => {}
    }
    let certificate = sign(world, call, &name, &id, false)?;
    if let Some(device) = tenant(world, &name)?.devices.get_mut(&id) {
        device.one_time = None;
    }
    Ok(certs_only(&certificate))
}

/// `POST /.well-known/est/simplereenroll`.
pub(super) fn renew(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let caller = auth::caller(world, call)?;
    if !caller.device {
        return Err(Refusal::forbidden(format!("{} is no device", caller.user)));
    }
    let certificate = sign(world, call, &caller.tenant, &caller.user, true)?;
    Ok(certs_only(&certificate))
}

/// Signs what the device asks for, and notes it.
fn sign(
    world: &mut World,
    call: &Call,
    name: &str,
    id: &str,
    renewal: bool,
) -> Result<Certificate, Refusal> {
    let request = request(call)?;
    let common_name = request.subject.common_name().unwrap_or_default();
    if common_name != id {
        let message = format!("The request is for {common_name:?}, the device is {id:?}.");
        return Err(Refusal::unprocessable(message));
    }
    let tenant = tenant(world, name)?;
    let Some(authority) = &tenant.authority else {
        return Err(Refusal::not_found(format!("The tenant {name} has no CA.")));
    };
    let certificate = issue_to(authority, &request, id, call.now)?;
    let serial = certificate.serial.to_string();
    if let Some(device) = tenant.devices.get_mut(id) {
        device.enrolled = Some(serial.clone());
    }
    tenant.enrolments.push(Enrolment { at: call.now, device: id.to_owned(), serial, renewal });
    Ok(certificate)
}

/// The PKCS#10 of the body, in base64 with or without line ends; the signature in it verifies.
fn request(call: &Call) -> Result<Request, Refusal> {
    if call.media_type() != "application/pkcs10" {
        return Err(Refusal::media_type("application/pkcs10"));
    }
    let encoding = call.header("content-transfer-encoding");
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("base64")) {
        return Err(Refusal::bad("The Content-Transfer-Encoding must be base64."));
    }
    let text: Vec<u8> =
        call.body()?.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(text);
    let der = der.map_err(|e| Refusal::bad(format!("The body is no base64: {e}.")))?;
    let request = Request::from_der(&der);
    let request = request.map_err(|e| Refusal::bad(format!("The body is refused: {e}.")))?;
    request.check_possession().map_err(|e| Refusal::unprocessable(format!("{e}.")))?;
    Ok(request)
}

fn issue_to(
    authority: &Authority,
    request: &Request,
    id: &str,
    now: OffsetDateTime,
) -> Result<Certificate, Refusal> {
    let key = request.public_key.as_ref().map_err(Refusal::broken)?;
    let issuer =
        Issuer::new(&authority.certificate, &authority.key, now).map_err(Refusal::broken)?;
    let now = now.replace_nanosecond(0).unwrap_or(now);
    let wanted = Validity {
        not_before: now - Duration::hours(1),
        not_after: now + Duration::days(DAYS),
        issued: now,
    };
    let profile = identity::profile(Kind::Device, &["digitalSignature"], &["clientAuth"]);
    let subject = Name::builder().with("CN", id).and_then(|name| name.build());
    let subject = subject.map_err(|e| Refusal::unprocessable(format!("{e}.")))?;
    let order = Order {
        profile: &profile,
        subject: &subject,
        public_key: key,
        serial: Serial::random().map_err(Refusal::broken)?,
        validity: issuer.fit(wanted, Outliving::Clamp).map_err(Refusal::broken)?,
        path_length: None,
    };
    issue::issue(&order, &issuer).map_err(Refusal::broken)
}

/// PKCS#7 with one certificate and nothing signed (RFC 5652, 5.1; RFC 7030, 4.1.3).
fn certs_only(certificate: &Certificate) -> Answer {
    let base64 = STANDARD.encode(pkcs7(certificate.der()));
    let mut body = String::with_capacity(base64.len() + base64.len() / LINE * 2 + 2);
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(LINE.min(rest.len()));
        body.push_str(line);
        body.push_str("\r\n");
        rest = after;
    }
    Answer::of_type(200, "application/pkcs7-mime;smime-type=certs-only", body)
        .with("Content-Transfer-Encoding", "base64")
}

fn pkcs7(certificate: &[u8]) -> Vec<u8> {
    const EXPLICIT: u8 = 0xa0;
    /// 1.2.840.113549.1.7.2 and 1.2.840.113549.1.7.1.
    const SIGNED_DATA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
    const DATA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
    let signed_data = der::element(
        der::SEQUENCE,
        &[
            &der::element(der::INTEGER, &[&[1]]),
            &der::element(der::SET, &[]),
            &der::element(der::SEQUENCE, &[DATA]),
            // [0] IMPLICIT: certificates.
            &der::element(EXPLICIT, &[certificate]),
            &der::element(der::SET, &[]),
        ],
    );
    der::element(der::SEQUENCE, &[SIGNED_DATA, &der::element(EXPLICIT, &[&signed_data])])
}
