//! Sessions with a clock that stands still, items to publish, and clients on real sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use neuraflow_core::model::{
    Channel, Chunk, FeatureSpec, Features, SamplingRate, StreamHeader, StreamKey, Timestamp, Window,
    WindowInfo, WindowStatus,
};
use neuraflow_core::resilience::Clock;
use neuraflow_core::sink::{Sink, SinkContext, SinkWriter};
use neuraflow_core::testing::FakeClock;
use neuraflow_sinks::feedback::{Feedback, FeedbackConfig, Server, Session};
use serde_json::Value;
use tungstenite::client::ClientRequestBuilder;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

/// No test waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const HOP: i64 = 50_000_000;
pub const SECOND: u64 = 1_000_000_000;

/// A session `s` behind a server, on a clock that the test moves.
pub struct Site {
    pub clock: Arc<FakeClock>,
    pub feedback: Feedback,
    pub session: Session,
    pub server: Server,
}

impl Site {
    pub fn new(config: FeedbackConfig) -> Self {
        let clock = Arc::new(FakeClock::new());
        let feedback = Feedback::with_clock(config, Arc::clone(&clock) as Arc<_>).unwrap();
        let session = feedback.session("s");
        let server = feedback.serve("127.0.0.1:0".parse().unwrap()).unwrap();
        Self { clock, feedback, session, server }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    pub fn context(&self) -> SinkContext {
        SinkContext { clock: Arc::clone(&self.clock) as Arc<_>, from: None }
    }

    /// Publishes items through a sink of the session.
    pub fn publish<S: Sink>(&self, sink: &S, items: impl IntoIterator<Item = S::Item>) {
        sink.open(&self.context()).unwrap().write(&mut items.into_iter().collect()).unwrap();
    }

    /// Publishes feature windows of these numbers.
    pub fn features(&self, windows: std::ops::Range<i64>) {
        let arrival = self.clock.now();
        let fresh = windows.map(|index| arrived(features(index), arrival));
        self.publish(&self.session.features("power"), fresh);
    }

    /// A client of the session.
    pub fn connect(&self, query: &str) -> Client {
        Client::connect(self.address(), &format!("/neural-stream/s{query}"), None)
    }

    /// Makes the session live and waits until it has said so: with the clock standing still it says no more by itself.
    pub fn settle(&self) {
        let mut client = self.connect("?kinds=status");
        // It gets what is published after its hello.
        client.next();
        self.features(0..1);
        client.until(|message| message["state"] == "live" && message["kind"] == "status");
        drop(client);
        until("the client is gone", || self.feedback.clients() == 0);
    }
}

pub fn header() -> Arc<StreamHeader> {
    let rate = SamplingRate::hz(250).unwrap();
    let channels = ["C3", "Cz", "C4"].map(Channel::new).to_vec();
    Arc::new(StreamHeader::new(StreamKey::of_names("s", "headset"), "headset", rate, channels))
}

pub fn info(index: i64) -> WindowInfo {
    WindowInfo {
        stream: header(),
        index,
        start: Timestamp::from_nanos(index * HOP),
        end: Timestamp::from_nanos((index + 1) * HOP),
        expected: 13,
        received: 13,
        imputed: 0,
        status: WindowStatus::Complete,
        warm_up: index == 0,
        arrival: 0,
        marker: None,
    }
}

/// The same, closed by a packet that arrived then.
pub fn arrived(mut features: Features, arrival: u64) -> Features {
    features.info.arrival = arrival;
    features
}

pub fn features(index: i64) -> Features {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Arc<[String]>>();
    let spec = FeatureSpec {
        rows: names(&["C3", "Cz", "C4"]),
        columns: names(&["alpha", "beta"]),
        unit: "µV²".into(),
    };
    let base = index as f64;
    Features {
        info: info(index),
        spec: Arc::new(spec),
        values: vec![base, 0.5, f64::NAN, 1.5, f64::INFINITY, -2.0],
    }
}

/// Sample n of channel c is n + 100 c; Cz is missing throughout.
pub fn window(index: i64) -> Window {
    let info = info(index);
    let (first, end) = (info.stream.first_at_or_after(info.start), info.stream.first_at_or_after(info.end));
    let mut samples = Chunk::new(first, 3);
    for n in first..end {
        samples.extend(&[n as f32, f32::NAN, n as f32 + 200.0]);
    }
    Window { info, samples }
}

/// A WebSocket client that waits for what it expects, within reason.
pub struct Client(pub WebSocket<TcpStream>);

/// Heartbeats keep a socket busy for ever: what waits behind them needs a limit of its own.
struct Limit(Instant);

impl Limit {
    fn check(&self, what: &str) {
        assert!(self.0.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
    }
}

impl Client {
    pub fn connect(address: SocketAddr, path: &str, protocol: Option<&str>) -> Self {
        let uri = format!("ws://{address}{path}").parse().unwrap();
        let mut request = ClientRequestBuilder::new(uri);
        if let Some(protocol) = protocol {
            request = request.with_sub_protocol(protocol);
        }
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(tungstenite::client(request, stream).unwrap().0)
    }

    /// The next message, heartbeats left out unless asked for.
    pub fn next(&mut self) -> Value {
        let limit = Limit(Instant::now());
        loop {
            let value = self.any();
            if value["kind"] != "heartbeat" {
                return value;
            }
            limit.check("a message");
        }
    }

    pub fn any(&mut self) -> Value {
        loop {
            match self.0.read().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Binary(bytes) => return rmp_serde::from_slice(&bytes).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("expected a message, found {other:?}"),
            }
        }
    }

    /// The first message that fits.
    pub fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let value = self.any();
            if fits(&value) {
                return value;
            }
            assert!(start.elapsed() < PATIENCE, "nothing that fits; the last was {value}");
        }
    }

    pub fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).unwrap();
    }

    /// Waits until the server has heard everything that was said.
    pub fn heard(&mut self) {
        self.0.send(Message::Ping("heard".into())).unwrap();
        let limit = Limit(Instant::now());
        while !matches!(self.0.read().unwrap(), Message::Pong(payload) if payload == "heard".as_bytes()) {
            limit.check("the answer to a ping");
        }
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        let _ = self.0.get_mut().write_all(bytes);
    }

    /// How the server closes, whatever it says before.
    pub fn closed(&mut self) -> (u16, String) {
        let limit = Limit(Instant::now());
        loop {
            limit.check("a close frame");
            match self.0.read() {
                Ok(Message::Close(Some(CloseFrame { code, reason }))) => {
                    while self.0.read().is_ok() {}
                    return (code.into(), reason.to_string());
                }
                Ok(_) => {}
                Err(error) => panic!("expected a close frame, found {error}"),
            }
        }
    }
}

/// A whole answer to a request, as text.
pub fn http(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

pub fn get(address: SocketAddr, path: &str) -> String {
    http(address, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
}

/// The JSON in an answer.
pub fn body(answer: &str) -> Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Waits until something is so.
pub fn until(what: &str, so: impl Fn() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}
