//! Features of a tenant, and its options (OpenAPI description of the platform, "Feature toggles",
//! "Options"). A feature has a default, which can be overridden for a tenant: by itself, or by the
//! management tenant.

use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::auth::{self, FEATURES, OPTIONS, OPTIONS_READ};
use super::call::Call;
use super::external::decoded;
use super::state::{MANAGEMENT, World};

/// The tenant's own CA.
pub(super) const AUTHORITY: &str = "certificate-authority";
/// SmartREST over the MQTT Service.
pub(super) const SMART_REST: &str = "mqtt-service.smartrest";

/// Those that there are, how far they are, and whether they are on by default.
const ALL: [(&str, &str, bool); 2] =
    [(AUTHORITY, "PUBLIC_PREVIEW", true), (SMART_REST, "PRIVATE_PREVIEW", false)];

/// Whether a tenant has a feature.
pub(super) fn is_on(world: &World, tenant: &str, key: &str) -> bool {
    let own = world.tenants.get(tenant).and_then(|tenant| tenant.features.get(key).copied());
    own.unwrap_or_else(|| ALL.iter().any(|(name, _, on)| *name == key && *on))
}

fn known(key: &str) -> Result<(&'static str, &'static str), Refusal> {
    let found = ALL.iter().find(|(name, ..)| *name == key);
    let none = || Refusal::not_found(format!("There is no feature {key:?}."));
    found.map(|(name, phase, _)| (*name, *phase)).ok_or_else(none)
}

fn shown(world: &World, tenant: &str, (key, phase): (&str, &str)) -> Value {
    let own = world.tenants.get(tenant).is_some_and(|tenant| tenant.features.contains_key(key));
    json!({
        "key": key, "phase": phase, "active": is_on(world, tenant, key),
        "strategy": if own { "TENANT" } else { "DEFAULT" },
    })
}

/// `GET /features`, `GET /features/{key}`, and what is below it.
pub(super) fn answer(world: &mut World, call: &Call, path: &[&str]) -> Result<Answer, Refusal> {
    let caller = auth::caller(world, call)?;
    match path {
        [] => {
            let all = ALL.iter().map(|(key, phase, _)| shown(world, &caller.tenant, (key, phase)));
            Ok(Answer::json(200, &all.collect()))
        }
        [key] => Ok(Answer::json(200, &shown(world, &caller.tenant, known(key)?))),
        [key, _, rest @ ..] => {
            let caller = caller.needs(FEATURES)?;
            let (key, _) = known(key)?;
            let name = rest.first().map_or(caller.tenant.as_str(), |name| *name).to_owned();
            if name != caller.tenant && caller.tenant != MANAGEMENT {
                return Err(Refusal::forbidden("it is a feature of another tenant"));
            }
            let everyone = caller.tenant == MANAGEMENT;
            by_tenant(world, call, key, &name, everyone)
        }
    }
}

fn by_tenant(
    world: &mut World,
    call: &Call,
    key: &'static str,
    name: &str,
    everyone: bool,
) -> Result<Answer, Refusal> {
    if call.verb() == "GET" {
        let own = world.tenants.iter().filter(|(other, _)| everyone || *other == name);
        let set = own.filter_map(|(name, tenant)| Some((name, tenant.features.get(key)?)));
        let set = set.map(|(name, on)| json!({ "tenantId": name, "active": on }));
        return Ok(Answer::json(200, &set.collect()));
    }
    let none = || Refusal::not_found(format!("There is no tenant {name:?}."));
    let tenant = world.tenants.get_mut(name).ok_or_else(none)?;
    if call.verb() == "DELETE" {
        tenant.features.remove(key);
        return Ok(Answer::empty(200));
    }
    let Some(on) = call.json()?["active"].as_bool() else {
        return Err(Refusal::unprocessable("\"active\" must be true or false."));
    };
    tenant.features.insert(key, on);
    Ok(Answer::empty(200))
}

/// `GET`, `PUT`, `DELETE /tenant/options/{category}/{key}`.
pub(super) fn option(
    world: &mut World,
    call: &Call,
    category: &str,
    key: &str,
) -> Result<Answer, Refusal> {
    let roles = if call.verb() == "GET" { OPTIONS_READ } else { OPTIONS };
    let caller = auth::caller(world, call)?.needs(roles)?;
    let link = format!("{}{}", world.site.url(), call.path);
    let (category, key) = (decoded(category), decoded(key));
    let nobody = || Refusal::not_found("There is no such tenant.");
    let options = &mut world.tenants.get_mut(&caller.tenant).ok_or_else(nobody)?.options;
    let none = || Refusal::not_found(format!("There is no option {category:?} {key:?}."));
    let place = (category.clone(), key.clone());
    let value = match call.verb() {
        "DELETE" => {
            options.remove(&place).ok_or_else(none)?;
            return Ok(Answer::empty(204));
        }
        "PUT" => {
            let body = call.json()?;
            let Some(value) = body["value"].as_str() else {
                return Err(Refusal::unprocessable("\"value\" must be a text."));
            };
            options.insert(place, value.to_owned());
            value.to_owned()
        }
        _ => options.get(&place).ok_or_else(none)?.clone(),
    };
    let object = json!({ "category": category, "key": key, "value": value, "self": link });
    Ok(Answer::vendor(200, "option", &object))
}

/// `GET /tenant/system/options/{category}/{key}`: of the instance.
pub(super) fn system_option(
    world: &World,
    call: &Call,
    category: &str,
    key: &str,
) -> Result<Answer, Refusal> {
    auth::caller(world, call)?.needs(OPTIONS)?;
    match (category, key) {
        ("ssl", "shared-truststore.enabled") => {
            let object = json!({ "category": category, "key": key, "value": "false" });
            Ok(Answer::vendor(200, "option", &object))
        }
        _ => Err(Refusal::not_found(format!("There is no option {category:?} {key:?}."))),
    }
}
