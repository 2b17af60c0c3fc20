//! How long a packet is.

/// Largest packet that the platform takes, in bytes, "header included": the whole PUBLISH.
pub const MAX_PACKET: usize = 16_184;

/// The length of the PUBLISH that carries `payload` bytes to `topic` (MQTT 3.1.1, 3.3). A packet
/// identifier is counted, though QoS 0 has none.
pub fn packet_length(topic: &str, payload: usize) -> usize {
    let remaining = 2 + topic.len() + 2 + payload;
    let length_octets = match remaining {
        0..128 => 1,
        128..16_384 => 2,
        16_384..2_097_152 => 3,
        _ => 4,
    };
    1 + length_octets + remaining
}
