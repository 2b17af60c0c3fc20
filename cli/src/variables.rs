//! Variables of the environment, and what a chosen context has in their place.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The variables that say which tenant is meant and who asks: the names that the platform's other tools use too
/// (go-c8y-cli's session variables).
pub(crate) const OF_A_TENANT: [&str; 6] =
    ["C8Y_HOST", "C8Y_TENANT", "C8Y_USER", "C8Y_USERNAME", "C8Y_PASSWORD", "C8Y_TOKEN"];

/// What stands in place of variables; none where the variable counts as not set.
static INSTEAD: OnceLock<BTreeMap<&'static str, Option<String>>> = OnceLock::new();

/// Puts values in place of variables, once in a process.
pub(crate) fn replace(values: BTreeMap<&'static str, Option<String>>) {
    INSTEAD.get_or_init(|| values);
}

/// A variable that is there and not empty, or what stands in its place.
pub(crate) fn variable(name: &str) -> Option<String> {
    as_it_is(name).filter(|value| !value.is_empty())
}

/// The same, also if it is empty.
pub(crate) fn as_it_is(name: &str) -> Option<String> {
    match INSTEAD.get().and_then(|values| values.get(name)) {
        Some(value) => value.clone(),
        None => std::env::var(name).ok(),
    }
}

/// Whether something stands in place of a variable.
pub(crate) fn is_replaced(name: &str) -> bool {
    INSTEAD.get().is_some_and(|values| values.contains_key(name))
}

/// A variable of the environment that is there and not empty.
pub(crate) fn of_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
