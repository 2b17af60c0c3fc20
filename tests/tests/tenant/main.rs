//! `tenant`, `pop`, `registration` and `rollout` against a sandbox tenant over HTTP.

mod crl;
mod described;
mod faulty;
mod hostile;
mod journey;
mod outputs;
mod pages;
mod pop;
mod reach;
mod registration;
mod roles;
mod rollout;
mod selftest;
mod text;
mod trust;
mod verify;
mod whole_job;
