//! What is said, in both sub-protocols.

use std::sync::Arc;
use std::time::Duration;

use neuraflow_core::dataflow::StreamMarker;
use neuraflow_core::model::{Decision, Marker, NoDecision, Span, Timestamp};
use neuraflow_sinks::feedback::FeedbackConfig;
use serde_json::{Value, json};

use crate::kit::*;

/// Fields that depend on when statuses come.
fn without_seq(mut message: Value) -> Value {
    let fields = message.as_object_mut().unwrap();
    assert!(fields.remove("seq").unwrap().as_u64().unwrap() > 0);
    message
}

#[test]
fn every_kind_in_both_sub_protocols() {
    for protocol in ["neuraflow.v1.json", "neuraflow.v1.msgpack"] {
        let site = Site::new(FeedbackConfig::default());
        site.settle();
        site.clock.advance(2_500);
        let mut client = Client::connect(site.address(), "/neural-stream/s", Some(protocol));
        let stream = json!({"name": "headset", "channels": ["C3", "Cz", "C4"], "sampling_rate": 250.0});
        assert_eq!(
            without_seq(client.next()),
            json!({"kind": "hello", "skipped": 0, "session": "s", "protocol": protocol, "state": "live",
                "streams": [stream], "hop_ms": 50.0})
        );

        site.publish(&site.session.features("power"), [features(1)]);
        let values = json!([[1.0, 0.5], [null, 1.5], [null, -2.0]]);
        let mut table = json!({"kind": "features", "skipped": 0, "stream": "headset", "time_ns": 100_000_000,
            "age_us": 2.5, "status": "complete", "warm_up": false, "name": "power", "unit": "µV²",
            "rows": ["C3", "Cz", "C4"], "columns": ["alpha", "beta"], "values": values});
        assert_eq!(without_seq(client.next()), table);

        site.publish(&site.session.quality("quality"), [features(1)]);
        (table["kind"], table["name"]) = (json!("quality"), json!("quality"));
        assert_eq!(without_seq(client.next()), table);

        // Window 1 has samples 13 to 24: t(13) = 52 ms. Its halves are [50, 75) and [75, 100).
        site.publish(&site.session.signal("filtered", 2), [window(1)]);
        assert_eq!(
            without_seq(client.next()),
            json!({"kind": "signal", "skipped": 0, "stream": "headset", "time_ns": 100_000_000, "age_us": 2.5,
                "status": "complete", "warm_up": false, "name": "filtered", "channels": ["C3", "Cz", "C4"],
                "unit": "µV", "start_ns": 50_000_000, "points": 2,
                "min": [[13.0, 19.0], [null, null], [213.0, 219.0]],
                "max": [[18.0, 24.0], [null, null], [218.0, 224.0]]})
        );

        let decisions = site.session.decisions::<&str>("motor");
        site.publish(
            &decisions,
            [
                Decision { info: info(1), outcome: Ok(("left", 0.75)) },
                Decision { info: info(2), outcome: Err(NoDecision::WarmUp) },
            ],
        );
        assert_eq!(
            without_seq(client.next()),
            json!({"kind": "decision", "skipped": 0, "stream": "headset", "time_ns": 100_000_000, "age_us": 2.5,
                "status": "complete", "warm_up": false, "name": "motor", "intent": "left", "confidence": 0.75})
        );
        let none = client.next();
        assert_eq!((&none["none"], none.get("intent")), (&json!("warm_up"), None));

        let marker =
            Marker { time: Timestamp::from_nanos(7), duration: Span::nanos(8), label: "T1 ✓".into() };
        site.publish(&site.session.markers(), [StreamMarker { stream: header(), marker: Arc::new(marker) }]);
        assert_eq!(
            without_seq(client.next()),
            json!({"kind": "marker", "skipped": 0, "stream": "headset", "time_ns": 7, "label": "T1 ✓",
                "duration_ns": 8})
        );

        site.session.group_delay(Span::millis(13));
        site.session.failed("the headset is gone");
        assert_eq!(
            without_seq(client.next()),
            json!({"kind": "status", "skipped": 0, "state": "failed", "why": "the headset is gone",
                "streams": [stream], "hop_ms": 50.0, "accounting": null, "windows": null, "pipeline": null,
                "latency_us": null, "suppressed": {"stale": 0, "repeat": 0}, "group_delay_ms": 13.0, "clients": 1})
        );

        assert_eq!(client.until(|m| m["kind"] == "heartbeat"), json!({"kind": "heartbeat", "skipped": 0}));
        site.server.stop();
        assert_eq!(client.closed().0, 1001);
    }
}

#[test]
fn numbers_count_every_message_of_the_session() {
    let site = Site::new(FeedbackConfig::default());
    site.settle();
    let mut client = site.connect("");
    let hello = client.next()["seq"].as_u64().unwrap();
    site.features(1..4);
    assert_eq!([1, 2, 3].map(|_| client.next()["seq"].as_u64().unwrap() - hello), [1, 2, 3]);
    assert_eq!(site.session.seq(), hello + 3);
}

