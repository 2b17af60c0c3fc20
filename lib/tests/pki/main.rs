//! A PKI directory through the library: its CAs, its devices, its registry, over years and after stops.

mod adopt;
mod ca;
mod clock;
mod folder;
mod issued;
mod keys;
mod life;
mod manifest;
mod mutated;
mod one_key;
mod orders;
mod pool;
mod provision;
mod registry;
mod rollback;
#[cfg(all(unix, feature = "postgres"))]
mod server;
