//! The same messages in process; rate and skipped, exactly.

use std::sync::Arc;
use std::time::Duration;

use neuraflow_core::model::{Decision, NoDecision};
use neuraflow_core::testing::FakeClock;
use neuraflow_sinks::feedback::{
    Body, Feedback, FeedbackConfig, FeedbackError, Kind, State, Subscriber, Subscription,
};

use crate::kit::*;

fn next_window(reader: &mut Subscriber) -> Option<(i64, u64)> {
    let message = reader.try_recv()?;
    match &message.body {
        Body::Features(table) => Some((table.window.time_ns / HOP - 1, message.skipped)),
        other => panic!("expected features, found {other:?}"),
    }
}

fn reader(site: &Site, asked: Subscription) -> Subscriber {
    let mut reader = site.feedback.subscribe("s", asked).unwrap();
    assert!(matches!(reader.try_recv().unwrap().body, Body::Hello(_)));
    reader
}

#[test]
fn a_full_queue_keeps_the_newest_and_says_how_many_are_gone() {
    let site = Site::new(FeedbackConfig { queue: 4, ..FeedbackConfig::default() });
    site.settle();
    let mut slow = reader(&site, Subscription::all().kinds([Kind::Features]));
    let mut fast = reader(&site, Subscription::all().kinds([Kind::Features]));
    site.features(1..3);
    assert_eq!(next_window(&mut fast), Some((1, 0)));
    site.publish(&site.session.quality("quality"), (1..4).map(features));
    site.features(3..13);
    assert_eq!(
        [(); 5].map(|()| next_window(&mut slow)),
        [Some((9, 8)), Some((10, 0)), Some((11, 0)), Some((12, 0)), None]
    );
    assert_eq!(next_window(&mut fast), Some((9, 7)));
}

#[test]
fn a_rate_sends_the_newest_of_each_name() {
    let site =
        Site::new(FeedbackConfig { stale_after: Duration::from_secs(3_600), ..FeedbackConfig::default() });
    site.settle();
    let mut reader = reader(&site, Subscription::all().kinds([Kind::Features, Kind::Decision]).rate(10.0));
    site.features(1..6);
    site.publish(
        &site.session.decisions::<String>("motor"),
        [Decision { info: info(5), outcome: Err(NoDecision::Gap) }],
    );
    assert_eq!(next_window(&mut reader), Some((1, 0)));
    assert!(matches!(reader.try_recv().unwrap().body, Body::Decision(_)), "another name has its own rate");
    assert!(reader.try_recv().is_none());
    site.clock.advance(SECOND / 10 - 1);
    assert!(reader.try_recv().is_none());
    site.clock.advance(1);
    assert_eq!(next_window(&mut reader), Some((5, 0)), "left out by its own wish is not skipped");
    site.features(6..8);
    assert!(reader.try_recv().is_none());
    site.clock.advance(SECOND / 10);
    assert_eq!(next_window(&mut reader), Some((7, 0)));
    reader.ask(Subscription::all().kinds([Kind::Features]));
    site.features(8..10);
    assert_eq!((next_window(&mut reader), next_window(&mut reader)), (Some((8, 0)), Some((9, 0))));
}

#[test]
fn reading_ends_with_the_session_and_goes_on_with_the_next() {
    let feedback = Feedback::new(FeedbackConfig::default()).unwrap();
    let session = feedback.session("s");
    let mut reader = feedback.subscribe("s", Subscription::all()).unwrap();
    let ending = session.clone();
    let thread = std::thread::spawn(move || ending.ended());
    let states: Vec<State> = reader
        .by_ref()
        .filter_map(|message| match &message.body {
            Body::Status(status) => Some(status.state),
            _ => None,
        })
        .collect();
    thread.join().unwrap();
    assert_eq!(states.last(), Some(&State::Ended));
    session.failed("too late, but true");
    assert_eq!(session.state(), State::Failed);
    assert!(matches!(&reader.next().unwrap().body, Body::Status(s) if s.why.is_some()));

    let again = feedback.session("s");
    assert_eq!((again.state(), again.seq()), (State::Waiting, session.seq()));
    assert!(matches!(&reader.next().unwrap().body, Body::Status(s) if s.state == State::Waiting));
    assert!(reader.recv_timeout(Duration::ZERO).is_none_or(|m| matches!(m.body, Body::Status(_))));
}

#[test]
fn a_session_that_is_not_there_is_a_typed_error() {
    let feedback = Feedback::with_clock(FeedbackConfig::default(), Arc::new(FakeClock::new())).unwrap();
    feedback.session("a");
    let error = feedback.subscribe("b", Subscription::all()).unwrap_err();
    assert!(
        matches!(&error, FeedbackError::UnknownSession { expected, .. } if expected == &["a"]),
        "{error}"
    );
    assert!(feedback.subscribe("a", Subscription::all().rate(f64::NAN)).is_err());
    let taken = feedback.serve("127.0.0.1:0".parse().unwrap()).unwrap();
    let error = feedback.serve(taken.local_addr()).unwrap_err();
    assert!(matches!(error, FeedbackError::Listen { .. }), "{error}");
}
