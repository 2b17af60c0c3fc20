//! The rollout file: read, checked, with paths made relative to where it stands.

mod model;
mod raw;
mod read;

pub use model::*;
pub use read::parse_separator;
