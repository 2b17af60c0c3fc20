//! Rows in as few packets as the platform's limit allows.

use super::error::SmartRestError;
use super::packet::{MAX_PACKET, packet_length};
use super::text::write;

/// Rows in as few payloads for `topic` as the platform's limit allows; their order is kept.
///
/// Errors: those of [`write()`], and [`SmartRestError::TooLong`] for a row that is too long by itself.
pub fn payloads<R, V>(topic: &str, rows: &[R]) -> Result<Vec<String>, SmartRestError>
where
    R: AsRef<[V]>,
    V: AsRef<str>,
{
    let mut payloads: Vec<String> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let text = write(std::slice::from_ref(row)).map_err(|e| match e {
            SmartRestError::NoNumber { .. } => SmartRestError::NoNumber { row: index + 1 },
            other => other,
        })?;
        check_length(topic, text.len())?;
        match payloads.last_mut() {
            Some(last) if packet_length(topic, last.len() + text.len()) <= MAX_PACKET => {
                last.push_str(&text);
            }
            _ => payloads.push(text),
        }
    }
    Ok(payloads)
}

/// Holds a payload to the platform's limit.
pub fn check_length(topic: &str, payload: usize) -> Result<(), SmartRestError> {
    match packet_length(topic, payload) {
        ..=MAX_PACKET => Ok(()),
        bytes => Err(SmartRestError::TooLong { topic: topic.to_owned(), bytes }),
    }
}
