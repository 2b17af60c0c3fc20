//! The sandbox before clients that share no code with it: REST, MQTT, faults, enrolment.

mod client;
mod devices;
mod enrolment;
mod faults;
mod mqtt;
mod mqtt_client;
mod mqtt_many;
mod mqtt_messages;
mod mqtt_service;
mod mqtt_session;
mod mqtt_tls;
mod news;
mod proof;
mod rest;
mod runtime;
mod strange;
mod trusted_pages;

use std::future::Future;
use std::sync::LazyLock;

use tokio::runtime::Runtime;

/// Runs a call of the asynchronous client to its end.
fn wait<T>(call: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
    RUNTIME.block_on(call)
}
