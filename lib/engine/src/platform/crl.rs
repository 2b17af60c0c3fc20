//! Revocation: what our CAs have revoked goes up, the platform's own list comes down (platform:
//! "Revocation").
//!
//! The platform keeps serial numbers without their issuers. It only adds: an entry that is there
//! stays as it is, so an upload can be repeated. The list has an effect only where its check is switched
//! on, which it is not by default: see [`switch`].

mod switch;

pub(super) use switch::KIND;
pub use switch::{CATEGORY, KEY, Switch, is_on, switch, turn, turn_request};

use time::OffsetDateTime;

use super::{Body, Client, Method, PlatformError, Request, trusted};
use crate::crl::{Crl, Revoked, platform_csv};
use crate::failure::Underlying;

/// Where revocations are kept.
pub const PATH: &str = "/tenant/trusted-certificates/settings/crl";

/// Bytes of the platform's list: some 400,000 entries with a reason, of about 40 bytes each. In memory an
/// entry takes several times that.
const MOST_LIST: usize = 16 << 20;

/// The requests that upload these revocations, 5000 in each at most. Fresh ones have no date
/// ([`platform_csv`]).
pub fn requests(revoked: &[Revoked], now: OffsetDateTime) -> Vec<Request> {
    let request = |csv: String| {
        let body = Body::csv("revoked.csv", csv.into_bytes());
        Request::new(Method::Put, PATH, body).role(trusted::ROLE)
    };
    platform_csv(revoked, Some(now)).into_iter().map(request).collect()
}

/// Sends what [`requests`] has made.
pub async fn upload(client: &Client, requests: &[Request]) -> Result<(), PlatformError> {
    for request in requests {
        client.send(request).await?;
    }
    Ok(())
}

/// The platform's list. Its signature is the platform's, whose certificate is not told here.
pub async fn download(client: &Client) -> Result<Crl, PlatformError> {
    let request = Request::get(PATH).role(trusted::ROLE_READ).at_most(MOST_LIST);
    let request = request.accept("application/pkix-crl, */*");
    let answer = client.send(&request).await?;
    Crl::from_der(&answer.body).map_err(|e| client.strange(&request, Underlying::of(e)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cert::Serial;
    use crate::crl::Reason;
    use time::macros::datetime;

    #[test]
    fn no_request_holds_more_than_the_platform_takes() {
        let revoked: Vec<Revoked> = (0..5001_u32)
            .map(|n| Revoked {
                serial: Serial::from_octets(&n.to_be_bytes()),
                at: datetime!(2026-01-17 10:48:51 UTC),
                reason: Reason::KeyCompromise,
            })
            .collect();
        let now = datetime!(2026-03-01 12:00 UTC);
        let lines: Vec<usize> = requests(&revoked, now)
            .iter()
            .map(|r| match &r.body {
                Body::Csv { bytes, .. } => bytes.split(|b| *b == b'\n').count() - 2,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(lines, [5000, 1]);
        assert!(requests(&[], now).is_empty());
    }
}
