//! A device in a running pipeline: stops under pressure, floods, and a log that replays to the same bits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;

use neuraflow::checkpoint::Config;
use neuraflow::dataflow::{Checkpointing, Report, Restarts, Running, State};
use neuraflow::model::SequenceBits;
use neuraflow::prelude::*;
use neuraflow::sink::{Placement, SinkContext, SinkError, SinkWriter};
use neuraflow::sources::device::{DeviceConfig, DeviceHandle, DeviceSource, PushError};
use neuraflow::sources::log::PacketLog;
use neuraflow::telemetry::OutputDigest;
use neuraflow::testing::MemoryStore;

/// Runs something that must come back; that it hangs is a failure instead of a test that never ends.
fn in_time<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, waiting) = mpsc::channel();
    std::thread::spawn(move || done.send(run()));
    waiting.recv_timeout(Duration::from_secs(60)).unwrap()
}

fn header(device: usize) -> StreamHeader {
    let key = StreamKey::of_names("session", &format!("device {device}"));
    let channels = ["C3", "C4", "Cz"].map(Channel::new).to_vec();
    let mut header =
        StreamHeader::new(key, format!("device {device}"), SamplingRate::hz(250).unwrap(), channels);
    header.sequence = SequenceBits::new(16).unwrap();
    header
}

fn values(first: u64, samples: u64) -> Vec<f32> {
    (first..first + samples)
        .flat_map(|n| [0.0, 1.0, 2.0].map(|c| (n as f32 * 0.7 + c).sin() * 20.0))
        .collect()
}

/// A sink that takes nothing until its gate is opened.
#[derive(Clone, Default)]
struct Gated {
    gate: Arc<(Mutex<bool>, Condvar)>,
}

impl Gated {
    fn open_gate(&self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }
}

impl Sink for Gated {
    type Item = Window;
    type Writer = Self;

    fn name(&self) -> String {
        "gated".into()
    }

    fn placement(&self) -> Placement {
        Placement::Thread { capacity: 2, overflow: Overflow::Block }
    }

    fn open(&self, _: &SinkContext) -> Result<Self, SinkError> {
        Ok(self.clone())
    }
}

impl SinkWriter for Gated {
    type Item = Window;

    fn write(&mut self, items: &mut Vec<Window>) -> Result<(), SinkError> {
        let open = self.gate.0.lock().unwrap();
        drop(self.gate.1.wait_while(open, |open| !*open).unwrap());
        items.clear();
        Ok(())
    }
}

fn gated(config: DeviceConfig, workers: usize) -> (DeviceHandle, Gated, Running) {
    let (handle, source) = device::channel(config);
    let sink = Gated::default();
    let graph = Pipeline::from(source).window(Tumbling::millis(50)).sink(sink.clone());
    (handle, sink, graph.build().unwrap().spawn(Workers::new(workers)).unwrap())
}

/// A device without a journal, supervised, whose sink panics once; pushed to before, meanwhile and after. What the pipeline says at
/// its end, how often it was started again, and how many samples were pushed.
fn outlived(checkpoints: bool) -> (Report, u32, u64) {
    let (handle, source) = device::channel(DeviceConfig::default());
    let panics = Arc::new(AtomicBool::new(false));
    let armed = Arc::clone(&panics);
    let sink = Callback::new(move |_: &Window| assert!(!armed.swap(false, Ordering::SeqCst), "once"));
    let mut pipeline = Pipeline::from(source).window(Tumbling::millis(50)).sink(sink).build().unwrap();
    if checkpoints {
        let hurried = Config::hurried(Duration::ZERO);
        let store = Checkpointing::new(Arc::new(MemoryStore::default())).with_config(hurried);
        pipeline = pipeline.checkpoints(store).unwrap();
    }
    let restarts = Restarts::at_most(3).backing_off(Duration::ZERO, Duration::ZERO);
    handle.open(header(0)).unwrap();
    let supervised = pipeline.supervise(Workers::new(2), restarts).unwrap();
    let (key, mut n) = (header(0).key, 0);
    let mut push = |handle: &DeviceHandle| {
        handle.push(&key, n % 65_536, &values(n, 5)).unwrap();
        n += 5;
    };
    while supervised.progress().windows < 20
        || (checkpoints && supervised.watch().status().checkpoints.committed == 0)
    {
        push(&handle);
        std::thread::yield_now();
    }
    panics.store(true, Ordering::SeqCst);
    while supervised.health().restarts == 0 || supervised.health().state != State::Running {
        push(&handle);
        std::thread::yield_now();
    }
    (0..100).for_each(|_| push(&handle));
    handle.end(&key).unwrap();
    drop(handle);
    let restarts = supervised.health().restarts;
    (supervised.join().unwrap(), restarts, n)
}

#[test]
fn a_device_outlives_a_panic_and_what_was_lost_is_counted() {
    for _ in 0..20 {
        let (report, restarts, pushed) = in_time(|| outlived(true));
        let books = report.accounting();
        assert_eq!((restarts, report.streams.len(), report.orphan_values), (1, 1, 0));
        assert!(report.balances(), "{books:?}");
        assert_eq!(books.samples_in + books.lost, pushed, "{books:?}");

        // Without checkpoints the stream begins anew, with the next sample.
        let (report, restarts, pushed) = in_time(|| outlived(false));
        let books = report.accounting();
        assert_eq!((restarts, report.streams.len(), report.orphan_values), (1, 1, 0));
        assert!(report.balances() && books.lost == 0 && books.samples_in < pushed, "{books:?} of {pushed}");
        assert!(books.samples_in >= 500, "{books:?}");
    }
}

