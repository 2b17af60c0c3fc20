//! Which call is answered by whom. 404 for a path that there is not, 405 for another method. HEAD is
//! answered where GET is.

use super::answer::{Answer, Refusal};
use super::call::Call;
use super::state::World;
use super::{
    auth, est, external, features, objects, pop, register, requests, revocation, tenant, token,
    trusted, users, verdict,
};

/// The methods of a path, none if there is no such path.
fn methods(path: &[&str]) -> Option<&'static [&'static str]> {
    Some(match path {
        ["tenant", "currentTenant"] | ["user", "currentUser"] => &["GET"],
        ["user", _, "users", _] => &["GET", "DELETE"],
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
        ["tenant", "trusted-certificates", "verify-cert-chain"] => &["POST"],
        ["tenant", "options", _, _] => &["GET", "PUT", "DELETE"],
        ["tenant", "system", "options", _, _] => &["GET"],
        ["features"] | ["features", _] => &["GET"],
        ["features", _, "by-tenant"] => &["GET", "PUT", "DELETE"],
        ["features", _, "by-tenant", _] => &["PUT", "DELETE"],
        ["identity", "externalIds", _, _] => &["GET"],
        ["inventory", "managedObjects", _] => &["DELETE"],
        ["devicecontrol", "bulkNewDeviceRequests" | "deviceAccessToken" | "deviceCredentials"]
        | ["certificate-authority"]
        | ["certificate-authority", "renew"]
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
    if !allowed.contains(&call.verb()) {
        return Err(Refusal::method(allowed.join(", ")));
    }
    match path.as_slice() {
        ["tenant", rest @ ..] => of_tenant(world, call, rest).unwrap_or_else(|| Err(none())),
        ["user", "currentUser"] => auth::current_user(world, call),
        ["user", tenant, _, user] => users::answer(world, call, tenant, user),
        ["features", rest @ ..] => features::answer(world, call, rest),
        ["identity", _, kind, id] => external::find(world, call, kind, id),
        ["inventory", _, id] => objects::remove(world, call, id),
        ["devicecontrol", "bulkNewDeviceRequests"] => register::register(world, call),
        ["devicecontrol", "deviceCredentials"] => requests::credentials(world, call),
        ["devicecontrol", "newDeviceRequests"] => requests::answer(world, call, None),
        ["devicecontrol", _, id] => requests::answer(world, call, Some(id)),
        ["devicecontrol", _] => token::issue(world, call),
        ["certificate-authority"] => est::create_authority(world, call),
        ["certificate-authority", _] => est::renew_authority(world, call),
        [_, _, "simpleenroll"] => est::enrol(world, call),
        [_, _, "simplereenroll"] => est::renew(world, call),
        _ => Err(none()),
    }
}

/// What is below `/tenant`.
fn of_tenant(world: &mut World, call: &Call, path: &[&str]) -> Option<Result<Answer, Refusal>> {
    Some(match path {
        ["currentTenant"] => tenant::current(world, call),
        ["options", category, key] => features::option(world, call, category, key),
        ["system", _, category, key] => features::system_option(world, call, category, key),
        ["trusted-certificates", "verify-cert-chain"] if !world.site.verdicts => return None,
        ["trusted-certificates", "verify-cert-chain"] => verdict::answer(world, call),
        ["trusted-certificates", ..] if call.verb() == "GET" => revocation::list(world, call),
        ["trusted-certificates", ..] => revocation::add(world, call),
        ["tenants", tenant, "trusted-certificates", rest @ ..] => {
            trusted_certificates(world, call, tenant, rest)
        }
        ["tenants", tenant, _, fingerprint, step] => match *step {
            "verification-code" => pop::new_code(world, call, tenant, fingerprint),
            "pop" => pop::submit(world, call, tenant, fingerprint),
            _ => pop::confirm(world, call, tenant, fingerprint),
        },
        _ => return None,
    })
}

fn trusted_certificates(
    world: &mut World,
    call: &Call,
    tenant: &str,
    rest: &[&str],
) -> Result<Answer, Refusal> {
    match (call.verb(), rest) {
        ("GET", []) => trusted::list(world, call, tenant),
        (_, []) => trusted::create(world, call, tenant),
        ("POST", _) => trusted::create_many(world, call, tenant),
        ("GET", [fingerprint, ..]) => trusted::show(world, call, tenant, fingerprint),
        ("PUT", [fingerprint, ..]) => trusted::change(world, call, tenant, fingerprint),
        (_, [fingerprint, ..]) => trusted::remove(world, call, tenant, fingerprint),
    }
}
