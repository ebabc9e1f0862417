//! Retry and timeout: what they try again, how often, and whom they wait for.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers outside #[test]

mod support;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use neuraflow_core::model::{Channel, Features, Positions, Recovery};
use neuraflow_core::resilience::{Backoff, Clock};
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_core::testing::FakeClock;
use neuraflow_sinks::layer::{Retry, RetryConfig, Timeout, TimeoutWriter};

const MINUTE: u64 = 60_000_000_000;

/// A peer that does as it is told, write by write.
#[derive(Clone, Debug, Default)]
struct Peer(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    moods: Vec<Mood>,
    calls: u32,
    opened: u32,
    took: Vec<i64>,
    /// How the next times it is opened fail.
    closed: Vec<io::ErrorKind>,
    /// Writers that are there; it is not opened twice.
    alone: bool,
    there: u32,
}

#[derive(Debug)]
enum Mood {
    /// Takes so many, and fails with this.
    Fails(usize, io::ErrorKind),
    /// Answers once it is told to, or never.
    Hangs(Receiver<()>),
    Panics,
}

impl Peer {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap()
    }
}

impl Sink for Peer {
    type Item = Features;
    type Writer = PeerWriter;

    fn name(&self) -> String {
        "peer".into()
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }

    fn open(&self, _: &SinkContext) -> Result<PeerWriter, SinkError> {
        let mut known = self.known();
        if let Some(kind) = known.closed.pop() {
            return Err(failed("open", kind));
        }
        if known.alone && known.there > 0 {
            return Err(failed("open", io::ErrorKind::WouldBlock));
        }
        (known.opened, known.there) = (known.opened + 1, known.there + 1);
        Ok(PeerWriter(self.clone()))
    }
}

fn failed(action: &'static str, kind: io::ErrorKind) -> SinkError {
    SinkError::Io { sink: "peer".to_owned(), action, target: "far away".to_owned(), source: kind.into() }
}

#[derive(Debug)]
struct PeerWriter(Peer);

impl Drop for PeerWriter {
    fn drop(&mut self) {
        self.0.known().there -= 1;
    }
}

impl SinkWriter for PeerWriter {
    type Item = Features;

    fn write(&mut self, items: &mut Vec<Features>) -> Result<(), SinkError> {
        let mood = {
            let mut known = self.0.known();
            known.calls += 1;
            known.moods.pop()
        };
        let (most, answer) = match mood {
            None => (items.len(), Ok(())),
            Some(Mood::Fails(most, kind)) => (most, Err(failed("write", kind))),
            Some(Mood::Panics) => panic!("as told"),
            Some(Mood::Hangs(told)) => {
                let _ = told.recv();
                (items.len(), Ok(()))
            }
        };
        self.0.known().took.extend(items.drain(..most).map(|item| item.info.index));
        answer
    }

    fn barrier(&mut self, _: u64) -> Result<Positions, SinkError> {
        Ok(Positions::default())
    }
}

fn rows(count: i64) -> Vec<Features> {
    let row = |index| {
        let header = support::header("device", vec![Channel::new("Cz")]);
        support::features(support::info(header, index), &["p"], vec![0.5])
    };
    (0..count).map(row).collect()
}

/// A clock that another thread moves on until the test has ended.
fn moving() -> (Arc<FakeClock>, Sender<()>) {
    let (clock, (stop, stopped)) = (Arc::new(FakeClock::new()), channel::<()>());
    let moved = Arc::clone(&clock);
    thread::spawn(move || {
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            moved.advance(10_000_000);
            thread::park_timeout(Duration::from_micros(200)); // lets the other threads run
        }
    });
    (clock, stop)
}

fn context(clock: &Arc<FakeClock>) -> SinkContext {
    SinkContext { clock: Arc::clone(clock) as Arc<dyn Clock>, from: None }
}

fn fails(times: usize, most: usize, kind: io::ErrorKind) -> Vec<Mood> {
    (0..times).map(|_| Mood::Fails(most, kind)).collect()
}

