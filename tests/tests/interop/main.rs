//! What we write, read by the tools of others, and what they write, read by us.

#[cfg(target_os = "linux")]
mod adoption_killed;
mod chains;
mod client_auth;
mod enrolment;
mod issued;
mod keys;
mod ml_dsa;
mod mutations;
mod openssl_again;
mod openssl_ca;
mod outputs;
mod own_servers;
mod pkcs12;
mod pkilint;
mod pkits;
mod profiles;
mod refresh;
mod servers;
#[cfg(target_os = "linux")]
mod service;
mod stores;
mod token_faults;
mod token_names;
mod tokens;
