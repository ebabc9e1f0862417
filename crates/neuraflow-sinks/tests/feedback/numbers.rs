//! The page, the sessions, health and metrics over HTTP; going stale and coming back.

use neuraflow_core::model::WindowInfo;
use neuraflow_sinks::feedback::FeedbackConfig;
use serde_json::json;

use crate::kit::*;

#[test]
fn the_page_is_ours_alone_and_never_stale() {
    let site = Site::new(FeedbackConfig::default());
    for (path, kind, holds) in [
        ("/", "text/html", "<!doctype html>"),
        ("/style.css", "text/css", "{"),
        ("/app.js", "text/javascript", "'"),
    ] {
        let answer = get(site.address(), path).to_ascii_lowercase();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("http/1.1 200") && text.contains(holds), "{path}: {head}");
        for header in [
            &format!("content-type: {kind}; charset=utf-8"),
            "cache-control: no-store",
            "content-security-policy: default-src 'self'",
            "x-content-type-options: nosniff",
        ] {
            assert!(head.contains(header), "{path}: {header} is not in {head}");
        }
    }
    assert!(get(site.address(), "/nothing").starts_with("HTTP/1.1 404"));
}

#[test]
fn a_silent_stream_raises_the_alarm_and_its_next_window_clears_it() {
    let site = Site::new(FeedbackConfig::default());
    assert!(get(site.address(), "/health").starts_with("HTTP/1.1 200"), "waiting is not ill");
    site.settle();
    let mut client = site.connect("?kinds=status");
    site.clock.advance(SECOND);
    let alarm = client.until(|m| m["state"] == "stale");
    assert_eq!(alarm["why"], "stream headset: no window for 1.0 s");
    let answer = get(site.address(), "/health");
    assert!(answer.starts_with("HTTP/1.1 503"));
    let why = "session s is stale: stream headset: no window for 1.0 s";
    assert_eq!(body(&answer), json!({"healthy": false, "why": [why]}));

    site.features(1..2);
    client.until(|m| m["kind"] == "status" && m["state"] == "live");
    assert_eq!(body(&get(site.address(), "/health")), json!({"healthy": true}));

    site.session.failed("the headset is gone");
    client.until(|m| m["state"] == "failed");
    let answer = get(site.address(), "/health");
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("the headset is gone"), "{answer}");

    site.feedback.session("s").ended();
    client.until(|m| m["state"] == "ended");
    assert!(get(site.address(), "/health").starts_with("HTTP/1.1 200"));
}

#[test]
fn an_epoch_neither_keeps_a_session_alive_nor_tells_its_hop() {
    let site = Site::new(FeedbackConfig::default());
    let marker = neuraflow_core::model::Marker::new(info(0).start, "cue");
    let mut epoch = features(0);
    epoch.info = WindowInfo { marker: Some(marker.into()), ..epoch.info };
    site.publish(&site.session.features("erp"), [epoch]);
    let hello = site.connect("").next();
    assert_eq!((&hello["state"], &hello["hop_ms"]), (&json!("waiting"), &json!(null)));
    assert_eq!(hello["streams"][0]["name"], "headset");
}

#[test]
fn sessions_are_listed() {
    let site = Site::new(FeedbackConfig::default());
    site.settle();
    let mut client = site.connect("");
    client.next();
    let found = body(&get(site.address(), "/sessions"));
    let stream = json!({"name": "headset", "channels": ["C3", "Cz", "C4"], "sampling_rate": 250.0});
    let expected = json!([{"session": "s", "state": "live", "streams": [stream], "seq": site.session.seq(), "clients": 1}]);
    assert_eq!(found, expected);
}

#[test]
fn metrics_are_openmetrics() {
    let site = Site::new(FeedbackConfig::default());
    site.settle();
    let mut client = site.connect("?kinds=features");
    site.features(1..4);
    (1..=4).for_each(|_| drop(client.next()));
    let answer = get(site.address(), "/metrics");
    assert!(answer.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"));
    for line in [
        "neuraflow_session_state{session=\"s\",state=\"live\"} 1.0",
        "neuraflow_session_state{session=\"s\",state=\"stale\"} 0.0",
        "neuraflow_feedback_clients{session=\"s\"} 1.0",
        "neuraflow_feedback_messages_total{kind=\"features\"} 3",
        "neuraflow_feedback_skipped_total 0",
        "# TYPE neuraflow_samples counter",
        "# TYPE neuraflow_windows counter",
        "# TYPE neuraflow_latency_seconds gauge",
        "# EOF",
    ] {
        assert!(answer.lines().any(|found| found == line), "{line} is not in\n{answer}");
    }
}
