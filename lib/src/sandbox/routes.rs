//! Which call is answered by whom. 404 for a path that there is not, 405 for another method.

use hyper::Method;

use super::answer::{Answer, Refusal};
use super::call::Call;
use super::state::World;
use super::{auth, tenant, trusted};

/// The methods of a path, none if there is no such path.
fn methods(path: &[&str]) -> Option<&'static [&'static str]> {
    Some(match path {
        ["tenant", "currentTenant"] | ["user", "currentUser"] => &["GET"],
        ["tenant", "tenants", _, "trusted-certificates"] => &["GET", "POST"],
        ["tenant", "tenants", _, "trusted-certificates", "bulk"] => &["POST"],
        ["tenant", "tenants", _, "trusted-certificates", _] => &["GET", "PUT", "DELETE"],
        _ => return None,
    })
}

/// Does what a call asks for.
pub(super) fn answer(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let path: Vec<&str> = call.path.trim_start_matches('/').split('/').collect();
    let Some(allowed) = methods(&path) else {
        return Err(Refusal::not_found(format!("There is no {}.", call.path)));
    };
    if !allowed.contains(&call.method.as_str()) {
        return Err(Refusal::method(allowed.join(", ")));
    }
    match (&call.method, path.as_slice()) {
        (_, ["tenant", "currentTenant"]) => tenant::current(world, call),
        (_, ["user", "currentUser"]) => auth::current_user(world, call),
        (_, ["tenant", "tenants", tenant, "trusted-certificates", rest @ ..]) => {
            trusted_certificates(world, call, tenant, rest)
        }
        _ => Err(Refusal::not_found(format!("There is no {}.", call.path))),
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
