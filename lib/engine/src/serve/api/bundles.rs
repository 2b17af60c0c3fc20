//! Key and certificate are made for a device of an order, and answered once: the key is kept nowhere, so what was
//! recorded before an answer was lost has to be replaced.
//!
//! What may be replaced is a bundle that was made here for this order and, as far as is known, is not in use. All else
//! is for who works in the PKI directory. The former certificate is superseded and not revoked: that takes the role
//! for it.

use super::ask::Ask;
use super::secret_text::SecretText;
use super::views::{BundleView, IssueRequest, IssuedView, Kind};
use crate::client_id::DeviceId;
use crate::crypto::random_password;
use crate::key::PrivateKey;
use crate::pki::Issued;
use crate::provision::bundle::{Bundle, keystore, names};
use crate::registry::{OrderRecord, Record, Status};
use crate::secret::{ChosenPassword, Password, SecretBytes, WeakPassword};
use crate::serve::answer::{Answer, Refusal, Result, bad, conflict, failed, forbidden};
use crate::serve::sign::{self, Claim, Key, Wanted, sign};
use crate::serve::terms::Terms;
use crate::store::{Format, WriteOptions};

/// Characters of a password that is made here: 139 bits.
const PASSWORD: usize = 24;

impl Kind {
    fn bundle(self) -> Bundle {
        match self {
            Self::Pem => Bundle::Pem,
            Self::P12 => Bundle::P12,
            Self::Jks => Bundle::Jks,
        }
    }

    /// The format, if it is a keystore.
    fn keystore(self) -> Option<Format> {
        match self {
            Self::Pem => None,
            Self::P12 => Some(Format::Pkcs12),
            Self::Jks => Some(Format::Jks),
        }
    }
}

/// Makes key and certificate of a device.
pub(super) fn issue(
    ask: &Ask<'_>,
    (order, id): (&OrderRecord, &DeviceId),
    kind: Kind,
    body: &IssueRequest,
) -> Result<Answer> {
    let given = body.password.as_ref().map(|text| &text.0);
    check_password(kind, given)?;
    let terms = Terms::of(ask.shared, id)?;
    check_kind(order, kind, &terms)?;
    // Before a key is made, which may take seconds.
    let replaced = replaced(ask, id, body.replace)?;
    let rsa_keys = terms.usual.profile.rsa_keys;
    let key = PrivateKey::generate_by(terms.key_type(), rsa_keys).map_err(|e| failed(&e))?;
    let wanted = Wanted {
        id,
        key: Key::Made(key.public_key(), kind.bundle().name()),
        now: ask.call.now,
        by: Some(ask.by()),
        claim: match &replaced {
            Some(former) => Claim::Live(former),
            None => Claim::Once { of_order: true, had },
        },
    };
    // Two requests at once: one of them is told what the other one has done.
    let issued = sign(ask.shared, wanted)
        .map_err(|refusal| self::replaced(ask, id, body.replace).err().unwrap_or(refusal))?;
    let bundle = bundle(ask, kind, given, &key, &issued)?;
    let view = IssuedView::of(&issued, &order.name).with(bundle, replaced.as_ref());
    let mut answer = Answer::secret_json(&view).issued(&issued);
    answer.note.bundle = Some(kind.bundle().name());
    Ok(answer)
}

/// A keystore has a password that is not easily guessed, a PEM file has none.
fn check_password(kind: Kind, given: Option<&Password>) -> Result<()> {
    let Some(password) = given else { return Ok(()) };
    if kind == Kind::Pem {
        return Err(bad("a bundle of the kind pem has no password: leave it out, or ask for p12"));
    }
    if !password.is_ascii() {
        return Err(bad("the password is not printable ASCII, and Java takes no other"));
    }
    ChosenPassword::judge(password.clone()).map(|_| ()).map_err(|e| match e {
        WeakPassword::Guessable(why) => bad(&format!("the password is too weak: {why}")),
        _ => bad("the password is too weak: it has fewer than 12 characters"),
    })
}

/// What the order makes of its devices is asked for, and it is made for keys of that type.
fn check_kind(order: &OrderRecord, kind: Kind, terms: &Terms) -> Result<()> {
    let bundle = kind.bundle();
    if !terms.bundle.is_empty() && !terms.bundle.contains(&bundle) {
        return Err(forbidden(&format!(
            "the order {} is for {}, and {} is asked for",
            order.name,
            names(&terms.bundle),
            bundle.name()
        )));
    }
    bundle.check_key(terms.key_type()).map_err(|e| forbidden(&e.to_string()))
}

/// The certificate that is to be replaced; none if the order gives the device a certificate without that.
fn replaced(ask: &Ask<'_>, id: &DeviceId, replace: bool) -> Result<Option<Record>> {
    let registry = ask.shared.pki.registry();
    let Some(last) = sign::last(ask.shared, id)? else { return Ok(None) };
    if registry.is_ordered_since(id, &last).map_err(|e| failed(&e))? {
        return Ok(None);
    }
    let was_made_here = last.bundle.is_some()
        && last.location.is_none()
        && last.ca == ask.shared.ca()?.name
        && registry.asked_by(last.row).map_err(|e| failed(&e))?.is_some();
    if !was_made_here || last.status != Status::Live {
        return Err(had(id));
    }
    if registry.is_used(last.row).map_err(|e| failed(&e))? {
        return Err(conflict(&format!(
            "{id} has its bundle, and has connected with it or was handed over with it: a new order asks for another one"
        )));
    }
    match replace {
        true => Ok(Some(last)),
        false => Err(conflict(&format!(
            "the bundle of {id} was made before, and was delivered or its answer was lost: its key is kept nowhere; \
             with \"replace\": true another one is made in its place"
        ))),
    }
}

fn had(id: &DeviceId) -> Refusal {
    conflict(&format!(
        "{id} has had a certificate since it was ordered, which is no bundle that can be replaced here: it renews with \
         that over EST, or a new order asks for another one"
    ))
}

fn bundle(
    ask: &Ask<'_>,
    kind: Kind,
    given: Option<&Password>,
    key: &PrivateKey,
    issued: &Issued,
) -> Result<BundleView> {
    let Some(format) = kind.keystore() else {
        let key = Some(SecretText(text(&key.to_pem())));
        return Ok(BundleView { kind, key, keystore: None, password: None });
    };
    let made = match given {
        Some(_) => None,
        None => Some(random_password(PASSWORD).map_err(|e| failed(&e))?),
    };
    let options = WriteOptions::new(given.or(made.as_ref()), ask.call.now);
    let store = keystore(format, &options, key, issued.chain.clone()).map_err(|e| failed(&e))?;
    let store = SecretBytes::new(store);
    Ok(BundleView {
        kind,
        key: None,
        keystore: Some(SecretText(base64(&store))),
        password: made.map(SecretText),
    })
}

/// A PEM text.
fn text(pem: &SecretBytes) -> Password {
    Password::new(String::from_utf8_lossy(pem.expose()))
}

fn base64(bytes: &SecretBytes) -> Password {
    use base64::Engine;
    Password::new(base64::engine::general_purpose::STANDARD.encode(bytes.expose()))
}
