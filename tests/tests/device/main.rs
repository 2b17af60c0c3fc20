//! `device check`, `connect`, `token` and `bootstrap` against brokers, networks and sandboxes.

mod bootstrap;
mod check;
mod check_network;
mod check_tenant;
mod connect;
mod enrol;
mod hostile;
mod newcomers;
mod renewal;
mod thin_edge;
mod tls;
mod token;
