//! `device check`, `connect`, `token` and `bootstrap` against brokers, networks and sandboxes.

mod beside;
mod bootstrap;
mod check;
mod check_many;
mod check_network;
mod check_tenant;
mod check_verdict;
mod connect;
mod enrol;
mod est;
mod hostile;
mod newcomers;
mod renewal;
mod service;
mod thin_edge;
mod tls;
mod token;
