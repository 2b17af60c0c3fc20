//! A certificate that takes the place of another one.

use super::Certificate;

impl Certificate {
    /// Whether this and the other are two certificates of one CA: the same name and the same key, as after a
    /// renewal. What one of them has signed, the other has signed too, but their fingerprints differ.
    #[doc(hidden)]
    pub fn is_renewal_of(&self, other: &Self) -> bool {
        self.der() != other.der() && self.spki == other.spki && self.subject.matches(&other.subject)
    }
}

#[cfg(test)]
mod tests {
    use crate::chain::testing::Signed;

    #[test]
    fn name_and_key_make_the_ca() {
        let root = Signed::root("CN=Root", |_| {});
        let ca = root.ca("CN=CA", |_| {});
        let later = |name: &str| root.ca_with_key(name, ca.key.clone(), |d| d.serial[1] ^= 1).cert;
        assert!(later("CN=CA").is_renewal_of(&ca.cert) && ca.cert.is_renewal_of(&later("CN=CA")));
        assert!(!ca.cert.is_renewal_of(&ca.cert));
        assert!(!later("CN=Other").is_renewal_of(&ca.cert));
        assert!(!root.ca("CN=CA", |_| {}).cert.is_renewal_of(&ca.cert));
    }
}
