//! The real sandbox, held to the vendor's description of REST: every path, method and status that it
//! serves, the types and the schemas of the answers, and the roles. What it does not serve, what is not
//! provoked here, and what it answers beyond the description is listed by name, with why.

mod judge;
mod steps;

use std::collections::BTreeMap;

use c8y_pki_tests::contract::{Operation, Running, operations};

/// What the sandbox does not serve.
const NOT_SERVED: &[(&str, &str, &str)] = &[
    ("POST", "/identity/search", "it has no inventory; ids are looked up one by one"),
    ("POST", "/identity/globalIds/{id}/externalIds", "devices get their ids by registration"),
    ("GET", "/identity/globalIds/{id}/externalIds", "it has no inventory, so no global ids"),
    ("DELETE", "/identity/externalIds/{type}/{externalId}", "ids go with their device"),
    ("PUT", "/user/currentUser", "its users are what they are"),
];

/// Method, path, status, and why.
type Known = (&'static str, &'static str, u16, &'static str);

/// What the description lists and no request here brings about.
const NOT_PROVOKED: &[Known] = &[
    ("POST", "/devicecontrol/deviceAccessToken", 403, "when is not described"),
    (
        "POST",
        "/devicecontrol/deviceAccessToken",
        404,
        "which feature has to be off is not described",
    ),
    ("POST", "/certificate-authority", 422, "there is nothing in the request to be wrong"),
    ("PUT", "/tenant/options/{category}/{key}", 404, "an option is made by writing it"),
];

/// What the sandbox answers although the description has it not: with why.
const BEYOND: &[Known] = &[
    (
        "GET",
        "/tenant/tenants/{tenantId}/trusted-certificates/{fingerprint}",
        404,
        "the vendor's guide has it",
    ),
    ("POST", "/devicecontrol/deviceCredentials", 404, "a device that is not accepted yet"),
    ("GET", "/tenant/trusted-certificates/settings/crl", 401, "nobody has said who they are"),
    ("DELETE", "/tenant/options/{category}/{key}", 403, "who may not do it"),
];

/// What is described and not seen in the field.
const NOT_IN_THE_FIELD: &[Known] = &[
    ("POST", "/devicecontrol/deviceCredentials", 200, "public clients take 201 only"),
    ("POST", "/.well-known/est/simpleenroll", 201, "devices see 200"),
    ("POST", "/.well-known/est/simplereenroll", 201, "devices see 200"),
];

/// The same where devices in the field see it.
const BEYOND_IN_THE_FIELD: &[Known] = &[
    ("POST", "/devicecontrol/deviceCredentials", 201, "what public clients take"),
    ("POST", "/.well-known/est/simpleenroll", 200, "what devices see"),
    ("POST", "/.well-known/est/simplereenroll", 200, "what devices see"),
    ("POST", "/.well-known/est/simpleenroll", 404, "a tenant without a CA"),
];

fn is_served(operation: &Operation) -> bool {
    !NOT_SERVED.iter().any(|(method, path, _)| is(operation, method, path))
}

fn is(operation: &Operation, method: &str, path: &str) -> bool {
    operation.method == method && operation.path == path
}

fn is_known(lists: &[&[Known]], operation: &Operation, status: u16) -> bool {
    let mut all = lists.iter().flat_map(|list| list.iter());
    all.any(|(method, path, known, _)| is(operation, method, path) && *known == status)
}

/// What was seen of each operation.
#[derive(Default)]
struct Seen(BTreeMap<(String, String), Vec<u16>>);

impl Seen {
    fn note(&mut self, operation: &Operation, status: u16) {
        let key = (operation.method.clone(), operation.path.clone());
        self.0.entry(key).or_default().push(status);
    }

    fn has(&self, operation: &Operation, status: u16) -> bool {
        let key = (operation.method.clone(), operation.path.clone());
        self.0.get(&key).is_some_and(|seen| seen.contains(&status))
    }
}

/// Everything, for one profile.
fn walk(profile: &str, not_provoked: &[&[Known]], beyond: &[&[Known]]) {
    let Some(all) = operations() else { return };
    let running = Running::start(&format!("--profile {profile} --authority-days 500"));
    let (mut seen, mut faults) = (Seen::default(), Vec::new());
    let is_beyond = |operation: &Operation, status: u16| is_known(beyond, operation, status);
    let mut hold = |operation: &Operation, reply: &c8y_pki_tests::contract::Reply| {
        seen.note(operation, reply.status);
        if !is_beyond(operation, reply.status) {
            faults.extend(judge::faults(operation, reply));
        }
    };
    if !steps::walk(&running, &all, &mut hold) {
        return;
    }
    // Who says nothing, and who has no role or another one.
    for operation in all.iter().filter(|o| is_served(o)) {
        let reply = running.call(&operation.method, &steps::example(&operation.path)).send();
        hold(operation, &reply);
        if operation.answers.contains_key(&401) && reply.status != 401 {
            panic!("{} is {} for nobody", reply.to, reply.status);
        }
    }
    let roles = known_roles(&all);
    let mut wrong = Vec::new();
    for operation in all.iter().filter(|o| is_served(o) && !o.roles.is_empty()) {
        for role in &roles {
            let reply = steps::as_role(&running, operation, role);
            let (may, let_in) = (operation.roles.contains(role), reply.status != 403);
            // To be let in is to be judged by what is asked, not by who asks.
            if may != let_in || reply.status == 401 {
                wrong.push(format!("{} as {role}: {} {}", reply.to, reply.status, reply.text()));
            }
            if reply.status == 403 {
                hold(operation, &reply);
            }
        }
    }
    for operation in all.iter().filter(|o| is_served(o)) {
        for status in operation.answers.keys() {
            let known = is_known(not_provoked, operation, *status);
            // Roles are walked only where there are some.
            let without_roles = *status == 403 && operation.roles.is_empty();
            if known == seen.has(operation, *status) && !without_roles {
                let is_seen = if known { "was seen" } else { "was not seen" };
                wrong.push(format!("{} {}: {status} {is_seen}", operation.method, operation.path));
            }
        }
    }
    faults.extend(wrong);
    faults.sort();
    faults.dedup();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn known_roles(all: &[Operation]) -> Vec<String> {
    let mut roles: Vec<String> = all.iter().flat_map(|o| o.roles.clone()).collect();
    roles.sort();
    roles.dedup();
    roles
}

#[test]
fn the_sandbox_as_described() {
    walk("documented", &[NOT_PROVOKED], &[BEYOND]);
}

#[test]
fn the_sandbox_as_in_the_field() {
    walk("field", &[NOT_PROVOKED, NOT_IN_THE_FIELD], &[BEYOND, BEYOND_IN_THE_FIELD]);
}

#[test]
fn what_is_not_served_is_refused() {
    let Some(all) = operations() else { return };
    let running = Running::start("");
    for (method, path, why) in NOT_SERVED {
        assert!(all.iter().any(|o| is(o, method, path)), "{method} {path} is not described");
        let reply = running.as_user("admin", method, &steps::example(path)).send();
        assert!([404, 405].contains(&reply.status), "{} {}: {why}", reply.to, reply.status);
    }
}
