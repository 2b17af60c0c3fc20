//! The real binary with no tenant in sight: one module for each group of commands, and the traits that
//! all of them share.

mod ca;
mod cert;
mod containers;
mod device;
mod environment;
mod life;
mod line;
mod registration;
mod requests;
mod rollout;
mod safety;
mod store;
mod terminal;
