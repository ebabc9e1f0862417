//! One WebSocket client: sends it what it asked for, hears what it says, and closes it when it breaks the protocol or
//! takes nothing.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Error;
use axum::extract::ws::{CloseFrame, Message as Frame, Utf8Bytes, WebSocket};
use tokio::time::{Instant, sleep_until, timeout};
use tungstenite::Error as Fault;

use super::budget::Budget;
use super::channel::{Channel, Counted};
use super::encode::Protocol;
use super::message::Body;
use super::pulse::Pulse;
use super::reader::{Next, Reader, Received, private};
use super::routes::{Place, Site};
use super::subscription::Subscription;

/// Heartbeats come so long after the window that did not.
const BEYOND_HOP: Duration = Duration::from_millis(50);
/// The hop until the first window tells it, and the longest that heartbeats go by.
const FIRST_HOP: Duration = Duration::from_millis(50);
const LONGEST_HOP: Duration = Duration::from_millis(500);
/// How long a client may take to answer a close, and one that has stopped reading to read on.
const GOODBYE: Duration = Duration::from_millis(500);
const LATE_GOODBYE: Duration = Duration::from_secs(5);

/// Why we close.
pub(super) struct Close {
    code: u16,
    reason: String,
    /// How long to try to say it, and to wait for an answer.
    attempt: Duration,
    goodbye: Duration,
    /// What came cannot be read any further.
    deaf: bool,
}

impl Close {
    fn new(code: u16, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        // A close frame has room for 123 bytes.
        let cut = (0..=reason.len().min(123)).rev().find(|end| reason.is_char_boundary(*end));
        reason.truncate(cut.unwrap_or(0));
        Self { code, reason, attempt: GOODBYE, goodbye: GOODBYE, deaf: false }
    }

    pub(super) fn unknown(session: &str) -> Self {
        let session: String = session.chars().take(40).collect();
        Self::new(4001, format!("no session {session:?}; GET /sessions lists those there are"))
    }

    pub(super) fn policy(why: &str) -> Self {
        Self::new(1008, why)
    }

    fn slow(limit: Duration) -> Self {
        let reason = format!("too slow: nothing was taken for {} s", limit.as_secs_f64());
        Self { attempt: Duration::from_millis(50), goodbye: LATE_GOODBYE, ..Self::new(4002, reason) }
    }

    /// What a fault in what came means for the connection; `None` if there is none any more.
    fn fault(error: Error) -> Option<Self> {
        let found = error.source().and_then(|source| source.downcast_ref::<Fault>());
        let close = match found {
            Some(Fault::Utf8(_)) => Some(Self::new(1007, "text that is not UTF-8")),
            Some(Fault::Capacity(fault)) => Some(Self::new(1009, format!("message too long: {fault}"))),
            Some(Fault::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => None,
            Some(Fault::Protocol(fault)) => Some(Self::new(1002, fault.to_string())),
            _ => None,
        };
        close.map(|close| Self { deaf: true, ..close })
    }
}

/// A client's place in a session. It is taken before the handshake is answered: what is published from then on, it gets.
pub(super) struct Joined {
    channel: Arc<Channel>,
    reader: Reader,
    hello: Received,
    counted: Counted,
}

impl Joined {
    pub(super) fn new(channel: Arc<Channel>, asked: Subscription, protocol: Protocol) -> Self {
        let counted = channel.count_client();
        let (reader, hello) = channel.join(asked, protocol.name());
        Self { channel, reader, hello, counted }
    }
}

/// How a conversation ends.
enum End {
    /// We close.
    Close(Close),
    /// The client has closed, or is gone.
    Gone,
}

pub(super) struct Client {
    socket: WebSocket,
    protocol: Protocol,
    site: Site,
    budget: Budget,
    pulse: Pulse,
    last_sent: Instant,
    /// Held until the client is gone.
    _place: Place,
}

impl Client {
    pub(super) fn new(socket: WebSocket, protocol: Protocol, site: Site, place: Place) -> Self {
        let (config, now) = (&site.hub.config, Instant::now());
        let budget = Budget::new(config.max_incoming_rate, now);
        let pulse = Pulse::new(config.slow_after, now);
        Self { socket, protocol, site, budget, pulse, last_sent: now, _place: place }
    }

    /// The whole conversation.
    pub(super) async fn run(mut self, joined: Result<Joined, Close>) {
        let end = match joined {
            Ok(Joined { channel, reader, hello, counted }) => {
                let end = match self.send(hello).await {
                    None => self.talk(&channel, reader).await,
                    Some(end) => end,
                };
                drop(counted);
                end
            }
            Err(close) => End::Close(close),
        };
        match end {
            End::Close(close) => self.close(close).await,
            // What answers the client's close is still to be sent.
            End::Gone => drop(timeout(GOODBYE, self.socket.recv()).await),
        }
    }

