//! The sandbox before clients that are not ours: curl, Node, Python, Java, mosquitto, Chromium.

mod admission;
mod bridge;
mod clients;
mod contract;
mod curl;
mod curl_device;
mod curl_faults;
mod flags;
mod java;
mod mosquitto;
mod mqtt_clients;
mod page;
mod platform;
mod service;
mod setting;
mod smartrest;
mod tls_faults;
