//! The device handle: what is pushed from many threads and tasks is read, or reported as dropped, exactly once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread;
use std::time::Duration;

use neuraflow_core::model::{
    Channel, Marker, Packet, PacketBody, SamplingRate, SequenceBits, Span, StreamHeader, StreamKey, Timestamp,
};
use neuraflow_core::sink::Overflow;
use neuraflow_core::source::{Polled, Source};
use neuraflow_core::testing::{FakeClock, Probe, collect_packets, collect_worker};
use neuraflow_sources::device::{self, DeviceConfig, PushError, Pushed};
use proptest::prelude::*;

fn key(i: usize) -> StreamKey {
    StreamKey::of_names("session", &format!("device-{i}"))
}

fn header(i: usize) -> StreamHeader {
    let rate = SamplingRate::hz(250).unwrap();
    StreamHeader::new(key(i), format!("device-{i}"), rate, vec![Channel::new("C3"), Channel::new("C4")])
}

fn config(capacity: usize, overflow: Overflow) -> DeviceConfig {
    DeviceConfig { capacity, overflow, stale_after: None }
}

/// `count` samples of two channels; the first value of each says its number.
fn values(first: u64, count: u64) -> Vec<f32> {
    (first..first + count).flat_map(|n| [n as f32, -1.0]).collect()
}

fn clock() -> Arc<FakeClock> {
    Arc::new(FakeClock::new())
}

fn bodies(packets: Vec<(u64, Packet)>) -> Vec<PacketBody> {
    packets.into_iter().map(|(_, packet)| packet.body).collect()
}

fn probe(source: &dyn Source, clock: &Arc<FakeClock>) -> Probe {
    Probe::open(source, clock, 0, 1).unwrap().expect("worker 0 reads")
}

/// Samples of a stream in the order they came, as ranges of the counter; dropped ranges are marked.
fn ranges(packets: &[(u64, Packet)], stream: StreamKey) -> Vec<(u64, u64, bool)> {
    let of = packets.iter().filter(|(_, packet)| packet.stream == stream);
    of.filter_map(|(_, packet)| match &packet.body {
        PacketBody::Samples { sequence, values } => {
            for (i, sample) in values.chunks_exact(2).enumerate() {
                assert_eq!(sample, [(sequence + i as u64) as f32, -1.0]);
            }
            Some((*sequence, values.len() as u64 / 2, false))
        }
        PacketBody::Dropped { sequence, samples } => Some((*sequence, *samples, true)),
        _ => None,
    })
    .collect()
}

#[test]
fn many_threads_push_into_a_small_queue_and_nothing_is_lost() {
    let (handle, source) = device::channel(config(16, Overflow::Block));
    let devices: Vec<_> = (0..4)
        .map(|i| {
            let handle = handle.clone();
            thread::spawn(move || {
                handle.open(header(i)).unwrap();
                for packet in 0..500 {
                    assert_eq!(handle.push(&key(i), packet * 3, &values(packet * 3, 3)), Ok(Pushed::Queued));
                }
            })
        })
        .collect();
    drop(handle);
    let packets = collect_packets(&source, &clock()).unwrap();
    devices.into_iter().for_each(|device| device.join().unwrap());
    for i in 0..4 {
        let expected: Vec<_> = (0..500).map(|packet| (packet * 3, 3, false)).collect();
        assert_eq!(ranges(&packets, key(i)), expected);
        let last = packets.iter().rfind(|(_, packet)| packet.stream == key(i)).unwrap();
        assert_eq!(last.1.body, PacketBody::End { next: Some(1_500) });
    }
}

#[test]
fn a_slow_reader_holds_the_device_back() {
    let (handle, source) = device::channel(config(4, Overflow::Block));
    let mut reader = probe(&source, &clock());
    let device = thread::spawn(move || {
        handle.open(header(0)).unwrap();
        for n in 0..200 {
            handle.push(&key(0), n, &values(n, 1)).unwrap();
        }
        handle.stats()
    });
    let mut all = Vec::new();
    loop {
        let (polled, packets) = reader.poll(1).unwrap();
        assert!(packets.len() <= 1);
        all.extend(packets);
        if polled == Polled::Ended {
            break;
        }
    }
    assert_eq!(ranges(&all, key(0)), (0..200).map(|n| (n, 1, false)).collect::<Vec<_>>());
    let stats = device.join().unwrap();
    assert_eq!((stats.pushed, stats.dropped), (200, 0));
    assert!(stats.queued <= 4);
}

