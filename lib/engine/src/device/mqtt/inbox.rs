//! What came and was not asked for yet: as much as an honest server sends before an answer, and no more.

use std::collections::VecDeque;

use super::packets::Inbound;
use super::{MOST_WAITING, MOST_WAITING_BYTES, Message, MqttError, Waiting};

/// Packets that wait, in the order in which they came.
#[derive(Default)]
pub(super) struct Inbox {
    packets: VecDeque<Inbound>,
    bytes: usize,
}

impl Inbox {
    /// Puts a packet behind the others.
    ///
    /// Errors: [`MqttError::Flooded`] when there are too many. The answer lies behind them in the connection,
    /// so to read no further would only mean to wait for it in vain.
    pub(super) fn push(&mut self, packet: Inbound, waiting: Waiting) -> Result<(), MqttError> {
        self.bytes += packet.bytes();
        self.packets.push_back(packet);
        match self.packets.len() > MOST_WAITING || self.bytes > MOST_WAITING_BYTES {
            true => {
                Err(MqttError::Flooded { waiting, messages: self.packets.len(), bytes: self.bytes })
            }
            false => Ok(()),
        }
    }

    /// Takes out the first packet that is wanted.
    pub(super) fn take<R>(&mut self, wanted: impl Fn(&Inbound) -> Option<R>) -> Option<R> {
        let found = |(at, packet)| wanted(packet).map(|found| (at, found));
        let (at, found) = self.packets.iter().enumerate().find_map(found)?;
        self.remove(at);
        Some(found)
    }

    /// Takes out the first message; other packets that nobody waits for go.
    pub(super) fn next_message(&mut self) -> Option<Message> {
        let at = self.packets.iter().position(|p| matches!(p, Inbound::Message(_)));
        match at.and_then(|at| self.remove(at)) {
            Some(Inbound::Message(message)) => Some(message),
            _ => {
                *self = Self::default();
                None
            }
        }
    }

    /// All messages.
    pub(super) fn into_messages(self) -> Vec<Message> {
        let messages = self.packets.into_iter().filter_map(|packet| match packet {
            Inbound::Message(message) => Some(message),
            _ => None,
        });
        messages.collect()
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    fn remove(&mut self, at: usize) -> Option<Inbound> {
        let packet = self.packets.remove(at)?;
        self.bytes -= packet.bytes();
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Qos;
    use super::*;

    fn message(bytes: usize) -> Inbound {
        let (topic, payload) = ("s/ds".to_owned(), vec![0; bytes]);
        Inbound::Message(Message { topic, payload, qos: Qos::AtMostOnce })
    }

    #[test]
    fn neither_many_small_messages_nor_few_large_ones_fill_the_memory() {
        for (bytes, bound) in [(1, MOST_WAITING), (1 << 20, 15)] {
            let mut inbox = Inbox::default();
            for _ in 0..bound {
                inbox.push(message(bytes), Waiting::Suback).unwrap();
            }
            let over = inbox.push(message(bytes), Waiting::Suback).unwrap_err();
            assert!(matches!(over, MqttError::Flooded { waiting: Waiting::Suback, .. }), "{over}");
        }
    }

    #[test]
    fn what_is_taken_out_makes_room() {
        let mut inbox = Inbox::default();
        for _ in 0..3 * MOST_WAITING {
            inbox.push(message(9), Waiting::Message).unwrap();
            inbox.push(Inbound::Done(7), Waiting::Message).unwrap();
            assert!(inbox.take(|p| matches!(p, Inbound::Done(7)).then_some(())).is_some());
            assert_eq!(inbox.next_message().map(|m| m.payload.len()), Some(9));
        }
        assert_eq!((inbox.len(), inbox.bytes), (0, 0));
    }
}