#[test]
fn a_client_gets_what_it_asks_for_and_may_change_its_mind() {
    let site = Site::new(FeedbackConfig::default());
    site.settle();
    let mut client = site.connect("?kinds=features&channels=C4,Oz,C3");
    assert_eq!(client.next()["kind"], "hello");
    site.publish(&site.session.quality("quality"), [features(1)]);
    site.features(1..2);
    let found = client.next();
    assert_eq!((&found["kind"], &found["rows"]), (&json!("features"), &json!(["C3", "C4"])));
    assert_eq!(found["values"], json!([[1.0, 0.5], [null, -2.0]]));
    assert_eq!(found["skipped"], 0, "what was not asked for was not skipped");

    client.say(r#"{"subscribe": {"kinds": ["signal"], "channels": ["Cz", "Oz"]}}"#);
    client.heard();
    site.features(2..3);
    site.publish(&site.session.signal("raw", 1), [window(2)]);
    let found = client.next();
    assert_eq!((&found["kind"], &found["channels"]), (&json!("signal"), &json!(["Cz"])));
    client.say(r#"{"subscribe": {"kinds": "features, marker", "channels": ["Oz"]}}"#);
    client.heard();
    site.features(3..4);
    let cue = StreamMarker { stream: header(), marker: Arc::new(Marker::new(Timestamp::EPOCH, "cue")) };
    site.publish(&site.session.markers(), [cue]);
    assert_eq!(client.next()["kind"], "marker", "no row of the features was asked for");
}

#[test]
fn who_comes_back_is_told_how_much_it_missed() {
    let site = Site::new(FeedbackConfig { queue: 4, ..FeedbackConfig::default() });
    site.settle();
    let mut client = site.connect("?kinds=features");
    site.features(1..2);
    let last = client.until(|m| m["kind"] == "features")["seq"].as_u64().unwrap();
    drop(client);
    site.publish(&site.session.quality("quality"), (2..5).map(features));
    site.features(2..12);
    let mut client = site.connect(&format!("?kinds=features&last_seq={last}"));
    let hello = client.next();
    assert_eq!((&hello["kind"], &hello["skipped"]), (&json!("hello"), &json!(10)));
    site.features(12..13);
    assert_eq!(client.next()["skipped"], 0);
    let mut all = site.connect(&format!("?last_seq={last}"));
    assert_eq!(all.next()["skipped"], 14);
}

#[test]
fn a_session_that_is_not_there_and_a_question_that_makes_no_sense_are_told_so() {
    let site = Site::new(FeedbackConfig::default());
    let closed = |path: &str| Client::connect(site.address(), path, None).closed();
    let (code, reason) = closed("/neural-stream/nobody");
    assert_eq!((code, reason.as_str()), (4001, "no session \"nobody\"; GET /sessions lists those there are"));
    let long = format!("/neural-stream/{}", "%C3%A4".repeat(300));
    assert_eq!(closed(&long).0, 4001);
    for query in ["kinds=eeg", "rate=0", "rate=x", "last_seq=-1", "speed=1"] {
        let (code, reason) = closed(&format!("/neural-stream/s?{query}"));
        assert_eq!(code, 1008, "{query}");
        assert!(reason.contains("expected"), "{query}: {reason}");
    }
}

#[test]
fn a_server_that_stops_first_says_how_the_session_ended() {
    for query in ["", "?rate=0.001", "?kinds=status&rate=0.001"] {
        let site = Site::new(FeedbackConfig::default());
        site.settle();
        let mut clients = [(); 8].map(|()| site.connect(query));
        site.clock.advance(SECOND / 2);
        // Where a rate is asked for, the next status has to wait for its turn.
        clients.iter_mut().for_each(|client| drop(client.until(|m| m["kind"] == "status")));
        site.features(1..3);
        site.session.ended();
        site.server.stop();
        for client in &mut clients {
            client.until(|m| m["kind"] == "status" && m["state"] == "ended");
            assert_eq!(client.closed(), (1001, "the server stops".into()), "{query}");
        }
    }
}

#[test]
fn limits_may_be_as_large_as_they_can_be() {
    let config = FeedbackConfig {
        stale_after: Duration::MAX,
        slow_after: Duration::MAX,
        handshake: Duration::MAX,
        queue: usize::MAX,
        max_clients: usize::MAX,
        max_connections: usize::MAX,
        max_incoming: usize::MAX,
        max_incoming_rate: u32::MAX,
        ..FeedbackConfig::default()
    };
    let site = Site::new(config);
    assert!(get(site.address(), "/health").starts_with("HTTP/1.1 200"));
    let mut client = site.connect("");
    assert_eq!(client.next()["kind"], "hello");
    client.heard();
    site.features(0..1);
    client.until(|m| m["kind"] == "features");
}
