//! Which call is answered by whom. 404 for a path that there is not, 405 for another method.

use hyper::Method;

use super::answer::{Answer, Refusal};
use super::call::Call;
use super::state::World;
use super::{auth, est, external, pop, register, requests, revocation, tenant, token, trusted};

/// The methods of a path, none if there is no such path.
fn methods(path: &[&str]) -> Option<&'static [&'static str]> {
    Some(match path {
        ["tenant", "currentTenant"] | ["user", "currentUser"] => &["GET"],
        ["tenant", "tenants", _, "trusted-certificates"] => &["GET", "POST"],
        ["tenant", "tenants", _, "trusted-certificates", "bulk"] => &["POST"],
        ["tenant", "tenants", _, "trusted-certificates", _] => &["GET", "PUT", "DELETE"],
        [
            "tenant",
            "tenants",
            _,
            "trusted-certificates-pop",
            _,
            "verification-code" | "pop" | "confirmed",
        ] => &["POST"],
        ["tenant", "trusted-certificates", "settings", "crl"] => &["GET", "PUT"],
        ["identity", "externalIds", _, _] => &["GET"],
        ["devicecontrol", "bulkNewDeviceRequests" | "deviceAccessToken"]
        | ["certificate-authority"]
        | [".well-known", "est", "simpleenroll" | "simplereenroll"] => &["POST"],
        ["devicecontrol", "newDeviceRequests"] => &["GET", "POST"],
        ["devicecontrol", "newDeviceRequests", _] => &["GET", "PUT", "DELETE"],
        _ => return None,
    })
}

/// Does what a call asks for.
pub(super) fn answer(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let none = || Refusal::not_found(format!("There is no {}.", call.path));
    let path: Vec<&str> = call.path.strip_prefix('/').unwrap_or_default().split('/').collect();
    let allowed = methods(&path).ok_or_else(none)?;
    if !allowed.contains(&call.method.as_str()) {
        return Err(Refusal::method(allowed.join(", ")));
    }
    match path.as_slice() {
        ["tenant", "currentTenant"] => tenant::current(world, call),
        ["user", "currentUser"] => auth::current_user(world, call),
        ["tenant", "tenants", tenant, "trusted-certificates", rest @ ..] => {
            trusted_certificates(world, call, tenant, rest)
        }
        ["tenant", "tenants", tenant, _, fingerprint, step] => match *step {
            "verification-code" => pop::new_code(world, call, tenant, fingerprint),
            "pop" => pop::submit(world, call, tenant, fingerprint),
            _ => pop::confirm(world, call, tenant, fingerprint),
        },
        ["tenant", "trusted-certificates", ..] => match call.method {
            Method::GET => revocation::list(world, call),
            _ => revocation::add(world, call),
        },
        ["identity", _, kind, id] => external::find(world, call, kind, id),
        ["devicecontrol", "bulkNewDeviceRequests"] => register::register(world, call),
        ["devicecontrol", "newDeviceRequests"] => requests::answer(world, call, None),
        ["devicecontrol", _, id] => requests::answer(world, call, Some(id)),
        ["devicecontrol", _] => token::issue(world, call),
        ["certificate-authority"] => est::create_authority(world, call),
        [_, _, "simpleenroll"] => est::enrol(world, call),
        [_, _, "simplereenroll"] => est::renew(world, call),
        _ => Err(none()),
    }
}

fn trusted_certificates(
    world: &mut World,
    call: &Call,
    tenant: &str,
    rest: &[&str],
) -> Result<Answer, Refusal> {
    match (&call.method, rest) {
        (&Method::GET, []) => trusted::list(world, call, tenant),
        (_, []) => trusted::create(world, call, tenant),
        (&Method::POST, _) => trusted::create_many(world, call, tenant),
        (&Method::GET, [fingerprint, ..]) => trusted::show(world, call, tenant, fingerprint),
        (&Method::PUT, [fingerprint, ..]) => trusted::change(world, call, tenant, fingerprint),
        (_, [fingerprint, ..]) => trusted::remove(world, call, tenant, fingerprint),
    }
}
