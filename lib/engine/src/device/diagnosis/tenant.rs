//! What a tenant's answers make of the likely causes: some are confirmed, some excluded, the rest stay
//! likely. What the tenant does not tell excludes nothing. Where the device connects to another host than
//! the tenant's, nothing is confirmed: it may be another tenant's. Pure, like the table.

use serde::Serialize;
use time::OffsetDateTime;

use super::Facts;

/// The status of an uploaded certificate that counts.
const ENABLED: &str = "ENABLED";

/// The longest chain that needs no proof of possession (platform: "A chain longer than 2").
const WITHOUT_PROOF: usize = 2;

/// A CA of which the tenant has another certificate than the device presents: the same name and key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RenewedCa {
    /// SHA-1 of the one that the tenant has.
    pub fingerprint: String,
    /// Its end, where the tenant tells it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub until: Option<OffsetDateTime>,
    /// The end of the one that is presented.
    #[serde(with = "time::serde::rfc3339")]
    pub presented_until: OffsetDateTime,
    /// Whether it is the platform's own CA, which the platform renews by itself.
    pub own: bool,
}

/// What a tenant says of a device that is refused. None stands for what it does not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TenantSays {
    /// Its id.
    pub id: Option<String>,
    /// Where it was asked.
    pub host: Option<String>,
    /// Whether the device leads to an uploaded certificate.
    pub uploaded: Option<bool>,
    /// The name of that certificate in the tenant; of several, one that lets the device in.
    pub name: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// Its status: `ENABLED` or `DISABLED`.
    pub status: Option<String>,
    /// Whether devices below it are registered at their first connection.
    pub auto_registration: Option<bool>,
    /// Whether possession of its key is proven.
    pub proof: Option<bool>,
    /// Whether it is among what the device presents.
    pub presented: Option<bool>,
    /// Whether the device is registered.
    pub registered: Option<bool>,
    /// Whether a certificate of the chain is revoked.
    pub revoked: Option<bool>,
    /// Whether the tenant looks at its list of revocations.
    pub revocation_checked: Option<bool>,
    /// What the tenant has of a CA that was renewed; none if no presented CA has a former or a later
    /// certificate there, or the right one is there.
    pub renewed: Option<RenewedCa>,
    /// Whether the chain is valid by the platform's clock.
    pub valid: Option<bool>,
    /// Whether the device connects to the host of this tenant.
    pub same_host: Option<bool>,
    /// Certificates from the device up to the uploaded one.
    #[serde(skip)]
    pub length: usize,
}

/// How sure a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The device's own files, or the connection, show it.
    Shown,
    /// The tenant says so.
    Confirmed,
    /// One of those that are left.
    Likely,
}

/// What becomes of a cause; none if it is excluded.
pub(super) fn judge(code: &str, facts: &Facts, says: &TenantSays) -> Option<Certainty> {
    let elsewhere = says.same_host == Some(false);
    if elsewhere && says.uploaded != Some(true) {
        // It may have nothing to do with the device: the tenant of that host was not asked.
        return Some(Certainty::Likely);
    }
    let confirmed = if elsewhere { Certainty::Likely } else { Certainty::Confirmed };
    let by = |answer: Option<bool>| match answer {
        Some(true) => Some(confirmed),
        Some(false) => None,
        None => Some(Certainty::Likely),
    };
    let unless = |excluded: bool| (!excluded).then_some(Certainty::Likely);
    let not = |answer: Option<bool>| answer.map(|yes| !yes);
    match code {
        // Of a device that presents itself alone, nobody can tell which CAs are above its issuer.
        "ca-not-uploaded" if is_cut_short(facts) => match says.uploaded {
            Some(true) => None,
            _ => Some(Certainty::Likely),
        },
        "ca-not-uploaded" => by(not(says.uploaded)),
        // A CA that is not there has no settings.
        "ca-disabled" | "not-registered" | "proof-missing" | "ca-elsewhere"
            if says.uploaded == Some(false) =>
        {
            None
        }
        "ca-disabled" => by(not(says.is_enabled())),
        "ca-renewed" => says.renewed.as_ref().map(|_| confirmed),
        "chain-incomplete" if says.renewed.is_some() && !elsewhere => None,
        "chain-incomplete" => match (says.uploaded, says.presented) {
            // The tenant has no CA of it, and there is none above the last one.
            (Some(false), _) if facts.ends_with_root => None,
            // Some platforms take the device's certificate alone.
            (_, Some(false)) if facts.chain_length == 1 => Some(Certainty::Likely),
            (_, presented) => by(not(presented)),
        },
        "not-registered" => match (says.auto_registration, says.registered) {
            (Some(true), _) | (_, Some(true)) => None,
            (Some(false), Some(false)) => Some(confirmed),
            _ => Some(Certainty::Likely),
        },
        "registered-basic" => unless(says.registered == Some(false)),
        // The platform recommends it for longer chains, and does not demand it.
        "proof-missing" => unless(says.proof == Some(true)),
        "ca-elsewhere" => unless(says.proof == Some(true)),
        "other-tenant" => unless(says.uploaded == Some(true) && says.same_host == Some(true)),
        "revoked" => match (says.revoked, says.revocation_checked) {
            (Some(true), Some(true)) => Some(confirmed),
            // A list that nobody looks at keeps nobody out.
            (Some(false), _) | (_, Some(false)) => None,
            _ => Some(Certainty::Likely),
        },
        "server-clock" => by(not(says.valid)),
        "tenant-user" => match (&facts.user, &says.id) {
            (Some(user), Some(id)) => by(Some(user != id)),
            _ => Some(Certainty::Likely),
        },
        "certificate-refused" => unless(says.lets_in()),
        _ => Some(Certainty::Likely),
    }
}

/// Whether the device presents its certificate alone, which others have issued.
fn is_cut_short(facts: &Facts) -> bool {
    facts.chain_length == 1 && !facts.ends_with_root
}

/// Whether a likely cause is to be checked before the others.
pub(super) fn stands_out(code: &str, says: &TenantSays) -> bool {
    match code {
        "other-tenant" => says.uploaded == Some(true) && says.same_host == Some(false),
        "proof-missing" => {
            says.proof == Some(false)
                && says.length > WITHOUT_PROOF
                && says.same_host != Some(false)
        }
        "chain-incomplete" => says.uploaded == Some(false) && says.same_host != Some(false),
        _ => false,
    }
}

impl TenantSays {
    /// Whether what it tells of the uploaded certificate speaks against a device below it.
    pub(in super::super) fn ca_refuses(&self) -> bool {
        let unregistered = self.auto_registration == Some(false) && self.registered == Some(false);
        let unproven = self.proof == Some(false) && self.length > WITHOUT_PROOF;
        self.is_enabled() == Some(false) || unregistered || unproven
    }

    /// Whether all that it tells speaks for the device, and nothing is untold that could speak against it.
    fn lets_in(&self) -> bool {
        self.uploaded == Some(true)
            && self.is_enabled() == Some(true)
            && (self.auto_registration == Some(true) || self.registered == Some(true))
            && (self.revoked == Some(false) || self.revocation_checked == Some(false))
            && !self.ca_refuses()
    }

    /// Whether the tenant of this very host has the CA, and it is enabled.
    pub(super) fn has_the_ca(&self) -> bool {
        self.uploaded == Some(true)
            && self.is_enabled() == Some(true)
            && self.same_host == Some(true)
    }

    fn is_enabled(&self) -> Option<bool> {
        self.status.as_ref().map(|status| status == ENABLED)
    }
}
