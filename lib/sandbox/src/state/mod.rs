//! What the sandbox knows: its tenants with all that they hold, and who is connected. It knows no call; the calls
//! change it.
//!
//! | file | for |
//! | --- | --- |
//! | `world` | everything together |
//! | `site` | where it is reached, and how it is to be |
//! | `tenant` | a tenant, its devices and its own CA |
//! | `trusted` | a certificate that a tenant holds |
//! | `pending` | a device that is to come |
//! | `inventory` | what a device has made by its messages |
//! | `guest` | who is connected by MQTT, and how |
//! | `online` | all connections, and how to reach them |

mod guest;
mod inventory;
mod online;
mod pending;
mod site;
mod tenant;
mod trusted;
mod world;

pub(crate) use guest::{Guest, Port, Protocol, Way};
pub(crate) use inventory::Inventory;
pub(crate) use online::Request;
pub(crate) use pending::{Pending, Status};
pub(crate) use site::Site;
pub(crate) use tenant::{AuthType, Authority, Device, Enrolment, MANAGEMENT, Registration, Tenant};
pub(crate) use trusted::{Code, Trusted, collection_url};
pub(crate) use world::{OPERATIONS, World};
