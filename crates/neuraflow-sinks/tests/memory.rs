//! Sinks in memory: callbacks and channels.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::{Arc, Mutex};
use std::thread;

use neuraflow_core::model::Chunk;
use neuraflow_core::sink::{Overflow, Placement, Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_sinks::{Callback, bounded};

fn chunks(range: std::ops::Range<u64>) -> Vec<Chunk> {
    range.map(|n| Chunk::new(n, 1)).collect()
}

#[test]
fn a_callback_sees_every_item_in_order_and_runs_inline() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let push = Arc::clone(&seen);
    let sink = Callback::new(move |chunk: &Chunk| push.lock().unwrap().push(chunk.first()));
    assert_eq!(sink.placement(), Placement::Inline);
    let mut writer = sink.open(&SinkContext::default()).unwrap();
    let mut items = chunks(0..3);
    writer.write(&mut items).unwrap();
    assert!(items.is_empty());
    writer.write(&mut chunks(3..5)).unwrap();
    writer.finish().unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 3, 4]);
}

#[test]
fn a_blocking_channel_loses_nothing_and_has_a_thread_of_its_own() {
    let (sink, receiver) = bounded(2, Overflow::Block);
    assert_eq!(sink.placement(), Placement::Thread { capacity: 2, overflow: Overflow::Block });
    let writer =
        thread::spawn(move || sink.open(&SinkContext::default()).unwrap().write(&mut chunks(0..1_000)));
    assert!(receiver.iter().map(|chunk| chunk.first()).eq(0..1_000));
    writer.join().unwrap().unwrap();
    assert_eq!(receiver.dropped(), 0);
    assert!(receiver.recv().is_none());
}

#[test]
fn what_is_dropped_is_counted() {
    for (overflow, left) in [(Overflow::DropNewest, [0, 1, 2]), (Overflow::DropOldest, [7, 8, 9])] {
        let (sink, receiver) = bounded(3, overflow);
        assert_eq!(sink.placement(), Placement::Inline);
        sink.open(&SinkContext::default()).unwrap().write(&mut chunks(0..10)).unwrap();
        assert_eq!(receiver.dropped(), 7);
        drop(sink);
        assert!(receiver.iter().map(|chunk| chunk.first()).eq(left));
    }
}

#[test]
fn a_receiver_that_is_gone_is_a_typed_error() {
    for overflow in [Overflow::Block, Overflow::DropNewest, Overflow::DropOldest] {
        let (sink, receiver) = bounded(1, overflow);
        let mut writer = sink.open(&SinkContext::default()).unwrap();
        drop(receiver);
        let error = writer.write(&mut chunks(0..3)).unwrap_err();
        assert!(matches!(error, SinkError::Disconnected { .. }), "{overflow:?}: {error}");
    }
}
