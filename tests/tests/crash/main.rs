//! `device issue` is killed, runs out of disk, or meets itself: nothing is lost, doubled or half done.
#![cfg(target_os = "linux")]

mod archive;
mod disk;
mod folders;
mod two;
