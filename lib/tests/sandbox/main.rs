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
mod proof;
mod rest;
mod strange;
mod trusted_pages;
