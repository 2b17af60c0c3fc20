//! The sandbox before clients that share no code with it: REST, MQTT, faults, enrolment.
#![cfg(feature = "sandbox")]

mod client;
mod devices;
mod enrolment;
mod faults;
mod mqtt;
mod mqtt_client;
mod mqtt_many;
mod mqtt_session;
mod proof;
mod rest;
mod trusted_pages;
