//! Revocations of devices: uploaded to the platform's list, and that list read (platform:
//! "Revocation").
//!
//! The platform only adds: an entry that is there keeps its date, so an upload that broke off is
//! simply sent again. It looks at the list only when the check is switched on in the tenant, which
//! it is not by default. Entries of all CAs share the list: it knows serial numbers, not issuers.

use super::trusted::ROLE;
use super::{Body, Client, Method, PlatformError, Request};
use crate::crl::{Crl, PLATFORM_ROWS, Revoked, platform_csv};

/// Where the platform keeps its list.
pub const PATH: &str = "/tenant/trusted-certificates/settings/crl";

/// The uploads of these revocations, at most [`PLATFORM_ROWS`] in each.
pub fn requests(revoked: &[Revoked]) -> Vec<Request> {
    let request = |(index, csv): (usize, String)| {
        let name = format!("revocations-{}.csv", index + 1);
        let body = Body::Csv { name, bytes: csv.into_bytes() };
        Request::new(Method::Put, PATH, body).role(ROLE)
    };
    platform_csv(revoked).into_iter().enumerate().map(request).collect()
}

/// Uploads revocations. `progress` gets the number of those that are done after each piece.
///
/// Errors: of the first piece that fails; the pieces before it are on the platform's list.
pub fn upload(
    client: &Client,
    revoked: &[Revoked],
    mut progress: impl FnMut(usize),
) -> Result<(), PlatformError> {
    for (index, request) in requests(revoked).iter().enumerate() {
        client.send(request)?;
        progress(revoked.len().min((index + 1) * PLATFORM_ROWS));
    }
    Ok(())
}

/// The request for the platform's list.
pub fn download_request() -> Request {
    Request::get(PATH).role(ROLE).accept("*/*")
}

/// The platform's list, as it signed it.
///
/// Errors: an answer that is no revocation list.
pub fn download(client: &Client) -> Result<Crl, PlatformError> {
    let request = download_request();
    let answer = client.send(&request)?;
    Crl::from_der(&answer.body).map_err(|e| {
        let problem = match answer.body.is_empty() {
            true => "the answer is empty".to_owned(),
            false => e.to_string(),
        };
        client.strange(&request, problem)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cert::Serial;
    use crate::crl::Reason;

    fn revoked(count: u16) -> Vec<Revoked> {
        let at = time::macros::datetime!(2026-01-17 10:48:51 UTC);
        let one = |n: u16| Revoked {
            serial: Serial::from_octets(&[[0x4a, 0], n.to_be_bytes()].concat()),
            at,
            reason: Reason::KeyCompromise,
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn uploads_are_cut_where_the_platform_wants_it() {
        let requests = requests(&revoked(5001));
        let [first, last] = &requests[..] else { panic!("{} requests", requests.len()) };
        assert_eq!(
            last.to_string(),
            "PUT /tenant/trusted-certificates/settings/crl\n\
             Content-Type: multipart/form-data; file \"revocations-2.csv\", text/csv\n\n\
             SERIALNO,DATE\n4a001388,2026-01-17T10:48:51.000Z\n"
        );
        assert!(first.to_string().ends_with("\n… and 4995 more lines\n"), "{first}");
        assert_eq!(first.repeat, super::super::Repeat::Always);
        assert!(super::requests(&[]).is_empty());
    }
}
