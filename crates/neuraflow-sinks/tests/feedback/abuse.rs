//! Clients that break the protocol: refused with the right code, and nothing of them stays.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use neuraflow_sinks::feedback::FeedbackConfig;

use crate::kit::*;

/// A frame as a client sends it; the mask is zero, so that the payload stays as it is.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(0x80 | short as u8),
        long @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((long as u16).to_be_bytes());
        }
        huge => {
            bytes.push(0x80 | 127);
            bytes.extend((huge as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

#[test]
fn broken_frames_close_with_the_right_code() {
    let site = Site::new(FeedbackConfig::default());
    let long = vec![b' '; 17 * 1024];
    let fragments = [frame(0x01, &long[..9_000]), frame(0x00, &long[..9_000])].concat();
    let endless = [frame(0x01, b"{")].into_iter().chain((0..200).map(|_| frame(0x00, &[b' '; 100])));
    let mut claims = vec![0x81, 0x80 | 127];
    claims.extend([0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    for (what, bytes, code) in [
        ("a message that is too long", frame(0x81, &long), 1009),
        ("fragments that are too long together", fragments, 1009),
        ("many small fragments", endless.collect::<Vec<_>>().concat(), 1009),
        ("a length of 2^63", claims, 1009),
        ("text that is not UTF-8", frame(0x81, b"{\xff}"), 1007),
        ("an unmasked frame", vec![0x81, 2, b'{', b'}'], 1002),
        ("a reserved bit", frame(0xc1, b"{}"), 1002),
        ("an opcode that means nothing", frame(0x83, b"{}"), 1002),
        ("a continuation of nothing", frame(0x80, b"{}"), 1002),
        ("a ping in fragments", frame(0x09, b"{}"), 1002),
        ("binary", frame(0x82, b"{}"), 1003),
        ("text that is no subscription", frame(0x81, b"{}"), 1008),
        ("nothing at all", frame(0x81, b""), 1008),
        ("a flood of pings", (0..200).flat_map(|_| frame(0x89, b"?")).collect(), 1008),
        ("a flood of unasked pongs", (0..200).flat_map(|_| frame(0x8a, b"!")).collect(), 1008),
        (
            "a flood of subscriptions",
            (0..200).flat_map(|_| frame(0x81, br#"{"subscribe": {}}"#)).collect(),
            1008,
        ),
    ] {
        let mut client = site.connect("");
        client.next();
        client.raw(&bytes);
        let (found, reason) = client.closed();
        assert_eq!(found, code, "{what}: {reason}");
        assert!(!reason.is_empty(), "{what}");
    }
    // A client that is gone in the middle of a frame, or without a word.
    for bytes in [&b"\x81"[..], b""] {
        let mut client = site.connect("");
        client.next();
        client.raw(bytes);
    }
    until("nobody is left", || site.feedback.clients() == 0 && site.session.clients() == 0);

    let mut client = site.connect("");
    client.next();
    client.raw(&[frame(0x01, br#"{"subscribe": "#), frame(0x00, b""), frame(0x80, b"{}}")].concat());
    client.heard();
}

#[test]
fn other_hosts_and_origins_are_refused() {
    // A connection that was refused may be used for the next request; it is closed when none comes in time.
    let config = FeedbackConfig { handshake: Duration::from_millis(200), ..FeedbackConfig::default() };
    let site = Site::new(config.allow("lab.example.org"));
    let ask = |host: &str, more: &str| {
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let path = "/neural-stream/nobody";
        let answer = http(site.address(), &format!("GET {path} HTTP/1.1\r\n{host}{upgrade}{more}\r\n"));
        answer.get(9..12).unwrap_or("none").to_owned()
    };
    assert_eq!(ask("Host: localhost\r\n", ""), "101");
    assert_eq!(ask("Host: lab.example.org:80\r\n", "Origin: https://lab.example.org\r\n"), "101");
    assert_eq!(ask("Host: localhost\r\n", "Origin: https://evil.example\r\n"), "403");
    assert_eq!(ask("Host: localhost\r\n", "Origin: null\r\n"), "403");
    assert_eq!(ask("Host: rebound.example\r\n", ""), "403");
    assert_eq!(ask("", ""), "403");
    for path in ["/", "/sessions", "/health", "/metrics", "/app.js"] {
        let answer = http(
            site.address(),
            &format!("GET {path} HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n"),
        );
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("FeedbackConfig::allow"), "{answer}");
    }
    until("nobody is left", || site.feedback.clients() == 0);
}

#[test]
fn heads_that_are_too_long_too_slow_or_nonsense_are_refused() {
    let config = FeedbackConfig { handshake: Duration::from_millis(100), ..FeedbackConfig::default() };
    let site = Site::new(config);
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(32 * 1024));
    assert!(http(site.address(), &long).starts_with("HTTP/1.1 431"));
    let many = (0..100).map(|n| format!("X-{n}: 1\r\n")).collect::<String>();
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n");
    assert!(http(site.address(), &many).starts_with("HTTP/1.1 431"));
    assert!(http(site.address(), "BRAINS\r\n\r\n").starts_with("HTTP/1.1 400"));
    // `http` returns once the server has closed.
    for slow in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: localhost\r\n"] {
        let answer = http(site.address(), slow);
        assert!(!answer.starts_with("HTTP/1.1 200"), "{slow:?}: {answer}");
    }
    let no_upgrade = get(site.address(), "/neural-stream/s");
    assert!(no_upgrade.starts_with("HTTP/1.1 4"), "{no_upgrade}");
}

#[test]
fn no_more_clients_and_connections_than_allowed() {
    let config = FeedbackConfig { max_clients: 2, max_connections: 4, ..FeedbackConfig::default() };
    let site = Site::new(config);
    let mut clients = [site.connect(""), site.connect("")];
    clients.iter_mut().for_each(|client| drop(client.next()));
    let upgrade = "GET /neural-stream/s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let head = |answer: String| answer.lines().next().unwrap_or_default().to_owned();
    let mut third = TcpStream::connect(site.address()).unwrap();
    third.set_read_timeout(Some(PATIENCE)).unwrap();
    std::io::Write::write_all(&mut third, upgrade.as_bytes()).unwrap();
    let mut answer = [0; 12];
    third.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");
    let fourth = TcpStream::connect(site.address()).unwrap();
    // The fifth connection gets a short answer, or none if it was quicker to speak than the server to close.
    let fifth = head(get(site.address(), "/health"));
    assert!(fifth.is_empty() || fifth.starts_with("HTTP/1.1 503"), "{fifth}");
    drop((third, fourth, clients));
    until("there is room again", || head(get(site.address(), "/health")).starts_with("HTTP/1.1 200"));
    until("nobody is left", || site.feedback.clients() == 0);
    site.connect("").next();
}
