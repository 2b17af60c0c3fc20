//! Issuing devices, one or very many.
//!
//! A [`Job`] says what is issued and how, a [`Context`] when, and to whom progress is told. [`run()`] issues the devices
//! of a list: in parallel, chunk by chunk, so that a certificate exists if and only if the registry has it, and then
//! its key is on disk. [`request`] does the same for certificate requests, [`renew`] for devices whose certificates
//! run out, [`refresh`] rewrites chains for a renewed CA, [`inspect`] looks for keys.
//!
//! | file | for |
//! | --- | --- |
//! | `job`, `context` | what is asked; clock, stop and progress |
//! | `former` | what a device keeps of its former certificate |
//! | `again` | the files that it had, and gets again |
//! | `kept` | what a list does not say of its devices |
//! | `error` | why a run could not start or had to stop |
//! | `plan` | what becomes of each device, before the first key is made |
//! | `preview` | the same, for who only asks |
//! | `claim` | which run makes which devices, where several have some in common |
//! | `share` | the share of a run in an order that several stations make |
//! | `owners` | whose key it is already |
//! | `certify` | one device signed under the job's profile and policy, without files |
//! | `key` | a device's key: made, drawn from the pool, read |
//! | `bundle` | a device's files |
//! | `make`, `made` | key, certificate and files of one device; what becomes of them |
//! | `destination/` | where files go: directories, an archive, a stream |
//! | `commit` | records chunks and lets them count |
//! | `work` | workers make devices, one thread commits them |
//! | `run` | all of that in its order |

mod again;
pub mod bundle;
mod claim;
mod commit;
mod context;
mod destination;
mod error;
mod former;
pub mod inspect;
mod job;
mod kept;
mod key;
mod made;
mod make;
mod owners;
mod plan;
mod preview;
pub mod refresh;
pub mod renew;
pub mod request;
mod run;
mod share;
mod work;

pub use claim::{AtWork, at_work};
pub use commit::SECRETS_HEADER;
pub use context::{Context, Progress};
pub use destination::{Out, Stream};
pub(crate) use destination::{REPLACED, STAGING};
pub use error::ProvisionError;
pub use former::Keep;
pub use job::{Existing, Formers, Job, RevokedDevices, Rules, Summary};
pub(crate) use plan::not_issued;
pub use preview::{Preview, preview};
pub use run::{run, run_shared, settle};
pub use share::Share;
