//! A whole pipeline behind the server: its books in `status` and metrics.

use neuraflow_core::dataflow::{Pipeline, Tumbling, Workers};
use neuraflow_sinks::feedback::{Body, Feedback, FeedbackConfig, Kind, State, Subscription};
use serde_json::json;

use crate::headset::Headset;
use crate::kit::*;

#[test]
fn the_books_of_a_pipeline_are_in_status_and_metrics() {
    let feedback = Feedback::new(FeedbackConfig::default()).unwrap();
    let session = feedback.session("s");
    let server = feedback.serve("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut client = Client::connect(server.local_addr(), "/neural-stream/s?kinds=status", None);
    let running = Pipeline::from(Headset::new(3, 250, 40))
        .window(Tumbling::millis(50))
        .sink(session.signal("raw", 4))
        .build()
        .unwrap()
        .spawn(Workers::new(1))
        .unwrap();
    session.watch(running.watch());
    // 40 windows of 50 ms at 250 Hz: 500 samples.
    let status = client.until(|m| m["windows"]["complete"] == 40 && m["latency_us"]["total"]["p99"].is_f64());
    assert_eq!(status["accounting"]["samples_in"], 500);
    assert_eq!(status["accounting"]["windowed"], 500);
    assert_eq!(status["streams"][0]["channels"], json!(["Ch1", "Ch2", "Ch3"]));
    let metrics = get(server.local_addr(), "/metrics");
    for line in [
        "neuraflow_samples_total{session=\"s\",stream=\"headset\",place=\"windowed\"} 500",
        "neuraflow_windows_total{session=\"s\",stream=\"headset\",status=\"complete\"} 40",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    running.stop();
    running.join().unwrap();
    session.ended();
    let last = client.until(|m| m["state"] == "ended");
    assert_eq!(last["accounting"]["samples_in"], 500);
    assert!(last["latency_us"]["total"]["p50"].is_f64(), "what was measured outlives the pipeline");
}

#[test]
fn a_session_that_is_opened_again_waits_for_its_new_pipeline() {
    let feedback = Feedback::new(FeedbackConfig::default()).unwrap();
    let run = || {
        let session = feedback.session("s");
        assert_eq!(session.state(), State::Waiting, "nothing has come yet");
        let windows = Pipeline::from(Headset::new(3, 250, 40)).window(Tumbling::millis(50));
        let pipeline = windows.sink(session.signal("raw", 4)).build().unwrap();
        let running = pipeline.spawn(Workers::new(1)).unwrap();
        session.watch(running.watch());
        until("its windows are there", || {
            running.watch().status().streams.iter().any(|s| s.windows.total() == 40)
        });
        running.stop();
        running.join().unwrap();
        session.ended();
    };
    run();
    let mut reader = feedback.subscribe("s", Subscription::all().kinds([Kind::Status])).unwrap();
    reader.recv();
    run();
    let waiting = reader.next().unwrap();
    let Body::Status(status) = &waiting.body else { panic!("expected a status, found {waiting:?}") };
    let books = (status.state, status.accounting, status.streams.len(), status.hop_ms);
    assert_eq!(books, (State::Waiting, None, 0, None));
}
