//! The platform as seen from a client.

pub mod fetch;
