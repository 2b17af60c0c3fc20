//! One file per group of commands.

pub(crate) mod ca;
pub(crate) mod cert;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod device;
pub(crate) mod generate;
pub(crate) mod key;
pub(crate) mod listed;
mod ml_dsa;
pub(crate) mod openssl_conf;
pub(crate) mod order;
mod planning;
pub(crate) mod pool;
pub(crate) mod pop;
pub(crate) mod profile;
#[cfg(any(feature = "sandbox", feature = "serve"))]
mod ready_file;
pub(crate) mod registration;
pub(crate) mod registry;
pub(crate) mod rollout;
#[cfg(feature = "sandbox")]
pub(crate) mod sandbox;
#[cfg(feature = "serve")]
pub(crate) mod serve;
pub(crate) mod server;
pub(crate) mod shortened;
pub(crate) mod status;
pub(crate) mod store;
mod superseded;
pub(crate) mod tenant;
pub(crate) mod webhook;
