//! The real binary with no tenant in sight: one module for each group of commands, and the traits that
//! all of them share.

mod ca;
mod cert;
mod check;
mod clock;
mod containers;
mod device;
mod environment;
mod imports;
mod judgement;
mod keys;
mod large;
mod life;
mod line;
mod lists;
mod one_key;
mod outputs;
mod registration;
mod requests;
mod rollback;
mod rollout;
mod safety;
mod sheets;
mod store;
mod terminal;
mod text;
