//! `status --webhook`: what was found goes to an address of the user's own, signed.

use std::path::PathBuf;

use c8y_pki_core::crypto::{fill_random, hex};
use c8y_pki_engine::Error;
use c8y_pki_engine::platform::webhook::{Again, Webhook};
use c8y_pki_engine::status::{Item, Picture};
use clap::Args;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::failure::Result;
use crate::output::Output;
use crate::secrets::known;
use crate::stop;
use crate::tenant::TenantArgs;

/// Where what was found goes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Webhook")]
pub(crate) struct WebhookArgs {
    /// Send what was found to this address, as JSON with a signature: each time, also when nothing is overdue. Only
    /// https; redirects are not followed; --cacert, --proxy, --timeout and --retries count for it too
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// File whose first line is the secret that signs it (HMAC-SHA256), at least 16 characters
    /// [env: C8Y_PKI_WEBHOOK_SECRET]
    #[arg(long, value_name = "FILE", requires = "webhook")]
    webhook_secret_file: Option<PathBuf>,
}

impl WebhookArgs {
    /// Gets everything ready before anything is looked at: a secret that is missing is said at once.
    pub(crate) fn ready(&self, tenant: &TenantArgs) -> Result<Option<Webhook>> {
        let Some(url) = &self.webhook else { return Ok(None) };
        let secret = known::webhook(self.webhook_secret_file.as_ref()).existing()?;
        let settings = tenant.settings_for_others()?;
        let hook = Webhook::new(url, secret, &settings).map_err(Error::from)?;
        Ok(Some(hook.stop_when(stop::on_interrupt())))
    }
}

/// Sends what was found.
pub(crate) fn deliver(
    hook: &Webhook,
    picture: &Picture,
    items: &[Item],
    out: Output,
) -> Result<()> {
    let body = body(picture, items)?;
    let tell = |again: Again<'_>| {
        out.retry(&again.error.to_string(), Some(again.attempt), again.pause);
    };
    hook.deliver(&body, &tell).map_err(Error::from)?;
    out.note(&format!("Sent to the webhook at {}.", hook.host()));
    Ok(())
}

fn body(picture: &Picture, items: &[Item]) -> Result<Value> {
    use c8y_pki_engine::status::Urgency;
    let mut id = [0; 16];
    fill_random(&mut id)?;
    let of = |urgency| items.iter().filter(|item| item.urgency == urgency).count();
    Ok(json!({
        "event": "status",
        "id": hex(&id),
        "at": picture.at.format(&Rfc3339).unwrap_or_else(|_| picture.at.to_string()),
        "overdue": of(Urgency::Overdue),
        "due": of(Urgency::Due),
        "items": items,
    }))
}
