//! Where the files of devices go: directories, an archive in a file, or an archive in a stream.
//!
//! | file | for |
//! | --- | --- |
//! | `out` | the place as a caller names it |
//! | `place` | what a run asks of any place, and what it does there once it is open |
//! | `folders`, `staging` | a directory for each device; where devices wait until the registry has them |
//! | `archive`, `tar` | one file for all of them; its entries |
//! | `stream` | the same into a pipe |
//! | `growth` | files that grow with a run: an archive, a list of passwords |

mod archive;
mod folders;
mod growth;
mod out;
mod place;
mod staging;
mod stream;
mod tar;

pub(in crate::provision) use growth::{check_growth, finish, grow, settle};
pub use out::Out;
pub(in crate::provision) use place::{Destination, Opening, Sizes, Writer};
pub(crate) use staging::{FOLDER as STAGING, REPLACED};
pub(in crate::provision) use staging::{is_running, recover, waiting};
pub use stream::Stream;
