//! Messages as bytes. A message is encoded once for all clients that want all of it; only its `skipped` differs.

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use axum::extract::ws::{Message as Frame, Utf8Bytes};
use serde::Serialize;

use super::message::{Kind, Message};

/// The sub-protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Json,
    MessagePack,
}

impl Protocol {
    pub(super) const ALL: [Self; 2] = [Self::Json, Self::MessagePack];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Json => "neuraflow.v1.json",
            Self::MessagePack => "neuraflow.v1.msgpack",
        }
    }
}

/// How many messages of each kind a session had.
pub(super) type Totals = [u64; Kind::ALL.len()];

/// A message with what it needs to be sent to many.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) message: Message,
    /// The session's messages of each kind before this one.
    pub(super) before: Totals,
    json: OnceLock<Utf8Bytes>,
    msgpack: OnceLock<Bytes>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    // First, so that its place in the bytes is known.
    skipped: u64,
    #[serde(flatten)]
    message: &'a Message,
}

const JSON_HEAD: &str = "{\"skipped\":0,";
/// Behind the map's head: `skipped` as a MessagePack string, and a zero.
const MSGPACK_HEAD: &[u8] = b"\xa7skipped\x00";

impl Published {
    pub(super) fn new(message: Message, before: Totals) -> Arc<Self> {
        Arc::new(Self { message, before, json: OnceLock::new(), msgpack: OnceLock::new() })
    }

    /// The WebSocket frame for a client that missed `skipped` messages before this one.
    pub(super) fn frame(&self, protocol: Protocol, skipped: u64) -> Frame {
        match protocol {
            Protocol::Json => Frame::Text(self.json(skipped)),
            Protocol::MessagePack => Frame::Binary(self.msgpack(skipped)),
        }
    }

    fn json(&self, skipped: u64) -> Utf8Bytes {
        let envelope = Envelope { skipped: 0, message: &self.message };
        // The types have string keys only and write into memory, the two reasons for which this could fail.
        let shared = self.json.get_or_init(|| serde_json::to_string(&envelope).unwrap_or_default().into());
        match shared.as_str().strip_prefix(JSON_HEAD) {
            Some(rest) if skipped > 0 => format!("{{\"skipped\":{skipped},{rest}").into(),
            _ => shared.clone(),
        }
    }

    fn msgpack(&self, skipped: u64) -> Bytes {
        let envelope = Envelope { skipped: 0, message: &self.message };
        let shared =
            self.msgpack.get_or_init(|| rmp_serde::to_vec_named(&envelope).unwrap_or_default().into());
        // A map's head is one byte up to 15 entries, three beyond.
        let head = if shared.first().is_some_and(|first| first & 0xf0 == 0x80) { 1 } else { 3 };
        let rest = shared.get(head..).and_then(|body| body.strip_prefix(MSGPACK_HEAD));
        match rest {
            Some(rest) if skipped > 0 => {
                let mut bytes = Vec::with_capacity(shared.len() + 9);
                bytes.extend_from_slice(&shared[..head + MSGPACK_HEAD.len() - 1]);
                bytes.extend(rmp_serde::to_vec(&skipped).unwrap_or_default());
                bytes.extend_from_slice(rest);
                bytes.into()
            }
            _ => shared.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::feedback::message::Body;

    #[test]
    fn skipped_is_put_into_the_shared_bytes() {
        let published = Published::new(Message { seq: Some(7), body: Body::Heartbeat }, Totals::default());
        for skipped in [0, 1, 127, 128, 70_000, u64::MAX] {
            let expected = json!({"kind": "heartbeat", "seq": 7, "skipped": skipped});
            assert_eq!(serde_json::from_str::<Value>(&published.json(skipped)).unwrap(), expected);
            assert_eq!(rmp_serde::from_slice::<Value>(&published.msgpack(skipped)).unwrap(), expected);
        }
        assert!(published.json(0).starts_with(JSON_HEAD));
        assert_eq!(published.msgpack(0).as_ptr(), published.msgpack(0).as_ptr(), "encoded once");
    }
}