#[test]
fn drop_oldest_counts_exactly_and_keeps_controls_in_place() {
    let (handle, source) = device::channel(config(10, Overflow::DropOldest));
    let event = Marker::new(Timestamp::EPOCH, "cue");
    handle.open(header(0)).unwrap();
    for packet in 0..5 {
        handle.push(&key(0), packet * 3, &values(packet * 3, 3)).unwrap();
    }
    handle.marker(&key(0), event.clone()).unwrap();
    for packet in 5..100 {
        assert_eq!(
            handle.push(&key(0), packet * 3, &values(packet * 3, 3)),
            Ok(Pushed::Displaced { samples: 3 })
        );
    }
    let stats = handle.stats();
    assert_eq!((stats.pushed, stats.dropped, stats.untold, stats.queued), (300, 291, 0, 9));
    drop(handle);
    let packets = collect_packets(&source, &clock()).unwrap();
    let samples = |first| PacketBody::Samples { sequence: first, values: values(first, 3) };
    assert_eq!(
        bodies(packets),
        [
            PacketBody::Open(Box::new(header(0))),
            PacketBody::Dropped { sequence: 0, samples: 15 },
            PacketBody::Marker(event),
            PacketBody::Dropped { sequence: 15, samples: 276 },
            samples(291),
            samples(294),
            samples(297),
            PacketBody::End { next: Some(300) },
        ]
    );
}

#[test]
fn drop_newest_counts_exactly() {
    let (handle, source) = device::channel(config(6, Overflow::DropNewest));
    let mut reader = probe(&source, &clock());
    handle.open(header(0)).unwrap();
    for packet in 0..10 {
        let pushed = handle.push(&key(0), packet * 3, &values(packet * 3, 3)).unwrap();
        assert_eq!(pushed, if packet < 2 { Pushed::Queued } else { Pushed::Refused { samples: 3 } });
    }
    let mut all = reader.poll(1_000).unwrap().1;
    handle.push(&key(0), 30, &values(30, 3)).unwrap();
    drop(handle);
    all.extend(reader.finish().unwrap());
    assert_eq!(ranges(&all, key(0)), [(0, 3, false), (3, 3, false), (6, 24, true), (30, 3, false)]);
}

#[test]
fn ranges_that_do_not_touch_are_reported_apart() {
    let (handle, source) = device::channel(config(1, Overflow::DropOldest));
    let mut narrow = header(0);
    narrow.sequence = SequenceBits::new(8).unwrap();
    handle.open(narrow).unwrap();
    for sequence in [254, 255, 0, 1, 7, 8, 9] {
        handle.push(&key(0), sequence, &[0.0, 0.0]).unwrap();
    }
    drop(handle);
    let bodies = bodies(collect_packets(&source, &clock()).unwrap());
    assert_eq!(
        bodies[1..],
        [
            PacketBody::Dropped { sequence: 254, samples: 4 },
            PacketBody::Dropped { sequence: 7, samples: 2 },
            PacketBody::Samples { sequence: 9, values: vec![0.0, 0.0] },
            PacketBody::End { next: Some(10) },
        ]
    );
}

proptest! {
    /// Whatever the policy and however pushes and polls alternate, each sample comes once, in order.
    #[test]
    fn every_sample_is_accounted_for(
        policy in 0..3,
        steps in prop::collection::vec((0..3_usize, 1..9_u64, 0..12_usize), 1..200),
    ) {
        let overflow = [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest][policy as usize];
        let (handle, source) = device::channel(config(20, overflow));
        let mut reader = probe(&source, &clock());
        let mut next = [0_u64; 3];
        let mut all = Vec::new();
        (0..3).for_each(|i| handle.open(header(i)).unwrap());
        for (i, samples, budget) in steps {
            match handle.try_push(&key(i), next[i], &values(next[i], samples)) {
                Ok(_) => next[i] += samples,
                Err(error) => prop_assert_eq!(error, PushError::Full { capacity: 20 }),
            }
            if budget < 4 {
                all.extend(reader.poll(budget).unwrap().1);
            }
        }
        let stats = handle.stats();
        prop_assert_eq!((stats.pushed, stats.untold), (next.iter().sum(), 0));
        drop(handle);
        all.extend(reader.finish().unwrap());
        let mut dropped = 0;
        for (i, next) in next.into_iter().enumerate() {
            let mut at = 0;
            for (first, samples, gone) in ranges(&all, key(i)) {
                prop_assert_eq!(first, at);
                at += samples;
                dropped += if gone { samples } else { 0 };
            }
            prop_assert_eq!(at, next);
        }
        prop_assert_eq!(dropped, stats.dropped);
    }
}

