//! What the platform's own verdict on the chain makes of the likely causes: of a chain that it accepts they are
//! others than the chain, of one that it refuses they are the chain.

use super::{Cause, Certainty, Facts};
use crate::failure::{Hint, Task};
use crate::platform::standing::ChainVerdict;

/// Causes by which the platform would have refused the chain (platform: "The platform's own verdict on a
/// chain": it leads to an uploaded certificate, and revocations count where their check is on).
const OF_THE_CHAIN: [&str; 4] =
    ["ca-not-uploaded", "chain-incomplete", "certificate-refused", "revoked"];

/// Causes that leave the chain a good one.
const NOT_OF_THE_CHAIN: [&str; 3] = ["overload", "not-registered", "registered-basic"];

/// The verdict that counts for the host to which the device connects.
pub(super) fn that_counts(facts: &Facts) -> Option<&ChainVerdict> {
    facts.verdict.as_ref().filter(|verdict| verdict.is_of(&facts.host))
}

/// Takes out what the verdict excludes, and adds what it says.
pub(super) fn weigh(found: &mut Vec<Cause>, verdict: &ChainVerdict, facts: &Facts) {
    if found.iter().any(|cause| cause.certainty == Certainty::Shown) {
        // The connection shows it, whatever the chain is.
        return;
    }
    if verdict.other_tenant {
        found.retain(|cause| cause.code != "other-tenant");
        return found.insert(0, of_other_tenant(verdict));
    }
    match verdict.accepts() {
        Some(true) => {
            exclude(found, &OF_THE_CHAIN);
            // What is certain says more.
            let at = found.iter().filter(|cause| cause.is_certain()).count();
            found.splice(at..at, facts.ours.as_deref().map(differs));
        }
        Some(false) => {
            found.retain(|cause| cause.is_certain() || !NOT_OF_THE_CHAIN.contains(&cause.code));
            if found.is_empty() {
                found.push(refused(verdict));
            }
        }
        None => {}
    }
}

/// Takes these out, unless they are certain, or nothing else is left.
fn exclude(found: &mut Vec<Cause>, codes: &[&str]) {
    let stays = |cause: &Cause| cause.is_certain() || !codes.contains(&cause.code);
    if found.iter().any(stays) {
        found.retain(stays);
    }
}

fn of_other_tenant(verdict: &ChainVerdict) -> Cause {
    Cause {
        code: "other-tenant",
        cause: format!(
            "for this chain the platform finds another tenant than {}: {}",
            verdict.asked, verdict.verdict
        ),
        remedy: Hint::say("let the device connect to that tenant; or remove the CA there")
            .then(Hint::run("upload it here", Task::UploadCa))
            .then(Hint::run("and prove it", Task::ProveCa { ca: None })),
        certainty: Certainty::Confirmed,
    }
}

fn refused(verdict: &ChainVerdict) -> Cause {
    Cause {
        code: "tenant-says-no",
        cause: format!(
            "the tenant names no reason against the device, but the platform's own verdict on its chain is no ({})",
            verdict.verdict
        ),
        remedy: Hint::run("compare its verdict with ours", Task::VerifyAtTenant).then(
            "a release or an installation with rules of its own (such as a shorter longest chain) is one for its \
             operator",
        ),
        certainty: Certainty::Confirmed,
    }
}

fn differs(ours: &str) -> Cause {
    Cause {
        code: "verdict-differs",
        cause: format!(
            "the platform's own verdict accepts the chain, but our check refuses it: {ours}"
        ),
        remedy:
            "first correct the chain as our check says; the platform's verdict does not say how a \
                 device has to present it"
                .into(),
        certainty: Certainty::Likely,
    }
}