#[test]
fn what_is_left_is_tried_again_after_growing_waits() {
    let (clock, _stop) = moving();
    let peer = Peer::default();
    peer.known().moods = fails(3, 2, io::ErrorKind::ConnectionReset);
    let wait = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
    let sink = Retry::new(peer.clone(), RetryConfig { wait, seed: 7, ..RetryConfig::default() });
    let mut writer = sink.open(&context(&clock)).unwrap();
    let begun = clock.now();
    writer.write(&mut rows(10)).unwrap();
    let took = Duration::from_nanos(clock.now() - begun);
    assert_eq!(peer.known().took, (0..10).collect::<Vec<_>>(), "each once");
    assert_eq!(peer.known().calls, 4);
    assert_eq!(sink.retries(), 3);
    assert!(took >= Duration::from_millis(3_500), "half of 1 + 2 + 4 s at least: {took:?}");
}

#[test]
fn what_does_not_pass_and_what_fails_too_often_is_the_callers() {
    let (clock, _stop) = moving();
    let peer = Peer::default();
    let sink = Retry::new(peer.clone(), RetryConfig::default());
    let mut writer = sink.open(&context(&clock)).unwrap();
    peer.known().moods = fails(1, 0, io::ErrorKind::PermissionDenied);
    let error = writer.write(&mut rows(1)).unwrap_err();
    assert_eq!((error.recovery(), peer.known().calls), (Recovery::Stop, 1));
    peer.known().moods = fails(10, 0, io::ErrorKind::TimedOut);
    let (mut items, calls) = (rows(2), peer.known().calls);
    let error = writer.write(&mut items).unwrap_err();
    assert_eq!((error.recovery(), items.len()), (Recovery::Retry, 2));
    assert_eq!(peer.known().calls - calls, 1 + 3);
}

#[test]
fn a_peer_that_is_down_sees_one_retry_for_ten_writes() {
    let (clock, _stop) = moving();
    let peer = Peer::default();
    let sink = Retry::new(peer.clone(), RetryConfig { reserve: 5, ..RetryConfig::default() });
    let mut writer = sink.open(&context(&clock)).unwrap();
    peer.known().moods = fails(10_000, 0, io::ErrorKind::TimedOut);
    for _ in 0..1_000 {
        writer.write(&mut rows(1)).unwrap_err();
    }
    let calls = peer.known().calls;
    assert!((1_100..=1_105).contains(&calls), "{calls} calls for 1,000 writes");
}

#[test]
fn who_does_not_answer_in_time_has_failed_and_nothing_is_missing() {
    let (clock, _stop) = moving();
    let (answer, told) = channel();
    let peer = Peer::default();
    peer.known().moods = vec![Mood::Hangs(told)];
    let sink = Timeout::new(peer.clone(), Duration::from_secs(2));
    let mut writer = sink.open(&context(&clock)).unwrap();
    let (mut items, begun) = (rows(3), clock.now());
    let error = writer.write(&mut items).unwrap_err();
    let took = Duration::from_nanos(clock.now() - begun);
    assert_eq!((error.recovery(), items.len()), (Recovery::Retry, 3), "{error}");
    assert!(took >= Duration::from_secs(2), "{took:?}");
    assert!(error.to_string().contains("no answer within 2s"), "{error}");
    writer.write(&mut items).unwrap();
    writer.barrier(1).unwrap();
    let known = peer.known();
    assert_eq!((known.opened, &known.took[..]), (2, &[0, 1, 2][..]));
    drop(known);
    drop(answer); // the call that hung returns after all, and has written the same again
}

#[test]
fn a_barrier_does_not_speak_for_a_writer_that_was_given_up() {
    let (clock, _stop) = moving();
    let (_answer, told) = channel();
    let peer = Peer::default();
    let sink = Timeout::new(peer.clone(), Duration::from_millis(500));
    let mut writer = sink.open(&context(&clock)).unwrap();
    writer.write(&mut rows(3)).unwrap(); // nothing has made it durable
    peer.known().moods = vec![Mood::Hangs(told)];
    let mut items = rows(1);
    writer.write(&mut items).unwrap_err();
    writer.write(&mut items).unwrap();
    let error = writer.barrier(1).unwrap_err();
    assert_eq!(error.recovery(), Recovery::Stop, "{error}");
}

