//! Stores that go bad while a run has them: damaged, of another length than the default, or panicking.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use neuraflow_core::checkpoint::{CheckpointStore, Config};
use neuraflow_core::dataflow::{Checkpointing, Pipeline, PipelineError, Tumbling, Workers};
use neuraflow_core::model::Window;

use super::super::hostile::in_time;
use super::super::parts::{Keep, header, packets};
use super::store::Memory;
use super::tape::{Fuse, Tape};

/// Two streams of one key group: one falls silent soon, the other goes on for long.
fn tape() -> Tape {
    let long = header("long", 1_000, 1);
    let silent = (0..100_000).map(|n| header(&format!("silent {n}"), 1_000, 1));
    let silent = silent.into_iter().find(|header| header.key.group() == long.key.group()).unwrap();
    let streams = [(silent, 100), (long, 2_000_000)];
    let streams = streams.map(|(header, samples)| (header.clone(), packets(&header, samples, 20)));
    let pace = (2, Duration::from_micros(200));
    Tape { name: "tape".into(), streams: Arc::new(streams.into()), fuse: Fuse::never(), pace }
}

fn begin(store: &Arc<Memory>, config: Config) -> Pipeline {
    let (sink, _) = Keep::<Window>::new();
    let pipeline = Pipeline::from(tape()).window(Tumbling::millis(50)).sink(sink).build().unwrap();
    let checkpointing = Checkpointing::new(Arc::clone(store) as _).with_config(config);
    pipeline.checkpoints(checkpointing).unwrap()
}

fn hurried() -> Config {
    Config::hurried(Duration::ZERO)
}

#[test]
fn what_decays_in_the_store_is_written_anew_by_the_workers() {
    in_time("decay", || {
        let store = Arc::new(Memory::default());
        let running = begin(&store, hurried()).spawn(Workers::new(2)).unwrap();
        let watch = running.watch();
        let seen = || watch.status().checkpoints;
        while seen().committed < 5 {
            std::thread::yield_now();
        }
        store.damage("part-");
        let before = seen();
        while seen().abandoned == before.abandoned {
            std::thread::yield_now();
        }
        let before = seen().committed;
        while seen().committed < before + 5 {
            std::thread::yield_now();
        }
        assert!(running.suspend().unwrap().checkpoints.suspended);
        let again = begin(&store, hurried()).spawn(Workers::new(1)).unwrap();
        assert_eq!(again.suspend().unwrap().streams.len(), 2, "the silent one too");
    });
}

#[test]
fn as_many_checkpoints_are_kept_as_were_asked_for() {
    in_time("kept", || {
        for keep in [1, 5] {
            let store = Arc::new(Memory::default());
            let running = begin(&store, hurried().keeping(keep).unwrap()).spawn(Workers::new(1)).unwrap();
            let watch = running.watch();
            while watch.status().checkpoints.committed < 8 {
                std::thread::yield_now();
            }
            running.suspend().unwrap();
            assert_eq!(store.list("manifest-").unwrap().len(), keep);
        }
    });
}

#[test]
fn a_store_that_panics_fails_the_pipeline_and_keeps_nobody_waiting() {
    in_time("panics", || {
        let store = Arc::new(Memory::default());
        let running = begin(&store, hurried()).spawn(Workers::new(2)).unwrap();
        while running.watch().status().checkpoints.committed < 2 {
            std::thread::yield_now();
        }
        store.panics.store(true, Ordering::SeqCst);
        let error = running.suspend().unwrap_err();
        let told = matches!(&error, PipelineError::Panicked { place, .. } if place == "checkpoints");
        assert!(told, "{error}");
    });
}
