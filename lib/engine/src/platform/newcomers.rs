//! Devices that are registered one by one, to enrol at the platform's own CA ("new device requests" in the
//! platform's description; platform: "Bulk registration", at its end).
//!
//! [`add`] registers a device with its one-time password, and never twice: a request whose answer was lost
//! is looked for before it is sent again, and what was there before is left as it is. Only devices of the platform's own CA can be registered like
//! this; those of an uploaded CA need bulk registration.

use std::collections::HashSet;

use percent_encoding::utf8_percent_encode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::lenient::{self, AtMost};
use super::request::{ESCAPED, segment};
use super::{Body, Client, Method, PlatformError, Request, host_and_port};
use crate::client_id::DeviceId;
use crate::failure::{Failure, Fault};
use crate::registration::OneTimePassword;

/// The media type of a request's JSON in the platform's description.
const KIND: &str = "application/vnd.com.nsn.cumulocity.newdevicerequest+json";

/// The types of an answer with one of them, and with many.
const ONE: &str = "application/vnd.com.nsn.cumulocity.newdevicerequest+json, application/json";
const MANY: &str =
    "application/vnd.com.nsn.cumulocity.newdevicerequestcollection+json, application/json";

const PATH: &str = "/devicecontrol/newDeviceRequests";

/// What lets a user register devices.
const ROLE_ADD: &str = "ROLE_DEVICE_CONTROL_ADMIN";
/// What lets a user see the requests.
const ROLE_LIST: &str = "ROLE_DEVICE_CONTROL_READ";
/// What lets a user withdraw a request: not the role with which it is made.
const ROLE_WITHDRAW: &str = "ROLE_USER_MANAGEMENT_ADMIN";

/// Requests on a page of a list.
const PAGE: usize = 1000;
/// Requests on a page that a server sends unasked; the platform gives 2000 at most.
const MOST_ON_PAGE: usize = 2000;
/// Requests of a tenant that are read.
const MOST_REQUESTS: usize = 1_000_000;
/// How often a registration is sent whose answers are lost.
const ATTEMPTS: u32 = 8;

/// A device that is to come, as the platform knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct Newcomer {
    /// Its id.
    pub id: String,
    /// `WAITING_FOR_CONNECTION`, `PENDING_ACCEPTANCE`, `ACCEPTED` or `BLOCKED`; with a one-time password it
    /// is `ACCEPTED` from the beginning.
    #[serde(default, deserialize_with = "lenient::text")]
    pub status: Option<String>,
    /// When it was entered, in the platform's words (ISO 8601).
    #[serde(default, deserialize_with = "lenient::text")]
    pub creation_time: Option<String>,
    /// The type that it is to have.
    #[serde(default, rename(deserialize = "type"), deserialize_with = "lenient::text")]
    pub device_type: Option<String>,
}

/// The status of a request after too many attempts with a wrong one-time password.
const BLOCKED: &str = "BLOCKED";

impl Newcomer {
    /// Whether the platform does not accept it any more: after too many attempts with a wrong one-time password.
    pub fn is_blocked(&self) -> bool {
        self.status.as_deref() == Some(BLOCKED)
    }
}

/// A device to register.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// Its id.
    pub id: DeviceId,
    /// With which it enrols.
    pub one_time: OneTimePassword,
    /// The type that it is to have.
    pub device_type: Option<String>,
}

/// What came of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It is registered with this one-time password.
    Registered,
    /// There was a request for it before, which was not changed; its one-time password is not known.
    Open(Newcomer),
}

/// The registration of a device. It is repeated only when it is known to have had no effect.
pub fn add_request(new: &NewDevice) -> Request {
    request(new, new.one_time.expose())
}

/// The same as it may be shown: without the one-time password.
pub fn shown_request(new: &NewDevice) -> Request {
    request(new, "…")
}

fn request(new: &NewDevice, one_time: &str) -> Request {
    let mut body = json!({ "id": new.id.as_str(), "enrollmentToken": one_time });
    if let Some(device_type) = &new.device_type {
        body["type"] = device_type.as_str().into();
    }
    let request = Request::new(Method::Post, PATH, Body::Json(body)).header("Content-Type", KIND);
    request.accept(ONE).role(ROLE_ADD).once()
}

/// The withdrawal of a request.
pub fn withdraw_request(id: &str) -> Request {
    Request::new(Method::Delete, format!("{PATH}/{}", segment(id)), Body::None).role(ROLE_WITHDRAW)
}

