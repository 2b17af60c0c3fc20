//! The API: certificates, devices, orders and CAs as JSON, for MES and test stations.
//!
//! | file | for |
//! | --- | --- |
//! | `access` | who asks: a bearer token or a client certificate |
//! | `ask` | what is asked, and what the token is for |
//! | `views` | what is sent and answered, as JSON |
//! | `order_views` | the same of orders |
//! | `secret_text` | a secret in that |
//! | `devices` | a device is shown, and revoked |
//! | `orders` | orders and their devices are shown, and a request of one of these signed |
//! | `labels` | the label of a device |
//! | `bundles` | key and certificate are made for a device of an order, and answered once |
//! | `cas` | a CA and its revocation list are shown |
//! | `metrics` | numbers for Prometheus |
//! | `table` | all operations |
//! | `describe` | the same as an OpenAPI document |
//! | `dispatch` | which request is for which operation |

mod access;
mod ask;
mod bundles;
mod cas;
mod describe;
mod devices;
mod dispatch;
mod labels;
mod metrics;
mod order_views;
mod orders;
mod secret_text;
mod table;
mod views;

pub(super) use dispatch::{answer, has, path_of};
