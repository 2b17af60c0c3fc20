//! What we write, read by the tools of others, and what they write, read by us.

mod chains;
mod client_auth;
mod enrolment;
mod keys;
mod outputs;
mod pkcs12;
mod pkilint;
mod pkits;
mod servers;
mod stores;
mod token_faults;
mod token_names;
mod tokens;
