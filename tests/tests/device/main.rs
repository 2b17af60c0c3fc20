//! `device check`, `connect`, `token` and `bootstrap` against brokers, networks and sandboxes.

mod bootstrap;
mod check;
mod check_network;
mod check_tenant;
mod check_verdict;
mod connect;
mod enrol;
mod hostile;
mod newcomers;
mod renewal;
mod thin_edge;
mod token;