/// Runs one future on this thread: park until woken.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

#[test]
fn tasks_wait_for_room_on_any_executor() {
    let (handle, source) = device::channel(config(2, Overflow::Block));
    let tasks: Vec<_> = (0..3)
        .map(|i| {
            let handle = handle.clone();
            thread::spawn(move || {
                block_on(async {
                    handle.open(header(i)).unwrap();
                    for n in 0..300 {
                        handle.push_async(&key(i), n, &values(n, 1)).await.unwrap();
                    }
                })
            })
        })
        .collect();
    drop(handle);
    let packets = collect_packets(&source, &clock()).unwrap();
    tasks.into_iter().for_each(|task| task.join().unwrap());
    for i in 0..3 {
        assert_eq!(ranges(&packets, key(i)), (0..300).map(|n| (n, 1, false)).collect::<Vec<_>>());
    }
}

#[test]
fn a_push_that_is_given_up_pushes_nothing() {
    let (handle, source) = device::channel(config(1, Overflow::Block));
    handle.open(header(0)).unwrap();
    handle.push(&key(0), 0, &values(0, 1)).unwrap();
    {
        let second = values(1, 1);
        let mut waiting = pin!(handle.push_async(&key(0), 1, &second));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(handle.try_push(&key(0), 1, &values(1, 1)), Err(PushError::Full { capacity: 1 }));
    drop(handle);
    assert_eq!(ranges(&collect_packets(&source, &clock()).unwrap(), key(0)), [(0, 1, false)]);
}

#[test]
fn a_worker_is_woken_once_for_many_pushes_and_for_the_end() {
    let (handle, source) = device::channel(config(100, Overflow::Block));
    let mut reader = probe(&source, &clock());
    handle.open(header(0)).unwrap();
    for n in 0..10 {
        handle.push(&key(0), n, &values(n, 1)).unwrap();
    }
    assert_eq!(reader.wakes(), 1);
    assert_eq!(reader.poll(1_000).unwrap().0, Polled::Idle);
    assert_eq!(reader.wakes(), 0);
    let clone = handle.clone();
    drop(handle);
    assert_eq!(reader.wakes(), 0, "a clone is left");
    drop(clone);
    assert_eq!(reader.wakes(), 1);
    let (polled, packets) = reader.poll(1_000).unwrap();
    assert_eq!((polled, bodies(packets)), (Polled::Ended, vec![PacketBody::End { next: Some(10) }]));
}

#[test]
fn arrivals_are_stamped_at_the_push_once_a_pipeline_runs() {
    let (handle, source) = device::channel(DeviceConfig::default());
    let clock = Arc::new(FakeClock::at(1_000));
    handle.open(header(0)).unwrap();
    handle.push(&key(0), 0, &values(0, 1)).unwrap();
    let mut reader = probe(&source, &clock);
    clock.advance(500);
    handle.push(&key(0), 1, &values(1, 1)).unwrap();
    clock.advance(500);
    let arrivals: Vec<_> = reader.poll(1_000).unwrap().1.into_iter().map(|(arrival, _)| arrival).collect();
    assert_eq!(arrivals, [1_000, 1_000, 1_500]);
    assert_eq!(collect_worker(&device::channel(DeviceConfig::default()).1, &clock, 1, 2).unwrap(), []);
}

#[test]
fn a_stream_that_falls_silent_is_reported_once_until_it_is_heard_again() {
    let (handle, source) =
        device::channel(DeviceConfig { stale_after: Some(Span::millis(100)), ..DeviceConfig::default() });
    let clock = clock();
    let mut reader = probe(&source, &clock);
    handle.open(header(0)).unwrap();
    handle.push(&key(0), 0, &values(0, 1)).unwrap();
    assert_eq!(reader.poll(1_000).unwrap().0, Polled::After(Duration::from_millis(100)));
    clock.advance(60_000_000);
    handle.marker(&key(0), Marker::new(Timestamp::EPOCH, "no sign of life of the amplifier")).unwrap();
    assert_eq!(reader.poll(1_000).unwrap().0, Polled::After(Duration::from_millis(40)));
    clock.advance(40_000_000);
    let (polled, packets) = reader.poll(1_000).unwrap();
    assert_eq!(polled, Polled::Idle);
    assert_eq!(packets, [(100_000_000, Packet { stream: key(0), body: PacketBody::Silent })]);
    clock.advance(1_000_000_000);
    assert_eq!(reader.poll(1_000).unwrap(), (Polled::Idle, vec![]));
    handle.push(&key(0), 1, &values(1, 1)).unwrap();
    assert_eq!(reader.poll(1_000).unwrap().0, Polled::After(Duration::from_millis(100)));
    handle.end(&key(0)).unwrap();
    assert_eq!(reader.poll(1_000).unwrap().0, Polled::Idle, "an ended stream is allowed to be silent");
}

#[test]
fn a_pipeline_that_is_gone_is_a_typed_error_also_for_those_who_wait() {
    let (handle, source) = device::channel(config(4, Overflow::Block));
    let reader = probe(&source, &clock());
    handle.open(header(0)).unwrap();
    let waits = {
        let handle = handle.clone();
        thread::spawn(move || (0..).find_map(|n| handle.push(&key(0), n, &values(n, 1)).err()).unwrap())
    };
    let waits_async = {
        let handle = handle.clone();
        thread::spawn(move || {
            (0..).find_map(|n| block_on(handle.push_async(&key(0), n, &values(n, 1))).err()).unwrap()
        })
    };
    drop(reader);
    drop(source); // else another pipeline may come
    assert_eq!(waits.join().unwrap(), PushError::Disconnected);
    assert_eq!(waits_async.join().unwrap(), PushError::Disconnected);
    assert_eq!(handle.open(header(1)), Err(PushError::Disconnected));
    let (handle, source) = device::channel(DeviceConfig::default());
    drop(source);
    assert_eq!(handle.open(header(0)), Err(PushError::Disconnected));
}

#[test]
fn mistakes_are_named() {
    let (handle, source) = device::channel(config(4, Overflow::DropOldest));
    assert_eq!(handle.push(&key(0), 0, &[0.0, 0.0]), Err(PushError::Unknown { key: key(0) }));
    handle.open(header(0)).unwrap();
    assert_eq!(handle.push(&key(0), 0, &[0.0]), Err(PushError::Shape { channels: 2, found: 1 }));
    assert_eq!(handle.push(&key(0), 0, &[]), Err(PushError::Shape { channels: 2, found: 0 }));
    assert_eq!(handle.push(&key(0), 0, &values(0, 5)), Err(PushError::TooLarge { capacity: 4, found: 5 }));
    handle.end(&key(0)).unwrap();
    assert_eq!(handle.push(&key(0), 0, &[0.0, 0.0]), Err(PushError::Ended { key: key(0) }));
    handle.open(header(0)).unwrap();
    handle.push(&key(0), 0, &[0.0, 0.0]).unwrap();
    assert_eq!(source.streams(), [header(0)]);
    let first = probe(&source, &clock());
    let second = collect_packets(&source, &clock()).unwrap_err().to_string();
    assert!(second.contains("one pipeline"), "{second}");
    drop(first);
    for (config, setting) in [
        (config(0, Overflow::Block), "capacity"),
        (DeviceConfig { stale_after: Some(Span::ZERO), ..DeviceConfig::default() }, "stale_after"),
    ] {
        let error = collect_packets(&device::channel(config).1, &clock()).unwrap_err().to_string();
        assert!(error.contains(setting), "{error}");
    }
}
