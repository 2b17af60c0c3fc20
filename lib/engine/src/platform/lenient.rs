//! Values of JSON whose type is not certain, read without building a tree of whatever stands there: a tree
//! takes many times the memory of its text.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A boolean, also as the text that some clients send, and null.
pub(super) fn flag<'de, D: Deserializer<'de>>(input: D) -> Result<bool, D::Error> {
    struct Flag;
    impl Visitor<'_> for Flag {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("true or false")
        }

        fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
            Ok(value)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
            Ok(text == "true")
        }

        fn visit_unit<E: Error>(self) -> Result<bool, E> {
            Ok(false)
        }
    }
    input.deserialize_any(Flag)
}

/// A whole number, also as a text; none for anything else.
pub(super) fn number<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
    Ok(match Loose::deserialize(input)? {
        Loose::Number(number) => Some(number),
        Loose::Text(text) => text.trim().parse().ok(),
        Loose::Other => None,
    })
}

/// A text; none for anything else.
pub(super) fn text<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    Ok(match Loose::deserialize(input)? {
        Loose::Text(text) => Some(text),
        _ => None,
    })
}

/// A value of which only texts and whole numbers count.
enum Loose {
    Number(u64),
    Text(String),
    Other,
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Loose, E> {
        Ok(Loose::Number(number))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Loose, E> {
        Ok(Loose::Text(text.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Loose, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Loose, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }
}

/// A list of at most `MOST` things. A small text can hold very many of them, and each takes its room in memory.
#[derive(Debug)]
pub(super) struct AtMost<T, const MOST: usize>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for AtMost<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Items<T, const MOST: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Items<T, MOST> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MOST} entries")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    if all.len() == MOST {
                        return Err(A::Error::custom(format!(
                            "a list has more than {MOST} entries"
                        )));
                    }
                    all.push(item);
                }
                Ok(all)
            }
        }
        input.deserialize_seq(Items::<T, MOST>(PhantomData)).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Loosely {
        #[serde(deserialize_with = "flag")]
        flag: bool,
        #[serde(deserialize_with = "number")]
        number: Option<u64>,
        #[serde(deserialize_with = "text")]
        text: Option<String>,
    }

    fn read(flag: &str, number: &str, text: &str) -> Option<(bool, Option<u64>, Option<String>)> {
        let json = format!(r#"{{"flag":{flag},"number":{number},"text":{text}}}"#);
        let read: Loosely = serde_json::from_str(&json).ok()?;
        Some((read.flag, read.number, read.text))
    }

    #[test]
    fn types_that_are_not_certain_are_read_as_they_come() {
        assert_eq!(read("true", "3", r#""x""#), Some((true, Some(3), Some("x".to_owned()))));
        assert_eq!(read(r#""true""#, r#"" 4 ""#, "null"), Some((true, Some(4), None)));
        assert_eq!(read("null", r#""x""#, "[[],{}]"), Some((false, None, None)));
        assert_eq!(read("false", "-1", "1.5"), Some((false, None, None)));
        assert_eq!(read("false", r#"{"a":[1]}"#, "true"), Some((false, None, None)));
        assert_eq!(read("[]", "1", "null"), None);
        assert_eq!(read("1", "1", "null"), None);
    }

    #[test]
    fn lists_end_where_no_honest_one_goes_on() {
        assert_eq!(serde_json::from_str::<AtMost<u8, 3>>("[1,2,3]").unwrap().0, [1, 2, 3]);
        let long = serde_json::from_str::<AtMost<u8, 3>>("[1,2,3,4]").unwrap_err().to_string();
        assert!(long.starts_with("a list has more than 3 entries"), "{long}");
        assert!(serde_json::from_str::<AtMost<u8, 3>>("{}").is_err());
    }
}
