//! The places in the library that make requests, and what they ask.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use c8y_pki_tests::cli::walk;

type Call = (&'static str, &'static str);
/// A file below `lib/engine/src/platform`, a function of it, and its calls.
type Site = (&'static str, &'static str, &'static [Call]);

const TRUSTED: &str = "/tenant/tenants/{tenantId}/trusted-certificates";
const BULK: &str = "/tenant/tenants/{tenantId}/trusted-certificates/bulk";
const ONE: &str = "/tenant/tenants/{tenantId}/trusted-certificates/{fingerprint}";
const CODE: &str =
    "/tenant/tenants/{tenantId}/trusted-certificates-pop/{fingerprint}/verification-code";
const POP: &str = "/tenant/tenants/{tenantId}/trusted-certificates-pop/{fingerprint}/pop";
const NEW: &str = "/devicecontrol/newDeviceRequests";
const NEW_ONE: &str = "/devicecontrol/newDeviceRequests/{requestId}";
const CRL: &str = "/tenant/trusted-certificates/settings/crl";
const OPTION: &str = "/tenant/options/{category}/{key}";
const EXTERNAL: &str = "/identity/externalIds/{type}/{externalId}";

/// Each place, and what it asks.
const SITES: &[Site] = &[
    ("features.rs", "request", &[("GET", "/features/{featureKey}")]),
    ("authority.rs", "enable_request", &[("PUT", "/features/{featureKey}/by-tenant")]),
    ("authority.rs", "create_request", &[("POST", "/certificate-authority")]),
    ("authority.rs", "renew_request", &[("POST", "/certificate-authority/renew")]),
    ("crl.rs", "requests", &[("PUT", CRL)]),
    ("crl.rs", "download", &[("GET", CRL)]),
    ("crl/switch.rs", "is_on", &[("GET", OPTION)]),
    ("crl/switch.rs", "turn_request", &[("PUT", OPTION)]),
    (
        "est.rs",
        "request",
        &[("POST", "/.well-known/est/simpleenroll"), ("POST", "/.well-known/est/simplereenroll")],
    ),
    ("newcomers.rs", "request", &[("POST", NEW)]),
    ("newcomers.rs", "withdraw_request", &[("DELETE", NEW_ONE)]),
    ("newcomers.rs", "find", &[("GET", NEW_ONE)]),
    ("newcomers.rs", "list", &[("GET", NEW)]),
    ("pop.rs", "code_request", &[("POST", CODE)]),
    ("pop.rs", "submit_request", &[("POST", POP)]),
    ("probe.rs", "shared_truststore", &[("GET", "/tenant/system/options/{category}/{key}")]),
    ("probe.rs", "revoke_request", &[("PUT", CRL)]),
    ("probe.rs", "object_of", &[("GET", EXTERNAL)]),
    ("probe.rs", "remove_object_request", &[("DELETE", "/inventory/managedObjects/{id}")]),
    ("probe.rs", "remove_user_request", &[("DELETE", "/user/{tenantId}/users/{userId}")]),
    ("register/mod.rs", "request", &[("POST", "/devicecontrol/bulkNewDeviceRequests")]),
    ("standing.rs", "is_registered", &[("GET", EXTERNAL)]),
    ("tenant.rs", "current_with_time", &[("GET", "/tenant/currentTenant")]),
    ("tenant.rs", "user", &[("GET", "/user/currentUser")]),
    ("token.rs", "request", &[("POST", "/devicecontrol/deviceAccessToken")]),
    ("trusted/mod.rs", "add_request", &[("POST", TRUSTED), ("POST", BULK)]),
    ("trusted/mod.rs", "update_request", &[("PUT", ONE)]),
    ("trusted/mod.rs", "remove_request", &[("DELETE", ONE)]),
    ("trusted/mod.rs", "list", &[("GET", TRUSTED)]),
    ("trusted/mod.rs", "find", &[("GET", ONE)]),
    ("verdict/ask.rs", "request", &[("POST", "/tenant/trusted-certificates/verify-cert-chain")]),
];

/// What has to be seen.
pub(super) fn calls() -> impl Iterator<Item = (&'static str, &'static str)> {
    SITES.iter().flat_map(|(_, _, calls)| calls.iter().copied())
}

pub(super) fn in_the_table() -> BTreeSet<(String, String)> {
    SITES.iter().map(|(file, function, _)| ((*file).to_owned(), (*function).to_owned())).collect()
}

fn source(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(of)
}

/// Files of Rust below a directory: their path there, and what they say before their tests.
fn files(of: &str) -> Vec<(String, String)> {
    let (folder, mut all) = (source(of), Vec::new());
    walk(&folder, &mut |path| {
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(&folder).expect("below it").display().to_string();
            let text = fs::read_to_string(path).expect("a source");
            let text = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            all.push((name, text));
        }
    });
    all
}

/// Whether a line makes a request of the platform; one for a certificate is another thing.
fn makes_a_request(line: &str) -> bool {
    let made = ["Request::get(", "Request::new("];
    let code = line.split("//").next().unwrap_or_default();
    made.iter().any(|made| {
        let before = code.split(made).next().unwrap_or_default();
        before.len() < code.len() && !before.ends_with("csr::")
    })
}

/// Each place that the source has.
pub(super) fn in_the_source() -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for (file, text) in files("lib/engine/src/platform") {
        let mut function = String::new();
        for line in text.lines() {
            if let Some((before, rest)) = line.split_once("fn ")
                && before.chars().all(|c| c.is_alphanumeric() || " ()".contains(c))
            {
                let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next();
                function = name.unwrap_or_default().to_owned();
            }
            if makes_a_request(line) {
                found.insert((file.clone(), function.clone()));
            }
        }
    }
    found
}

/// Places outside of `platform/` that make such a request, or send one by themselves.
pub(super) fn elsewhere() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["lib/core/src", "lib/engine/src", "lib/src", "cli/src"] {
        for (name, text) in files(folder).iter().filter(|(name, _)| !name.starts_with("platform")) {
            let of_platform = text.contains("platform::Request") || text.contains("platform::{");
            let makes = of_platform && text.lines().any(makes_a_request);
            if makes || text.contains("Method::Get") || text.contains("reqwest") {
                found.push(format!("{folder}/{name}"));
            }
        }
    }
    found
}
