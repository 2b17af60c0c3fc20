//! Commands are killed, run out of disk, or meet themselves: nothing is lost, doubled or half done.
#![cfg(target_os = "linux")]

mod archive;
mod day;
mod disk;
mod each_call;
mod folders;
mod mixed;
mod two;
mod windows;
