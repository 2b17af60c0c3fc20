//! The platform's own verdict on a chain, before any device presents it (platform: "The platform's own verdict
//! on a chain"; `POST /tenant/trusted-certificates/verify-cert-chain`). Nothing is changed by asking.

mod ask;
mod compare;

pub(crate) use ask::ask_as_known;
pub use ask::{PATH, ROLE, Unasked, Verdict, ask, request};
pub use compare::{Comparison, Ours, anchors, compare};
