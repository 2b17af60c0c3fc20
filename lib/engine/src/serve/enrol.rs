//! First and further certificates over EST (RFC 7030, 4.2).

use super::answer::{Answer, Refusal, Result, bad, media_type, unauthorized};
use super::auth::{self, Asker};
use super::call::Call;
use super::sign::{Claim, Key, Wanted, sign};
use super::state::Shared;
use crate::client_id::DeviceId;
use crate::csr::Request;
use crate::pki::Issued;
use crate::store::pkcs7;

/// `POST /simpleenroll`.
pub(super) fn first(shared: &Shared, call: &Call) -> Result<Answer> {
    let asker = auth::first(shared, call)?;
    noted(&asker, answer(shared, call, &asker, false))
}

/// `POST /simplereenroll`.
pub(super) fn again(shared: &Shared, call: &Call) -> Result<Answer> {
    let asker = auth::again(shared, call)?;
    noted(&asker, answer(shared, call, &asker, true))
}

/// The same, with who has asked.
fn noted(asker: &Asker, answer: Result<Answer>) -> Result<Answer> {
    let note = |mut answer: Answer| {
        answer.note.device = Some(asker.id().to_string());
        answer.note.by = Some(asker.by());
        answer
    };
    answer.map(note).map_err(|refusal| Box::new(note(*refusal)))
}

fn answer(shared: &Shared, call: &Call, asker: &Asker, is_renewal: bool) -> Result<Answer> {
    if call.media_type() != "application/pkcs10" {
        return Err(media_type("application/pkcs10"));
    }
    let request = call.request()?;
    check_unbound(&request)?;
    let claim = match asker {
        Asker::Password { of_order: true, .. } => Claim::Once { of_order: true, had: had_ordered },
        Asker::Password { of_order: false, .. } => Claim::Once { of_order: false, had: had_first },
        Asker::Former(_) => Claim::Lost,
        Asker::Live(_, own) if is_renewal => Claim::Renewal(&own.record, &own.certificate),
        Asker::Live(_, own) => Claim::Live(&own.record),
    };
    let (id, key, now) = (asker.id(), Key::Requested(request), call.now);
    sign(shared, Wanted { id, key, now, by: None, claim }).map(|issued| answered(&issued))
}

fn had_ordered(id: &DeviceId) -> Refusal {
    unauthorized(&format!(
        "{id} has had another certificate since it was ordered, and its one-time password is good for one"
    ))
}

fn had_first(id: &DeviceId) -> Refusal {
    unauthorized(&format!(
        "{id} has had a certificate already, and its one-time password is good for the first one"
    ))
}

/// A request that is bound to its TLS connection has to be held to that (RFC 7030, 3.5), which this service cannot:
/// TLS 1.3 does not have what it would be compared with.
fn check_unbound(request: &Request) -> Result<()> {
    match request.has_challenge_password() {
        Ok(false) => Ok(()),
        Ok(true) => Err(bad(
            "the request has a challenge password, which binds it to a connection (RFC 7030, 3.5), and this service \
             cannot check that: leave it out",
        )),
        Err(e) => Err(bad(&e.to_string())),
    }
}

fn answered(issued: &Issued) -> Answer {
    let certificate = std::slice::from_ref(&issued.certificate);
    // The certificate alone (RFC 7030, 4.2.3).
    let kind = "application/pkcs7-mime; smime-type=certs-only";
    Answer::base64(kind, &pkcs7::write(certificate)).issued(issued)
}
