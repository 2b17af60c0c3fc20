//! `tenant`, `pop`, `registration` and `rollout` against a sandbox tenant over HTTP.

mod hostile;
mod pop;
mod reach;
mod registration;
mod rollout;
mod trust;
mod whole_job;
