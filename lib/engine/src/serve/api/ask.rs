//! What is asked, by whom, and whether the token is for it.

use crate::pki::Ca;
use crate::registry::OrderRecord;
use crate::serve::answer::{Refusal, Result, failed, forbidden, not_found};
use crate::serve::call::Call;
use crate::serve::state::Shared;
use crate::serve::token::Token;

/// A request whose token has the right role.
pub(super) struct Ask<'a> {
    pub(super) shared: &'a Shared,
    pub(super) call: &'a Call,
    pub(super) token: &'a Token,
    /// What stands in its path where the template has a name, in this order.
    pub(super) words: Vec<String>,
}

impl Ask<'_> {
    /// A word of its path.
    pub(super) fn word(&self, position: usize) -> &str {
        self.words.get(position).map_or("", String::as_str)
    }

    /// Who asks, for the audit log.
    pub(super) fn by(&self) -> String {
        self.token.to_string()
    }

    /// There is no such thing, as far as the token is for it: one that is not for everything does not learn which it is.
    pub(super) fn none(&self, what: &str) -> Refusal {
        match self.token.is_limited() {
            true => self.not_for(what),
            false => not_found(&format!("there is no {what}")),
        }
    }

    fn not_for(&self, what: &str) -> Refusal {
        forbidden(&format!("the {} is not for the {what}", self.token))
    }

    /// The CA of that name.
    pub(super) fn ca(&self, name: &str) -> Result<Ca> {
        let what = format!("CA {name:?}");
        if !self.token.is_for_ca(name) {
            return Err(self.not_for(&what));
        }
        let cas = self.shared.pki.cas().map_err(|e| failed(&e))?;
        cas.into_iter().find(|ca| ca.name == name).ok_or_else(|| self.none(&what))
    }

    /// The order of that name.
    pub(super) fn order(&self, name: &str) -> Result<OrderRecord> {
        let what = format!("order {name:?}");
        if !self.token.is_for_order(Some(name)) {
            return Err(self.not_for(&what));
        }
        let found = self.shared.pki.registry().order(name).map_err(|e| failed(&e))?;
        let found = found.filter(|order| self.token.is_for_ca(&order.ca));
        found.ok_or_else(|| self.none(&what))
    }

    /// The order that a device is in, as far as the token is for it; `id` need not be one.
    pub(super) fn order_of(&self, id: &str) -> Result<Option<OrderRecord>> {
        let registry = self.shared.pki.registry();
        let name = registry.open_order_of(id).map_err(|e| failed(&e))?;
        if !self.token.is_for_order(name.as_deref()) {
            return Err(self.not_for(&device(id)));
        }
        let Some(name) = name else { return Ok(None) };
        let order = registry.order(&name).map_err(|e| failed(&e))?;
        Ok(order.filter(|order| self.token.is_for_ca(&order.ca)))
    }
}

/// A device, in a sentence.
pub(super) fn device(id: &str) -> String {
    format!("device {id:?}")
}
