//! A device's token: asked for over MQTT or HTTPS, decoded, renewed (platform: "Topics", "Token over
//! HTTPS").
//!
//! [`over_mqtt`] takes a session, in which the platform has to have accepted a certificate;
//! [`over_https`] takes the same files. [`watch`] asks again at half of each token's life. A token is a
//! [`Password`](crate::secret::Password): it is in no error, log or `Debug`.

mod asking;
mod claims;
mod error;
mod watch;

pub use asking::{over_https, over_mqtt};
pub use claims::{Claims, MOST, Token};
pub use error::TokenError;
pub use watch::{Renewal, watch};
