//! Whether the platform looks at its list of revocations: a tenant option, off until somebody switches it on
//! (platform: "Revocation").

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::lenient;
use crate::platform::{Body, Client, Method, PlatformError, Request};

/// The category of the option.
pub const CATEGORY: &str = "configuration";

/// The key of the option: the check against the list that is uploaded.
pub const KEY: &str = "crl.offline.check.enabled";

/// The type of an option (its description).
pub(in crate::platform) const KIND: &str =
    "application/vnd.com.nsn.cumulocity.option+json, application/json";

/// Lets a user read options.
const ROLE_READ: &str = "ROLE_OPTION_MANAGEMENT_READ";

/// Lets a user change options.
const ROLE: &str = "ROLE_OPTION_MANAGEMENT_ADMIN";

/// Whether the platform looks at its list, as far as the user may know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// It does: who is in the list is not let in.
    On,
    /// It does not: the list has no effect.
    Off,
    /// This user may not read the option, or its value is neither true nor false.
    Unknown,
}

impl Switch {
    /// What the value of an option says.
    pub(in crate::platform) fn of(value: &str) -> Self {
        match value.trim() {
            "true" => Self::On,
            "false" | "" => Self::Off,
            _ => Self::Unknown,
        }
    }

    /// Whether it is on; none if that is not known.
    pub fn known(self) -> Option<bool> {
        match self {
            Self::On => Some(true),
            Self::Off => Some(false),
            Self::Unknown => None,
        }
    }
}

/// An option, as the platform answers (its description: all three are texts).
#[derive(Deserialize)]
struct Answer {
    #[serde(default, deserialize_with = "lenient::text")]
    value: Option<String>,
}

impl Answer {
    fn switch(&self) -> Switch {
        self.value.as_deref().map_or(Switch::Unknown, Switch::of)
    }
}

fn path() -> String {
    format!("/tenant/options/{CATEGORY}/{KEY}")
}

/// Asks. An option that was never set is answered with 404, and is off.
///
/// Errors: also where the user may not read options ([`PlatformError::Forbidden`]).
pub async fn is_on(client: &Client) -> Result<Switch, PlatformError> {
    match client.json::<Answer>(&Request::get(path()).role(ROLE_READ).accept(KIND)).await {
        Ok(answer) => Ok(answer.switch()),
        Err(e) if e.status() == Some(404) => Ok(Switch::Off),
        Err(e) => Err(e),
    }
}

/// Asks; a user who may not read options does not know it, which is no error.
pub async fn switch(client: &Client) -> Result<Switch, PlatformError> {
    match is_on(client).await {
        Err(e) if e.status() == Some(403) => Ok(Switch::Unknown),
        other => other,
    }
}

/// The request that switches the check on or off.
pub fn turn_request(on: bool) -> Request {
    let body = json!({ "value": if on { "true" } else { "false" } });
    Request::new(Method::Put, path(), Body::Json(body)).role(ROLE).accept(KIND)
}

/// Switches it on or off, and sees that the answer says so.
pub async fn turn(client: &Client, on: bool) -> Result<(), PlatformError> {
    let request = turn_request(on);
    let answer: Answer = client.json(&request).await?;
    if answer.switch().known() == Some(on) {
        return Ok(());
    }
    let problem = format!("the option {KEY} is not {on} in its answer");
    Err(client.strange(&request, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_words_are_known() {
        let read = |value: &str| {
            let answer: Answer = serde_json::from_str(&format!(r#"{{"value":{value}}}"#)).unwrap();
            answer.switch()
        };
        assert_eq!(read(r#""true""#), Switch::On);
        assert_eq!(read(r#""false""#), Switch::Off);
        assert_eq!(read(r#""""#), Switch::Off);
        for strange in [r#""yes""#, "null", "1", "{}"] {
            assert_eq!(read(strange), Switch::Unknown, "{strange}");
        }
    }

    #[test]
    fn the_option_is_written_as_a_text() {
        let request = turn_request(true);
        assert_eq!(request.path, "/tenant/options/configuration/crl.offline.check.enabled");
        assert_eq!(request.body, Body::Json(json!({ "value": "true" })));
    }
}
