//! `device enrol`: a certificate from the platform's own CA, for a key that stays here.
//!
//! The key is on disk before anything is sent, and the next run after one that was cut off uses it.

mod args;
mod first;
mod outcome;
mod over;
mod renew;

pub(super) use args::EnrolArgs;

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_engine::enrolment::folder::Folder;

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::{old_ids, outlet};

pub(super) fn run(args: &EnrolArgs, out: Output) -> Result {
    outlet::check_folder(&args.out)?;
    // A device that has its certificate has its id.
    let id = match args.renew {
        true => old_ids::read(&args.id, out)?,
        false => DeviceId::parse_new(&args.id)?,
    };
    if args.renew && !args.out.exists() {
        return Err(Failure::usage(
            format!("{} does not exist: there is nothing to renew", args.out.display()),
            "name the directory of the devices' directories with --out, or leave out --renew",
        ));
    }
    let folder = Folder::open(&args.out, &id)?;
    match args.renew {
        true => renew::run(args, &id, &folder, out),
        false => first::run(args, &id, &folder, out),
    }
}
