//! What is refused, and what goes wrong without stopping the signal.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use neuraflow_core::checkpoint::{CheckpointError, Config, Migration};
use neuraflow_core::dataflow::{
    BuildError, Checkpointing, Pipeline, PipelineError, RestoreFault, Tumbling, Workers,
};
use neuraflow_core::model::{Positions, Window};
use neuraflow_core::sink::{Overflow, Placement, Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_core::testing::FakeClock;

use super::super::hostile::in_time;
use super::graph::{Files, Fuses, difference, pipeline};
use super::operators::Smooth;
use super::sink::{Append, File};
use super::store::Memory;
use super::tape::{Fuse, Tape};

fn hurried(store: &Arc<Memory>) -> Checkpointing {
    Checkpointing::new(Arc::clone(store) as _).with_config(Config::hurried(Duration::ZERO))
}

fn append(name: &str, file: &File) -> Append<Window> {
    let row = |window: &Window| (window.info.stream.name.clone(), window.info.index.to_string());
    Append { name: name.into(), file: Arc::clone(file), row, fuse: Fuse::never(), capacity: 8 }
}

#[test]
fn two_of_one_name_cannot_be_told_apart_by_a_checkpoint() {
    let (tape, file) = (Tape::eventful("tape", 1, 100, 1), File::default());
    let store = Arc::new(Memory::default());
    let windows = |tape: &Tape| Pipeline::from(tape.clone()).window(Tumbling::millis(50));
    let graph = windows(&tape).branch(|w| w.sink(append("one", &file))).sink(append("one", &file));
    let refused = graph.build().unwrap().checkpoints(hurried(&store)).err().unwrap();
    assert!(matches!(&refused, BuildError::Setting { found, .. } if found == "two named one"), "{refused}");
    let mut other = Tape::eventful("other", 1, 100, 2);
    other.name = "tape".into();
    let graph = Pipeline::from(tape).merge(other).window(Tumbling::millis(50)).sink(append("one", &file));
    let refused = graph.build().unwrap().checkpoints(hurried(&store)).err().unwrap();
    assert!(matches!(&refused, BuildError::Setting { found, .. } if found == "two named tape"), "{refused}");
}

/// Leaves a checkpoint of a graph with one stage in the middle of its input.
fn leave_one(store: &Arc<Memory>, tape: &Tape, file: &File, hold: usize) {
    let running =
        staged(tape, file, hold).checkpoints(hurried(store)).unwrap().spawn(Workers::new(2)).unwrap();
    while running.progress().windows < 20 {
        std::thread::yield_now();
    }
    assert!(running.suspend().unwrap().checkpoints.suspended);
}

fn staged(tape: &Tape, file: &File, hold: usize) -> Pipeline {
    let graph = Pipeline::from(tape.clone()).stage(move || Smooth::holding(hold));
    graph.window(Tumbling::millis(50)).sink(append("windows", file)).build().unwrap()
}

#[test]
fn a_changed_pipeline_names_the_stage_that_differs_and_a_migration_takes_it_over() {
    in_time("changed", || {
        let (tape, file) = (Tape::eventful("tape", 3, 100_000, 5), File::default());
        let store = Arc::new(Memory::default());
        leave_one(&store, &tape, &file, 3);
        // Another graph: the stage is not there any more.
        let plain = || {
            let graph = Pipeline::from(tape.clone()).window(Tumbling::millis(50));
            graph.sink(append("windows", &file)).build().unwrap()
        };
        let refused = plain().checkpoints(hurried(&store)).unwrap().spawn(Workers::new(1)).err().unwrap();
        let PipelineError::Checkpoint(CheckpointError::ChangedPipeline { stage, expected, found }) = &refused
        else {
            panic!("{refused}")
        };
        assert!(stage.starts_with("window of 50 ms") && expected.starts_with(stage.as_str()), "{refused}");
        assert!(found.contains("stage 1 (Smooth)"), "{refused}");
        // The same graph of stages with another design: each operator's contract is in its state.
        let changed = staged(&tape, &file, 4).checkpoints(hurried(&store)).unwrap();
        let refused = changed.spawn(Workers::new(1)).unwrap().join().unwrap_err();
        let PipelineError::Restore { source, .. } = &refused else { panic!("{refused}") };
        assert!(
            matches!(&**source, RestoreFault::Contract { stage, .. } if stage.contains("Smooth")),
            "{refused}"
        );
        // A migration that leaves the stage out.
        let migration = Migration::new(|_, mut snapshot| {
            snapshot.sections.retain(|section| !section.stage.contains("Smooth"));
            Some(snapshot)
        });
        let moved = plain().checkpoints(hurried(&store).with_migration(migration)).unwrap();
        let report = moved.run().unwrap();
        assert!(report.checkpoints.restored.is_some() && report.balances());
    });
}

#[test]
fn a_full_disk_stops_no_signal_and_what_was_not_written_is_written_later() {
    in_time("full disk", || {
        let mut tapes = [Tape::eventful("tape", 4, 30_000, 9)];
        tapes[0].pace.1 = Duration::from_micros(300);
        let (expected, found, store) = (Files::default(), Files::default(), Arc::new(Memory::default()));
        pipeline(&tapes, &expected, &Fuses::none()).run().unwrap();
        let begin = || pipeline(&tapes, &found, &Fuses::none()).checkpoints(hurried(&store)).unwrap();
        let running = begin().spawn(Workers::new(2)).unwrap();
        let watch = running.watch();
        let until = |what: &dyn Fn(u64, u64) -> bool| {
            loop {
                let seen = watch.status().checkpoints;
                if what(seen.committed, seen.abandoned) {
                    return;
                }
                std::thread::yield_now();
            }
        };
        until(&|committed, _| committed >= 2);
        store.full.store(true, Ordering::SeqCst);
        until(&|_, abandoned| abandoned >= 2);
        let trouble = watch.status().checkpoints.trouble.unwrap();
        assert!(trouble.contains("cannot write"), "{trouble}");
        store.full.store(false, Ordering::SeqCst);
        let before = watch.status().checkpoints.committed;
        until(&|committed, _| committed >= before + 2);
        assert_eq!(watch.status().checkpoints.trouble, None);
        let left = running.suspend().unwrap();
        assert!(left.checkpoints.suspended && left.checkpoints.abandoned >= 2);
        begin().spawn(Workers::new(3)).unwrap().join().unwrap();
        assert_eq!(difference(&expected, &found), None);
    });
}

/// Answers no barrier before its gate is opened.
#[derive(Clone, Default)]
struct Stuck {
    gate: Arc<(Mutex<bool>, Condvar)>,
    written: Arc<Mutex<u64>>,
}

impl Sink for Stuck {
    type Item = Window;
    type Writer = Self;

    fn name(&self) -> String {
        "stuck".into()
    }

    fn placement(&self) -> Placement {
        Placement::Thread { capacity: 4, overflow: Overflow::Block }
    }

    fn open(&self, _: &SinkContext) -> Result<Self, SinkError> {
        Ok(self.clone())
    }
}

impl SinkWriter for Stuck {
    type Item = Window;

    fn write(&mut self, items: &mut Vec<Window>) -> Result<(), SinkError> {
        *self.written.lock().unwrap() += items.drain(..).count() as u64;
        Ok(())
    }

    fn barrier(&mut self, _: u64) -> Result<Positions, SinkError> {
        let mut open = self.gate.0.lock().unwrap();
        while !*open {
            open = self.gate.1.wait(open).unwrap();
        }
        Ok(Positions::default())
    }
}

#[test]
fn a_part_that_does_not_answer_is_waited_for_only_so_long() {
    in_time("stuck", || {
        let (sink, clock) = (Stuck::default(), Arc::new(FakeClock::new()));
        let store = Arc::new(Memory::default());
        let mut tape = Tape::eventful("tape", 2, 20_000, 3);
        tape.pace = (1, Duration::from_millis(1));
        let graph = Pipeline::from(tape).window(Tumbling::millis(50)).sink(sink.clone());
        let pipeline = graph.build().unwrap().with_clock(Arc::clone(&clock) as _);
        let running = pipeline.checkpoints(hurried(&store)).unwrap().spawn(Workers::new(2)).unwrap();
        let watch = running.watch();
        // A clock that leaps may also take a reader beyond a cut that it has not heard of.
        while !watch.status().checkpoints.trouble.is_some_and(|trouble| trouble.contains("20 s")) {
            clock.advance(1_000_000_000);
            std::thread::yield_now();
        }
        *sink.gate.0.lock().unwrap() = true;
        sink.gate.1.notify_all();
        while watch.status().checkpoints.committed == 0 {
            clock.advance(1_000_000);
            std::thread::yield_now();
        }
        running.stop();
        let report = running.join().unwrap();
        assert_eq!(*sink.written.lock().unwrap(), report.windows().total(), "what was held back is written");
    });
}