/// Pushes until the pipeline is gone; how many samples it accepted.
fn flood(handle: DeviceHandle, device: usize) -> u64 {
    let key = header(device).key;
    let mut n = 0;
    loop {
        match handle.push(&key, n % 65_536, &values(n, 5)) {
            Ok(_) => n += 5,
            Err(error) => {
                assert_eq!(error, PushError::Disconnected);
                return n;
            }
        }
    }
}

#[test]
fn a_stop_under_pressure_comes_back_and_the_books_balance() {
    for overflow in [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest] {
        for workers in [1, 3] {
            let report = in_time(move || {
                let config = DeviceConfig { capacity: 64, overflow, ..DeviceConfig::default() };
                let (handle, sink, running) = gated(config, workers);
                (0..4).for_each(|device| handle.open(header(device)).unwrap());
                let pushing: Vec<_> = (0..4)
                    .map(|device| (handle.clone(), device))
                    .map(|(handle, device)| std::thread::spawn(move || flood(handle, device)))
                    .collect();
                // Until the sink's queue is full, and as it holds back the source, the device's queue too.
                while running.progress().windows < 4 || handle.stats().queued < 60 {
                    std::thread::yield_now();
                }
                running.stop();
                let told: u64 = pushing.into_iter().map(|thread| thread.join().unwrap()).sum();
                sink.open_gate();
                let report = running.join().unwrap();
                assert!(report.accounting().samples_in <= told);
                report
            });
            assert!(report.balances(), "{overflow:?} on {workers}: {:?}", report.accounting());
        }
    }
}

#[test]
fn a_pipeline_with_a_stuck_sink_can_be_dropped_once_the_sink_moves() {
    in_time(|| {
        let (handle, sink, running) = gated(DeviceConfig::default(), 2);
        handle.open(header(0)).unwrap();
        for n in 0..1_000 {
            handle.push(&header(0).key, n, &values(n, 1)).unwrap();
        }
        let dropping = std::thread::spawn(move || drop(running));
        sink.open_gate();
        dropping.join().unwrap();
        assert_eq!(handle.push(&header(0).key, 1_000, &values(0, 1)), Err(PushError::Disconnected));
    });
}

fn digest(source: impl Source, workers: usize) -> (String, Report) {
    let digest = Arc::new(Mutex::new(OutputDigest::default()));
    let kept = Arc::clone(&digest);
    let sink = Callback::new(move |power: &Features| kept.lock().unwrap().features(0, power));
    let graph =
        Pipeline::from(source).stage(|| Butterworth::bandpass(4, 1.0..40.0)).stage(CommonAverage::new);
    let graph = graph
        .window(Tumbling::millis(50))
        .feature(|| BandPower::bands([("alpha", 8.0..13.0)]).over_millis(250));
    let report = graph.sink(sink).build().unwrap().spawn(Workers::new(workers)).unwrap().join().unwrap();
    let finished = format!("{:032x}", digest.lock().unwrap().finish());
    (finished, report)
}

#[test]
fn a_log_of_a_messy_session_replays_to_the_same_bits() {
    let place = std::env::temp_dir().join(format!("neuraflow-session-{}.nflog", std::process::id()));
    for overflow in [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest] {
        let path = place.clone();
        in_time(move || {
            let stale_after = Some(Span::millis(2));
            let config = DeviceConfig { capacity: 100, overflow, stale_after };
            let (handle, source) = device::channel(config);
            let live = std::thread::spawn(session(handle));
            let (first, report) = digest(recorded(source, &path), 2);
            live.join().unwrap();
            assert!(report.balances());
            for workers in [1, 2, 3] {
                let (again, replayed) = digest(PacketLog::open(&path).unwrap(), workers);
                assert_eq!(again, first, "{overflow:?}, {workers} workers");
                assert_eq!(replayed.accounting(), report.accounting());
            }
        });
    }
    std::fs::remove_file(place).unwrap();
}

fn recorded(source: DeviceSource, path: &std::path::Path) -> impl Source + use<> {
    PacketLog::record(source, path).unwrap()
}

/// Three devices at once, with losses, repetitions, wraps, silences and a reconnect.
fn session(handle: DeviceHandle) -> impl FnOnce() + Send {
    move || {
        std::thread::scope(|threads| {
            for device in 0..3 {
                let handle = handle.clone();
                threads.spawn(move || {
                    let header = header(device);
                    for run in 0..2 {
                        handle.open(header.clone()).unwrap();
                        let mut n = 0;
                        for packet in 0..400u64 {
                            let samples = 1 + (packet * 7 + device as u64 * 3 + run) % 9;
                            if packet % 31 != 30 {
                                handle.push(&header.key, n % 65_536, &values(n, samples)).unwrap();
                            }
                            if packet % 17 == 3 {
                                handle.push(&header.key, n % 65_536, &values(n, samples)).unwrap();
                            }
                            if packet % 50 == 0 {
                                handle.marker(&header.key, Marker::new(header.time_of(n), "m")).unwrap();
                            }
                            n += samples;
                        }
                        if run == 1 {
                            handle.end(&header.key).unwrap();
                        }
                    }
                });
            }
        });
    }
}
