//! Orders and their devices are shown, and a request of one of these is signed.

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, Time};

use super::ask::{Ask, device};
use super::bundles;
use super::order_views::{NamedOrder, OrderDeviceView, OrderView, OrdersView, RecentView};
use super::views::{IssueRequest, IssuedView};
use crate::client_id::DeviceId;
use crate::orders::{check_open, progress};
use crate::registry::{OrderRecord, OrderedDevice};
use crate::serve::answer::{Answer, Refusal, Result, bad, conflict, failed, not_found};
use crate::serve::call::request_in;
use crate::serve::sign::{Claim, Key, Wanted, sign};

/// `GET /v1/orders/{order}`.
pub(super) fn show(ask: &Ask<'_>) -> Result<Answer> {
    let order = ask.order(ask.word(0))?;
    let progress = progress(ask.shared.pki.registry(), &order).map_err(|e| failed(&e))?;
    Ok(Answer::json(&OrderView::of(order, progress)))
}

/// `GET /v1/orders`: those that the token is for.
pub(super) fn list(ask: &Ask<'_>) -> Result<Answer> {
    let mut orders = ask.shared.pki.registry().orders().map_err(|e| failed(&e))?;
    orders.retain(|order| {
        ask.token.is_for_order(Some(&order.name)) && ask.token.is_for_ca(&order.ca)
    });
    let orders = orders.into_iter().map(NamedOrder::from).collect();
    Ok(Answer::json(&OrdersView { orders }))
}

/// `GET /v1/orders/{order}/recent`.
pub(super) fn recent(ask: &Ask<'_>) -> Result<Answer> {
    let order = ask.order(ask.word(0))?;
    let since = match ask.call.query("since")? {
        None => ask.call.now.replace_time(Time::MIDNIGHT),
        Some(text) => OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| {
            bad(&format!("since={text:?} is no time of RFC 3339, such as 2026-11-22T10:00:00Z"))
        })?,
    };
    let recent = ask.shared.pki.registry().recent_of(&order, since).map_err(|e| failed(&e))?;
    Ok(Answer::json(&RecentView::of(since, recent)))
}

/// `GET /v1/orders/{order}/devices/{id}`.
pub(super) fn show_device(ask: &Ask<'_>) -> Result<Answer> {
    let (order, device) = device_of(ask)?;
    Ok(Answer::json(&OrderDeviceView::of(&order.name, &device)))
}

/// The order and its device that a path names. An id is the same to the letter.
pub(super) fn device_of(ask: &Ask<'_>) -> Result<(OrderRecord, OrderedDevice)> {
    let order = ask.order(ask.word(0))?;
    let (id, registry) = (ask.word(1), ask.shared.pki.registry());
    let found = registry.device_of_order(&order, id).map_err(|e| failed(&e))?;
    let (name, wanted) = (order.name.as_str(), device(id));
    match found {
        Some(found) if found.ordered.id.as_str() == id => Ok((order, found)),
        Some(other) => Err(not_found(&format!(
            "the order {name:?} has no {wanted}, but {:?}: an id is the same to the letter",
            other.ordered.id.as_str()
        ))),
        None => Err(not_found(&format!("the order {name:?} has no {wanted}"))),
    }
}

/// `POST /v1/orders/{order}/devices/{id}`: one certificate for each device since the order was made. The same request
/// again is answered with the same certificate; a key that was made here is not answered again.
pub(super) fn issue(ask: &Ask<'_>) -> Result<Answer> {
    let order = ask.order(ask.word(0))?;
    check_open(&order).map_err(|e| conflict(&e.to_string()))?;
    let (id, registry) = (ask.word(1), ask.shared.pki.registry());
    let own = registry.open_order_of(id).map_err(|e| failed(&e))?;
    let parsed = DeviceId::parse(id).ok().filter(|_| own.as_deref() == Some(&order.name));
    let id = parsed.ok_or_else(|| {
        let (name, device) = (order.name.as_str(), device(id));
        not_found(&format!("the order {name:?} has no {device}"))
    })?;
    let body: IssueRequest = ask.call.json()?;
    match (&body.request, body.bundle) {
        (Some(request), None) if body.password.is_none() && !body.replace => {
            of_request(ask, &order, &id, request)
        }
        (None, Some(kind)) => bundles::issue(ask, (&order, &id), kind, &body),
        (Some(_), None) => Err(bad("\"password\" and \"replace\" are for a \"bundle\"")),
        (Some(_), Some(_)) => Err(bad("give a \"request\" or a \"bundle\", and not both")),
        (None, None) => Err(bad("give a \"request\", or a \"bundle\" that is to be made")),
    }
}

fn of_request(ask: &Ask<'_>, order: &OrderRecord, id: &DeviceId, request: &str) -> Result<Answer> {
    let wanted = Wanted {
        id,
        key: Key::Requested(request_in(request.as_bytes())?),
        now: ask.call.now,
        by: Some(ask.by()),
        claim: Claim::Once { of_order: true, had },
    };
    let issued = sign(ask.shared, wanted)?;
    Ok(Answer::json(&IssuedView::of(&issued, &order.name)).issued(&issued))
}

fn had(id: &DeviceId) -> Refusal {
    conflict(&format!(
        "{id} has had a certificate for another key since it was ordered: it renews with that over EST, or a new \
         order asks for another one"
    ))
}
