//! All operations: the requests are sent to them by this table, and the OpenAPI document is made from it.

use schemars::{Schema, SchemaGenerator};

use super::ask::Ask;
use super::order_views::{OrderDeviceView, OrderView, OrdersView, RecentView};
use super::views::{CaView, DeviceView, IssueRequest, IssuedView, RevocationRequest};
use super::{cas, devices, labels, metrics, orders};
use crate::serve::answer::{Answer, Result};
use crate::serve::token::TokenRole;

type MakeSchema = fn(&mut SchemaGenerator) -> Schema;

/// An operation.
pub(super) struct Operation {
    pub(super) method: &'static str,
    /// Its path, with names in braces.
    pub(super) path: &'static str,
    /// A name that clients that are made from the document use.
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    /// The role that it needs.
    pub(super) role: TokenRole,
    /// Names of the query, each with what it says; all are times and may be left out.
    pub(super) query: &'static [(&'static str, &'static str)],
    /// The JSON that is sent.
    pub(super) sent: Option<MakeSchema>,
    pub(super) answered: Answered,
    /// Refusals besides those of every operation.
    pub(super) refusals: &'static [u16],
    pub(super) work: fn(&Ask<'_>) -> Result<Answer>,
}

/// What is answered with 200.
pub(super) enum Answered {
    Json(MakeSchema),
    /// Text of this type.
    Text(&'static str),
    /// Bytes of this type, which may be kept by who asks, and asked for again by their ETag.
    Kept(&'static str),
}

fn schema<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "POST",
        path: "/v1/orders/{order}/devices/{id}",
        name: "issueDevice",
        summary: "Have a request of a device signed, or have its key made too. The same request again gets the same certificate; \
                  a key that was made here is answered once",
        role: TokenRole::Issue,
        query: &[],
        sent: Some(schema::<IssueRequest>),
        answered: Answered::Json(schema::<IssuedView>),
        refusals: &[409, 415],
        work: orders::issue,
    },
    Operation {
        method: "GET",
        path: "/v1/orders/{order}",
        name: "showOrder",
        summary: "Show an order and how far it is. Its devices are counted each time",
        role: TokenRole::Read,
        query: &[],
        sent: None,
        answered: Answered::Json(schema::<OrderView>),
        refusals: &[],
        work: orders::show,
    },
    Operation {
        method: "GET",
        path: "/v1/orders",
        name: "listOrders",
        summary: "List the orders that the token or certificate is for",
        role: TokenRole::Read,
        query: &[],
        sent: None,
        answered: Answered::Json(schema::<OrdersView>),
        refusals: &[],
        work: orders::list,
    },
    Operation {
        method: "GET",
        path: "/v1/orders/{order}/recent",
        name: "showRecent",
        summary: "Show how many devices of an order have got their live certificate since a moment, and the last ten",
        role: TokenRole::Read,
        query: &[(
            "since",
            "From when on is counted. By default the beginning of the day, in UTC.",
        )],
        sent: None,
        answered: Answered::Json(schema::<RecentView>),
        refusals: &[],
        work: orders::recent,
    },
    Operation {
        method: "GET",
        path: "/v1/orders/{order}/devices/{id}",
        name: "showOrderDevice",
        summary: "Show how a device of an order stands",
        role: TokenRole::Read,
        query: &[],
        sent: None,
        answered: Answered::Json(schema::<OrderDeviceView>),
        refusals: &[],
        work: orders::show_device,
    },
    Operation {
        method: "GET",
        path: "/v1/orders/{order}/devices/{id}/label",
        name: "showLabel",
        summary: "Draw the label of a device of an order that has a live certificate, as SVG. It shows no secret",
        role: TokenRole::Read,
        query: &[],
        sent: None,
        answered: Answered::Text(labels::KIND),
        refusals: &[409],
        work: labels::show,
    },
    Operation {
        method: "GET",
        path: "/v1/devices/{id}",
        name: "showDevice",
        summary: "Show a device and its certificates",
        role: TokenRole::Read,
        query: &[],
        sent: None,
        answered: Answered::Json(schema::<DeviceView>),
        refusals: &[],
        work: devices::show,
    },
    Operation {
        method: "POST",
        path: "/v1/devices/{id}/revoke",
        name: "revokeDevice",
        summary: "Revoke a certificate of a device. It counts when it is in the CA's next list",
        role: TokenRole::Revoke,
        query: &[],
        sent: Some(schema::<RevocationRequest>),
        answered: Answered::Json(schema::<DeviceView>),
        refusals: &[409, 415],
        work: devices::revoke,
    },
    Operation {
        method: "GET",
        path: "/v1/cas/{ca}",
        name: "showCa",
        summary: "Show a CA",
        role: TokenRole::Read,
        query: &[],
        sent: None,
        answered: Answered::Json(schema::<CaView>),
        refusals: &[],
        work: cas::show,
    },
    Operation {
        method: "GET",
        path: "/v1/cas/{ca}/crl",
        name: "fetchCrl",
        summary: "Fetch the last revocation list of a CA, in DER",
        role: TokenRole::Read,
        query: &[],
        sent: None,
        answered: Answered::Kept(cas::CRL),
        refusals: &[],
        work: cas::crl,
    },
    Operation {
        method: "GET",
        path: "/metrics",
        name: "showMetrics",
        summary: "Show numbers for Prometheus",
        role: TokenRole::Read,
        query: &[],
        sent: None,
        answered: Answered::Text(metrics::KIND),
        refusals: &[],
        work: metrics::show,
    },
];
