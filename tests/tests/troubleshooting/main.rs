//! docs/troubleshooting.md, row by row: each is a set-up that is broken in this one way, and `device
//! check`, or the command of the row, says what the row says.

mod commands;
mod files;
mod network;
mod platform;
mod rows;
mod service;
mod tls;
