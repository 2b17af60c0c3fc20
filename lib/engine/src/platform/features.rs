//! Whether a feature of the platform is on for a tenant (OpenAPI description of the platform, "Feature toggles";
//! platform: `GET /features/certificate-authority`, "SmartREST topics need the feature").

use serde::Deserialize;

use super::{Client, PlatformError, Request, lenient};

/// The question.
pub fn request(key: &str) -> Request {
    Request::get(format!("/features/{key}"))
}

/// Whether it is on.
///
/// Errors: those of any call; [`PlatformError::Refused`] with 404 where the platform does not know the feature.
pub async fn is_on(client: &Client, key: &str) -> Result<bool, PlatformError> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(deserialize_with = "lenient::flag")]
        active: bool,
    }
    client.json::<Answer>(&request(key)).await.map(|answer| answer.active)
}
