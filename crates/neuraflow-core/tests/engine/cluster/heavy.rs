//! States that are longer than any message of a link, both ways: to process 0 with a checkpoint, and from it at a restart.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use neuraflow_core::checkpoint::Config;
use neuraflow_core::dataflow::{Checkpointing, Cluster, Pipeline, Running, Tumbling, Workers};

use super::super::hostile::in_time;
use super::super::recovery::heavy::{Heavy, features};
use super::super::recovery::sink::{Append, File, Row};
use super::super::recovery::store::Memory;
use super::super::recovery::tape::{Fuse, Tape};
use super::addresses;

/// Numbers of 8 bytes in the state of every stream: more than 4 MiB.
const STATE: usize = 700_000;
const STREAMS: u64 = 4;

fn pipeline(tape: &Tape, file: &File) -> Pipeline {
    let sink = Append {
        name: "features".into(),
        file: Arc::clone(file),
        row: features,
        fuse: Fuse::never(),
        capacity: 64,
    };
    let graph = Pipeline::from(tape.clone()).window(Tumbling::millis(50)).feature(|| Heavy::of(STATE));
    graph.sink(sink).build().unwrap()
}

/// Two processes that write to `files`, on so many workers each.
fn start(tape: &Tape, files: &[File; 2], store: &Arc<Memory>, workers: usize) -> Vec<Running> {
    let addresses = addresses(2);
    let started = files.iter().enumerate().map(|(process, file)| {
        let mut pipeline = pipeline(tape, file);
        if process == 0 {
            let seldom = Config::hurried(Duration::from_secs(3_600)); // only those that are asked for
            let store = Checkpointing::new(Arc::clone(store) as _).with_config(seldom);
            pipeline = pipeline.checkpoints(store).unwrap();
        }
        // Signs of life come through in between, or one would count as lost.
        let cluster = Cluster::new(process, addresses.clone()).patience(Duration::from_secs(5));
        let cluster = cluster.workers(Workers::new(workers));
        thread::spawn(move || pipeline.spawn_cluster(&cluster).unwrap())
    });
    let started: Vec<_> = started.collect();
    started.into_iter().map(|process| process.join().unwrap()).collect()
}

#[test]
fn states_longer_than_a_message_go_to_process_0_and_back() {
    in_time("heavy", || {
        let tape = Tape::eventful("heavy", STREAMS, 4_000, 21);
        let (expected, found, store) = (File::default(), <[File; 2]>::default(), Arc::default());
        pipeline(&tape, &expected).run().unwrap();
        let slow = Tape { pace: (1, Duration::from_millis(2)), ..tape.clone() };
        for (life, workers) in [1, 2].into_iter().enumerate() {
            let mut running = start(&slow, &found, &store, workers);
            while running.iter().map(|running| running.progress().windows).sum::<u64>() < 20 {
                thread::yield_now();
            }
            let (other, first) = (running.remove(1 - life), running.remove(0));
            let other = thread::spawn(move || other.join().unwrap());
            let (left, also) = (first.suspend().unwrap(), other.join().unwrap());
            assert!(left.checkpoints.suspended && also.checkpoints.suspended);
            let written = left.checkpoints.bytes + also.checkpoints.bytes;
            // Of those streams that have come by then.
            assert!(written > 2 * STATE as u64 * 8, "{written}: process 0 writes for all");
        }
        for running in start(&tape, &found, &store, 1).into_iter().map(|r| thread::spawn(|| r.join())) {
            assert_eq!(running.join().unwrap().unwrap().checkpoints.restored, Some(2));
        }
        let sorted = |rows: Vec<Row>| {
            let mut rows = rows;
            rows.sort();
            rows
        };
        let found = found.iter().flat_map(|file| file.lock().unwrap().clone()).collect();
        assert!(sorted(found) == sorted(expected.lock().unwrap().clone()));
    });
}
