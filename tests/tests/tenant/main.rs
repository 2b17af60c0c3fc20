//! `tenant`, `pop`, `registration` and `rollout` against a sandbox tenant over HTTP.

mod crl;
mod edge;
mod hostile;
mod judged;
mod longest;
mod outputs;
mod pop;
mod reach;
mod registration;
mod rollout;
mod selftest;
mod service;
mod text;
mod trust;
mod verify;
mod whole_job;
