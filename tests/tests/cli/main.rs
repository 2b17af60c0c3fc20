//! The real binary with no tenant in sight: one module for each group of commands, and the traits that
//! all of them share.

mod again;
mod backups;
mod ca;
mod cases;
mod cert;
mod check;
mod clock;
mod containers;
mod contexts;
mod debug_text;
mod device;
mod environment;
mod forms;
mod hand_over;
mod imports;
#[cfg(unix)]
mod joined;
mod judgement;
mod keys;
mod labels;
mod large;
mod life;
mod line;
mod lists;
mod longest;
mod manners;
mod named;
mod offline_root;
mod old_ids;
mod one_key;
mod orders;
mod outputs;
mod packages;
mod pages_walked;
mod plans;
#[cfg(unix)]
mod postgres;
mod registration;
mod requests;
mod revoked;
mod rollback;
mod rollout;
mod safety;
mod servers;
#[cfg(unix)]
mod sharing;
mod sheets;
mod store;
mod tables;
mod terminal;
mod text;
mod webhook;
mod words;
