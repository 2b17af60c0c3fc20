//! Where the bytes that came stand in a packet (MQTT 3.1.1, 2.2): a packet that has begun has to end.

/// The packet that the next byte belongs to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Frame {
    /// The next byte begins one.
    #[default]
    Between,
    /// Its remaining length is not known yet.
    Length { known: usize, shift: u32 },
    /// So many bytes are missing.
    Body { left: usize },
}

impl Frame {
    /// Goes over bytes that came; whether a packet began among them that is not whole.
    ///
    /// Lengths are not judged here but where the packets are read.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> bool {
        let (mut rest, mut begun) = (bytes, false);
        while let Some((first, behind)) = rest.split_first() {
            *self = match *self {
                Self::Between => {
                    begun = true;
                    rest = behind;
                    Self::Length { known: 0, shift: 0 }
                }
                Self::Length { known, shift } => {
                    rest = behind;
                    let known = known | usize::from(first & 0x7f) << shift;
                    match first & 0x80 != 0 && shift < 21 {
                        true => Self::Length { known, shift: shift + 7 },
                        false => Self::of(known),
                    }
                }
                Self::Body { left } => {
                    let here = left.min(rest.len());
                    rest = &rest[here..];
                    Self::of(left - here)
                }
            };
        }
        begun && self.is_open()
    }

    /// Whether bytes of a packet are missing.
    pub(super) fn is_open(&self) -> bool {
        *self != Self::Between
    }

    fn of(left: usize) -> Self {
        if left == 0 { Self::Between } else { Self::Body { left } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_followed_however_they_are_cut() {
        let long = [&[0x30, 0x80, 0x01][..], &[7; 128]].concat();
        let bytes = [&[0x20, 2, 0, 0, 0xd0, 0][..], &long, &[0x40, 2, 0, 1]].concat();
        for size in 1..=bytes.len() {
            let mut frame = Frame::default();
            bytes.chunks(size).for_each(|piece| {
                frame.pass(piece);
            });
            assert!(!frame.is_open(), "{size}");
        }
        let mut frame = Frame::default();
        assert!(!frame.pass(&[0x20, 2, 0, 0]));
        assert!(frame.pass(&[0xd0, 0, 0x30]) && frame.is_open());
        assert!(!frame.pass(&[0x02, 0]) && frame.is_open());
        assert!(!frame.pass(&[0]) && !frame.is_open());
    }
}