#[test]
fn calls_that_hang_are_bounded_and_count_until_they_return() {
    let (clock, _stop) = moving();
    let peer = Peer::default();
    let sink = Timeout::new(peer.clone(), Duration::from_millis(100));
    let mut writer = sink.open(&context(&clock)).unwrap();
    let mut answers = Vec::new();
    for _ in 0..8 {
        let (answer, told) = channel();
        answers.push(answer);
        peer.known().moods = vec![Mood::Hangs(told)];
        writer.write(&mut rows(1)).unwrap_err();
    }
    let calls = peer.known().calls;
    let error = writer.write(&mut rows(1)).unwrap_err();
    assert!(error.to_string().contains("8 calls to it hang"), "{error}");
    assert_eq!(peer.known().calls, calls, "nobody was called");
    drop(answers);
    while writer.write(&mut rows(1)).is_err() {
        thread::yield_now();
    }
}

#[test]
fn calls_that_never_return_keep_nobody_from_a_sink_that_is_well_again() {
    let (clock, stop) = moving();
    let peer = Peer::default();
    let sink = Timeout::new(peer.clone(), Duration::from_millis(100));
    let mut writer = sink.open(&context(&clock)).unwrap();
    let mut never = Vec::new();
    let mut hang = |writer: &mut TimeoutWriter<Peer>| {
        let (answer, told) = channel();
        never.push(answer);
        peer.known().moods = vec![Mood::Hangs(told)];
        writer.write(&mut rows(1)).unwrap_err()
    };
    (0..8).for_each(|_| drop(hang(&mut writer)));
    // One trial after a minute: it hangs too. The next one is after two.
    clock.advance(MINUTE);
    let error = hang(&mut writer);
    assert!(error.to_string().contains("no answer within"), "{error}");
    drop(stop); // what follows waits for nothing
    clock.advance(MINUTE);
    peer.known().moods.clear();
    let error = writer.write(&mut rows(1)).unwrap_err();
    assert!(error.to_string().contains("for a trial in"), "{error}");
    clock.advance(MINUTE);
    writer.write(&mut rows(1)).unwrap();
    writer.write(&mut rows(1)).unwrap();
    assert_eq!(peer.known().took, [0, 0]);
}

#[test]
fn who_cannot_be_reached_again_at_once_is_tried_again() {
    let (clock, _stop) = moving();
    let (_answer, told) = channel();
    let peer = Peer::default();
    peer.known().moods = vec![Mood::Hangs(told)];
    let sink = Retry::new(Timeout::new(peer.clone(), Duration::from_millis(100)), RetryConfig::default());
    let mut writer = sink.open(&context(&clock)).unwrap();
    // It hangs, then it is away, and then it is there again.
    peer.known().closed = vec![io::ErrorKind::ConnectionRefused; 2];
    let mut items = rows(3);
    writer.write(&mut items).unwrap();
    assert_eq!((peer.known().opened, sink.retries()), (2, 3));
    assert_eq!(peer.known().took, [0, 1, 2]);
}

#[test]
fn a_panic_behind_a_timeout_is_whoevers_calls() {
    let (clock, _stop) = moving();
    let peer = Peer::default();
    let mut writer = Timeout::new(peer.clone(), Duration::from_secs(2)).open(&context(&clock)).unwrap();
    peer.known().moods = vec![Mood::Panics];
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let panic = catch_unwind(AssertUnwindSafe(|| writer.write(&mut rows(3)))).unwrap_err();
    std::panic::set_hook(before);
    assert_eq!(panic.downcast_ref(), Some(&"as told"), "as if there were no timeout between");
    writer.write(&mut rows(3)).unwrap();
    assert_eq!(peer.known().opened, 2);
}

#[test]
fn who_lets_a_writer_go_may_open_another_at_once() {
    let peer = Peer::default();
    peer.known().alone = true;
    for round in 0..300 {
        let sink = Timeout::new(peer.clone(), Duration::from_secs(2));
        let mut writer =
            sink.open(&SinkContext::default()).unwrap_or_else(|error| panic!("{round}: {error}"));
        writer.write(&mut rows(1)).unwrap();
    }
}
