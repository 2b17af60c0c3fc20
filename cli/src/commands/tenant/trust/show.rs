//! `tenant trust show`: one of them.

use super::view::{View, details};
use super::which;
use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::tenant::TenantArgs;

pub(super) fn run(id: &str, tenant: &TenantArgs, out: Output) -> Result {
    let client = tenant.connect(out)?;
    let found = which::find(&client, id)?;
    out.result(&View::of(&found, None), details)?;
    Ok(Outcome::Done)
}
