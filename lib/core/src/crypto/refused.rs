//! Names of algorithms that are refused.

/// Well-known names for algorithms that people meet and we refuse.
pub(super) fn algorithm_name(oid: &str) -> String {
    let name = match oid {
        "1.2.840.10040.4.1" => "DSA",
        "1.3.101.113" => "Ed448",
        "1.3.101.110" => "X25519",
        _ => return oid.to_owned(),
    };
    format!("{name} ({oid})")
}