    /// Says why, and waits for the client to hear it: bytes that reach a closed socket would make the system forget the reason.
    async fn close(&mut self, close: Close) {
        self.site.hub.counters.closed();
        let mut stopping = self.site.stopping.clone();
        let stops = !*stopping.borrow_and_update();
        let frame = CloseFrame { code: close.code, reason: Utf8Bytes::from(close.reason) };
        let said = timeout(close.attempt, self.socket.send(Frame::Close(Some(frame)))).await;
        if matches!(said, Ok(Ok(()))) {
            let heard = async {
                while let Some(Ok(_)) = self.socket.recv().await {}
                if close.deaf {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                _ = timeout(close.goodbye, heard) => {}
                _ = stopping.changed(), if stops => {}
            }
        }
    }

    async fn talk(&mut self, channel: &Channel, mut reader: Reader) -> End {
        let mut parting = None;
        loop {
            // A client that is always behind must be heard too.
            let heard = tokio::select! {
                biased;
                heard = self.socket.recv() => Some(heard),
                () = std::future::ready(()) => None,
            };
            if let Some(heard) = heard {
                match self.hear(heard, &mut reader) {
                    Some(end) => return end,
                    None => continue,
                }
            }
            let stopping = *self.site.stopping.borrow();
            // What was published before the stop, such as how the session ended, is still said.
            if stopping && Instant::now() >= *parting.get_or_insert_with(|| Instant::now() + GOODBYE) {
                return End::Close(Close::new(1001, "the server stops"));
            }
            if let Some(end) = self.feel().await {
                return end;
            }
            let sent = match channel.poll(&mut reader) {
                Next::Message(message) => self.send(message).await,
                Next::Wait(_) if stopping => match channel.rest(&mut reader) {
                    Some(message) => self.send(message).await,
                    None => Some(End::Close(Close::new(1001, "the server stops"))),
                },
                Next::Wait(until) => self.wait(channel, &mut reader, until).await,
            };
            if let Some(end) = sent {
                return end;
            }
        }
    }

    /// Waits for a message, the client, the end of the server or the next thing that is due.
    async fn wait(&mut self, channel: &Channel, reader: &mut Reader, until: Option<u64>) -> Option<End> {
        let hop = channel.lock().hop.and_then(|hop| u64::try_from(hop.as_nanos()).ok());
        let hop = hop.map_or(FIRST_HOP, Duration::from_nanos).min(LONGEST_HOP);
        let heartbeat = self.last_sent + hop + BEYOND_HOP;
        if Instant::now() >= heartbeat {
            return self.send(private(Body::Heartbeat, None, reader.take_skipped())).await;
        }
        let mut due = heartbeat.min(self.pulse.due());
        if let Some(until) = until {
            due = due.min(Instant::now() + Duration::from_nanos(until.saturating_sub(channel.clock.now())));
        }
        let look = || match channel.poll(reader) {
            Next::Message(message) => Some(message),
            Next::Wait(_) => None,
        };
        let heard = tokio::select! {
            found = channel.woken(look) => return match found {
                Some(message) => self.send(message).await,
                None => None,
            },
            heard = self.socket.recv() => heard,
            _ = self.site.stopping.changed(), if !*self.site.stopping.borrow() => return None,
            () = sleep_until(due) => return None,
        };
        self.hear(heard, reader)
    }

    /// Sends a ping when it is due, and looks whether the client answers.
    async fn feel(&mut self) -> Option<End> {
        let now = Instant::now();
        if self.pulse.is_lost(now) {
            return Some(self.too_slow());
        }
        let ping = self.pulse.ping(now)?;
        self.put(Frame::Ping(ping.to_vec().into())).await
    }

    async fn send(&mut self, received: Received) -> Option<End> {
        let frame = received.published.frame(self.protocol, received.skipped);
        let end = self.put(frame).await;
        self.last_sent = Instant::now();
        if end.is_none() {
            self.site.hub.counters.sent(&received.body, received.skipped);
        }
        end
    }

    async fn put(&mut self, frame: Frame) -> Option<End> {
        match timeout(self.pulse.patience(), self.socket.send(frame)).await {
            Ok(Ok(())) => None,
            Ok(Err(_)) => Some(End::Gone),
            Err(_) => Some(self.too_slow()),
        }
    }

    fn too_slow(&self) -> End {
        End::Close(Close::slow(self.site.hub.config.slow_after))
    }

    /// What the client says; answers how the conversation ends, if it does.
    fn hear(&mut self, heard: Option<Result<Frame, Error>>, reader: &mut Reader) -> Option<End> {
        let frame = match heard {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Some(Close::fault(error).map_or(End::Gone, End::Close)),
            None => return Some(End::Gone),
        };
        if let Frame::Pong(payload) = &frame
            && self.pulse.pong(payload)
        {
            return None;
        }
        if !self.budget.take(Instant::now()) {
            return Some(End::Close(Close::policy("too many messages from this client")));
        }
        match frame {
            Frame::Text(text) => match Subscription::from_message(&text) {
                Ok(asked) => {
                    reader.ask(asked);
                    None
                }
                Err(error) => Some(End::Close(Close::policy(&error.to_string()))),
            },
            Frame::Binary(_) => {
                Some(End::Close(Close::new(1003, "expected {\"subscribe\": {..}} as text, found binary")))
            }
            Frame::Ping(_) | Frame::Pong(_) => None,
            Frame::Close(_) => Some(End::Gone),
        }
    }
}
