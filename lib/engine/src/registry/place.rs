//! Where a registry is: a file or the address of a server, and what of that can be told.

/// Whether a place is the address of a server.
pub(crate) fn is_server(place: &str) -> bool {
    place.starts_with("postgres://") || place.starts_with("postgresql://")
}

/// Whether a place is the name of a file. Addresses of other kinds, and settings as `host=db`, are none: they may hold a
/// password, which names of files are told with.
pub(crate) fn is_file(place: &str) -> bool {
    !place.contains("://") && !place.contains('=')
}

/// A place that cannot be used, as it can be told: without all that may be a part of a password.
pub(crate) fn without_secrets(place: &str) -> String {
    if is_file(place) {
        return place.to_owned();
    }
    let Some((scheme, rest)) = place.split_once("://") else {
        let name = place.split('=').next().unwrap_or_default();
        return format!("{name}=…");
    };
    // A password may hold any of the characters that end it in a good address: the last @ is taken.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (until(user, &[':', '/', '?', '@']), rest),
        None => ("", rest),
    };
    let at = if user.is_empty() { "" } else { "@" };
    let server = until(rest, &['/', '?', '#']);
    // Without a host the password is in the place of the port.
    let port = server.rsplit_once(':').map_or("", |(_, port)| port.trim_end_matches(']'));
    if !server.starts_with('[') && !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("{scheme}://{user}{at}{}:…", until(server, &[':']));
    }
    let path = until(&rest[server.len()..], &['?', '#']);
    let more = if server.len() + path.len() < rest.len() { "?…" } else { "" };
    format!("{scheme}://{user}{at}{server}{path}{more}")
}

fn until<'t>(text: &'t str, ends: &[char]) -> &'t str {
    text.split(ends).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_that_cannot_be_used_the_harmless_parts_are_told() {
        for (place, told) in [
            ("registry.sqlite", "registry.sqlite"),
            ("postgres://u:secret@db:5433/p?x=y", "postgres://u@db:5433/p?…"),
            ("postgres://u:a/b?c@d@db/p", "postgres://u@db/p"),
            ("postgres://u:secret", "postgres://u:…"),
            ("postgres://u:secret@db:x/p", "postgres://u@db:…"),
            ("postgres://u@[::1]:5432/p", "postgres://u@[::1]:5432/p"),
            ("postgres:///p?host=/run/x", "postgres:///p?…"),
            ("mysql://u:secret@db", "mysql://u@db"),
            ("host=db password=secret", "host=…"),
        ] {
            assert_eq!(without_secrets(place), told);
        }
    }
}