/// Registers a device. First it asks whether there is a request for it already: then a request that is there
/// after a lost answer is known to be ours.
///
/// Errors: [`PlatformError::NotRegistered`] with the platform's words.
pub async fn add(client: &Client, new: &NewDevice) -> Result<Added, PlatformError> {
    match find(client, new.id.as_str()).await {
        Ok(Some(there)) => return Ok(Added::Open(there)),
        // A user who may register devices need not have the right to see requests.
        Ok(None) | Err(PlatformError::Forbidden { .. }) => {}
        Err(e) => return Err(e),
    }
    let mut attempt = 1;
    loop {
        let error = match client.send(&add_request(new)).await {
            Ok(_) => return Ok(Added::Registered),
            Err(e) => e,
        };
        let lost = error.fault() == Fault::Lost;
        let refused = matches!(error, PlatformError::Refused { status: 409 | 422, .. });
        if !lost && !refused {
            return Err(error);
        }
        let there = find(client, new.id.as_str()).await?;
        match (there, error) {
            // It took effect after all, or one of the attempts before did.
            (Some(_), _) if lost || attempt > 1 => return Ok(Added::Registered),
            (Some(there), _) => return Ok(Added::Open(there)),
            (None, PlatformError::Refused { message, .. }) => {
                let device = new.id.as_str().to_owned();
                return Err(PlatformError::NotRegistered { device, message });
            }
            (None, error) if attempt == ATTEMPTS => return Err(error),
            (None, _) => attempt += 1,
        }
    }
}

/// The request for a device, if there is one.
pub async fn find(client: &Client, id: &str) -> Result<Option<Newcomer>, PlatformError> {
    let request = Request::get(format!("{PATH}/{}", segment(id))).role(ROLE_LIST).accept(ONE);
    match client.json::<Newcomer>(&request).await {
        Ok(found) if found.id == id => Ok(Some(found)),
        Ok(_) => Err(client.strange(&request, "its answer is about another device".to_owned())),
        Err(e) if e.status() == Some(404) => Ok(None),
        Err(e) => Err(e),
    }
}

/// A page of requests.
#[derive(Deserialize)]
struct Page {
    #[serde(rename = "newDeviceRequests")]
    requests: AtMost<Newcomer, MOST_ON_PAGE>,
}

/// The requests that are open, page by page.
pub async fn list(client: &Client) -> Result<Vec<Newcomer>, PlatformError> {
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    for number in 1.. {
        let request = Request::get(PATH).role(ROLE_LIST).accept(MANY);
        let request = request.with("pageSize", PAGE).with("currentPage", number);
        let page: Page = client.json(&request).await?;
        let (got, before) = (page.requests.0.len(), all.len());
        all.extend(page.requests.0.into_iter().filter(|r| seen.insert(r.id.clone())));
        if all.len() > MOST_REQUESTS {
            let problem = format!("it lists more than {MOST_REQUESTS} requests");
            return Err(client.strange(&request, problem));
        }
        // A page with nothing new ends the list, also that of a server that gives the same page for ever.
        if got < PAGE || all.len() == before {
            break;
        }
    }
    Ok(all)
}

/// The ids of the requests that are blocked.
pub async fn blocked(client: &Client) -> Result<HashSet<String>, PlatformError> {
    Ok(list(client).await?.into_iter().filter(Newcomer::is_blocked).map(|there| there.id).collect())
}

/// Withdraws the request for a device; false if there was none.
pub async fn withdraw(client: &Client, id: &str) -> Result<bool, PlatformError> {
    match client.send(&withdraw_request(id)).await {
        Ok(_) => Ok(true),
        Err(e) if e.status() == Some(404) => Ok(false),
        Err(e) => Err(e),
    }
}

/// The address of the platform's page that registers a device with its one-time password, for an
/// administrator who opens it or takes it from a QR code (platform, section 3: "The UI has a page"). It
/// holds the one-time password.
///
/// Errors: not the address of a tenant.
pub fn page(
    host: &str,
    id: &DeviceId,
    one_time: &OneTimePassword,
) -> Result<String, PlatformError> {
    let host = host_and_port(host)?;
    let host = host.strip_suffix(":443").unwrap_or(&host);
    let escaped = |text| utf8_percent_encode(text, ESCAPED);
    Ok(format!(
        "https://{host}/apps/devicemanagement/index.html#/deviceregistration?externalId={}\
         &one-time-password={}",
        escaped(id.as_str()),
        escaped(one_time.expose()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new() -> NewDevice {
        let one_time = OneTimePassword::parse("a b&c=d#e").unwrap();
        NewDevice { id: DeviceId::parse("gw 1").unwrap(), one_time, device_type: None }
    }

    #[test]
    fn the_page_has_id_and_password_whatever_is_in_them() {
        let new = new();
        assert_eq!(
            page("https://acme.cumulocity.com/", &new.id, &new.one_time).unwrap(),
            "https://acme.cumulocity.com/apps/devicemanagement/index.html#/deviceregistration?\
             externalId=gw%201&one-time-password=a%20b%26c%3Dd%23e"
        );
        let other = page("localhost:8080", &new.id, &new.one_time).unwrap();
        assert!(other.starts_with("https://localhost:8080/apps/"), "{other}");
    }

    #[test]
    fn what_is_shown_has_no_password() {
        let shown = format!("{} {:?}", shown_request(&new()), new());
        assert!(!shown.contains("a b&c"), "{shown}");
        let sent = add_request(&new()).to_string();
        assert!(sent.contains("a b&c") && sent.matches("Content-Type: ").count() == 1, "{sent}");
        assert!(sent.contains(KIND), "{sent}");
    }
}
