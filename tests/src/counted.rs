//! Numbers of things in messages: one thing is not many.

/// Things that are counted in messages.
const COUNTED: [&str; 16] = [
    "CAs",
    "certificates",
    "days",
    "devices",
    "entries",
    "files",
    "findings",
    "keys",
    "labels",
    "orders",
    "requests",
    "revocations",
    "rows",
    "servers",
    "audit rows",
    "more devices",
];

/// What counts one thing as many, if anything does: `1 devices`.
pub fn one_of_many(text: &str) -> Option<&str> {
    let starts = text.match_indices("1 ").map(|(at, _)| at);
    let mut alone = starts
        .filter(|at| !text[..*at].ends_with(|c: char| c.is_alphanumeric() || ".,-_:/".contains(c)));
    alone.find_map(|at| {
        let rest = &text[at + 2..];
        let is_word = |thing: &&&str| {
            rest.strip_prefix(**thing)
                .is_some_and(|after| !after.starts_with(char::is_alphanumeric))
        };
        COUNTED.iter().find(is_word).map(|thing| &text[at..at + 2 + thing.len()])
    })
}

#[cfg(test)]
mod tests {
    use super::one_of_many;

    #[test]
    fn one_thing_is_not_many() {
        assert_eq!(one_of_many("made: 1 devices"), Some("1 devices"));
        assert_eq!(one_of_many("1 of 1 rows"), Some("1 rows"));
        for good in ["1 device", "11 devices", "0.1 days", "1,001 rows", "1 devicesque", "v1 keys"]
        {
            assert_eq!(one_of_many(good), None, "{good}");
        }
    }
}
