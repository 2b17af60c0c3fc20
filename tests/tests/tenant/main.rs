//! `tenant`, `pop`, `registration` and `rollout` against a sandbox tenant over HTTP.

mod contexts;
mod crl;
mod described;
mod edge;
mod exit_codes;
mod faulty;
mod hostile;
mod journey;
mod judged;
mod longest;
mod outputs;
mod pages;
mod plan;
mod plan_keys;
mod pop;
mod reach;
mod registration;
mod roles;
mod rollout;
mod selftest;
mod service;
mod status;
mod text;
mod trust;
mod verify;
mod whole_job;
