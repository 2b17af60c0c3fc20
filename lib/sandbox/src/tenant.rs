//! The tenant of the one who asks.

use serde_json::json;

use super::answer::{Answer, Refusal};
use super::auth::{self, ONESELF};
use super::call::Call;
use super::state::World;

/// `GET /tenant/currentTenant`.
pub(super) fn current(world: &World, call: &Call) -> Result<Answer, Refusal> {
    let caller = auth::caller(world, call)?.needs(ONESELF)?;
    let link = format!("{}/tenant/currentTenant", world.site.url());
    Ok(Answer::vendor(
        200,
        "currenttenant",
        &json!({ "name": caller.tenant, "domainName": world.site.host, "self": link }),
    ))
}
