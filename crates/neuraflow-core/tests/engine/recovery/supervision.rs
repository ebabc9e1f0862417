//! Started again after a failure, and given up on after too many; and a worker that hangs.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use neuraflow_core::checkpoint::{Config, RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::dataflow::{Checkpointing, Pipeline, PipelineError, Restarts, State, Tumbling, Workers};
use neuraflow_core::model::{Chunk, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, SignalSpec};
use neuraflow_core::resilience::Clock;
use neuraflow_core::testing::FakeClock;

use super::super::hostile::in_time;
use super::super::parts::Keep;
use super::graph::{Files, Fuses, books, difference, pipeline};
use super::store::Memory;
use super::tape::{Death, Fuse, Tape};

fn at_once(limit: u32) -> Restarts {
    Restarts::at_most(limit).backing_off(Duration::ZERO, Duration::ZERO)
}

fn hurried() -> Checkpointing {
    Checkpointing::new(Arc::new(Memory::default())).with_config(Config::hurried(Duration::ZERO))
}

#[test]
fn a_pipeline_that_panics_goes_on_from_its_last_checkpoint_in_the_same_process() {
    in_time("supervised", || {
        for death in [Death::Panics, Death::Fails] {
            let tapes = [1, 2].map(|n| Tape::eventful(&format!("tape {n}"), 3, 9_000, n));
            let (expected, found) = (Files::default(), Files::default());
            let report = pipeline(&tapes, &expected, &Fuses::none()).run().unwrap();
            let fuses = Fuses {
                source: Fuse::at(&[40, 90], death),
                operator: Fuse::at(&[150, 400], death),
                sink: Fuse::at(&[60], death),
            };
            let supervised = pipeline(&tapes, &found, &fuses).checkpoints(hurried()).unwrap();
            let supervised = supervised.supervise(Workers::new(2), at_once(9)).unwrap();
            let watch = supervised.watch();
            while !matches!(supervised.health().state, State::Finished) {
                assert_ne!(supervised.health().state, State::Failed, "{:?}", supervised.health());
                std::thread::yield_now();
            }
            let health = supervised.health();
            assert!((1..=5).contains(&health.restarts) && health.reason.is_some(), "{health:?}");
            assert_eq!(supervised.progress().restarts, health.restarts);
            assert_eq!(watch.status().health, health, "it looks at the run that is on");
            let after = supervised.join().unwrap();
            assert_eq!(difference(&expected, &found), None, "{death:?}");
            assert_eq!(books(&report), books(&after), "{death:?}");
        }
    });
}

#[test]
fn a_supervised_pipeline_can_be_left_at_a_checkpoint_too() {
    in_time("left", || {
        let tapes = [Tape::eventful("tape", 3, 9_000, 7)];
        let (expected, found, store) = (Files::default(), Files::default(), Arc::new(Memory::default()));
        pipeline(&tapes, &expected, &Fuses::none()).run().unwrap();
        let begin = || {
            let checkpointing = Checkpointing::new(Arc::clone(&store) as _);
            let checkpointing = checkpointing.with_config(Config::hurried(Duration::ZERO));
            pipeline(&tapes, &found, &Fuses::none()).checkpoints(checkpointing).unwrap()
        };
        let supervised = begin().supervise(Workers::new(2), at_once(1)).unwrap();
        while supervised.progress().windows < 20 {
            std::thread::yield_now();
        }
        assert!(supervised.suspend().unwrap().checkpoints.suspended);
        assert!(difference(&expected, &found).is_some(), "it was left before the end");
        let report = begin().run().unwrap();
        assert!(report.checkpoints.restored.is_some() && report.balances());
        assert_eq!(difference(&expected, &found), None);
    });
}

#[test]
fn one_that_always_fails_is_given_up_on() {
    in_time("limit", || {
        let fuses = Fuses { source: Fuse::of(0, Death::Panics), ..Fuses::none() };
        let tapes = [Tape::eventful("tape", 1, 1_000, 1)];
        let always = pipeline(&tapes, &Files::default(), &fuses).checkpoints(hurried()).unwrap();
        let supervised = always.supervise(Workers::new(2), at_once(3)).unwrap();
        while supervised.health().state != State::Failed || supervised.health().restarts < 3 {
            std::thread::yield_now();
        }
        let (_, result) = supervised.outcome();
        let error = result.unwrap_err();
        assert!(matches!(&error, PipelineError::Panicked { .. }), "{error}");
    });
}

#[test]
fn restarts_wait_by_the_pipelines_clock_and_a_stop_ends_the_wait() {
    in_time("back-off", || {
        let fuses = Fuses { source: Fuse::at(&[1], Death::Panics), ..Fuses::none() };
        let (clock, tapes) = (Arc::new(FakeClock::new()), [Tape::eventful("tape", 1, 1_000, 1)]);
        let once = pipeline(&tapes, &Files::default(), &fuses).with_clock(Arc::clone(&clock) as _);
        let restarts = Restarts::at_most(3).backing_off(Duration::from_secs(2), Duration::from_secs(60));
        let supervised = once.supervise(Workers::new(1), restarts).unwrap();
        while supervised.health().state != State::Restarting {
            std::thread::yield_now();
        }
        while supervised.health().restarts == 0 {
            clock.advance(10_000_000);
            std::thread::yield_now();
        }
        assert!(clock.now() >= 2_000_000_000, "{} ns", clock.now());
        assert_eq!(supervised.join().map(|report| report.balances()).ok(), Some(true));

        let fuses = Fuses { source: Fuse::of(0, Death::Fails), ..Fuses::none() };
        let never = pipeline(&tapes, &Files::default(), &fuses).with_clock(Arc::clone(&clock) as _);
        let supervised = never.supervise(Workers::new(1), restarts).unwrap();
        while supervised.health().state != State::Restarting {
            std::thread::yield_now();
        }
        supervised.stop();
        assert!(supervised.join().is_err(), "what it failed of is told");
    });
}

type Gate = Arc<(Mutex<(bool, bool)>, Condvar)>;

/// Hangs in its first window until the gate is opened; says that it does.
struct Hangs(Gate);

impl Operator for Hangs {
    type In = Chunk;
    type Out = Chunk;

    fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
        Ok(spec.clone())
    }

    fn process(&mut self, _: &Chunk, _: &mut Chunk) -> Result<(), OperatorError> {
        let mut gate = self.0.0.lock().unwrap();
        gate.0 = true;
        self.0.1.notify_all();
        while !gate.1 {
            gate = self.0.1.wait(gate).unwrap();
        }
        Ok(())
    }

    fn reset(&mut self) {}

    fn latency(&self) -> Latency {
        Latency::default()
    }

    fn snapshot(&self, _: &mut SnapshotWriter) {}

    fn restore(&mut self, _: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        Ok(())
    }
}

#[test]
fn a_worker_that_hangs_is_reported_and_not_waited_for() {
    for supervised in [false, true] {
        in_time("hung", move || {
            let (gate, clock) = (Gate::default(), Arc::new(FakeClock::new()));
            let (sink, _) = Keep::<Window>::new();
            let hangs = Arc::clone(&gate);
            let graph = Pipeline::from(Tape::eventful("tape", 3, 9_000, 4));
            let graph =
                graph.stage(move || Hangs(Arc::clone(&hangs))).window(Tumbling::millis(50)).sink(sink);
            let pipeline = graph.build().unwrap().with_clock(Arc::clone(&clock) as _);
            let pipeline = pipeline.checkpoints(hurried()).unwrap().watchdog(Duration::from_secs(5));
            let wait_until_it_hangs = || {
                let mut state = gate.0.lock().unwrap();
                while !state.0 {
                    state = gate.1.wait(state).unwrap();
                }
                drop(state);
                clock.advance(5_500_000_000);
            };
            let error = if supervised {
                let running = pipeline.supervise(Workers::new(2), at_once(3)).unwrap();
                wait_until_it_hangs();
                while running.health().state != State::Hung {
                    std::thread::yield_now();
                }
                assert_eq!(running.health().restarts, 0, "a new thread would meet the old one");
                running.join().unwrap_err()
            } else {
                let running = pipeline.spawn(Workers::new(2)).unwrap();
                let watch = running.watch();
                wait_until_it_hangs();
                let error = running.join().unwrap_err();
                assert_eq!(watch.health().state, State::Hung);
                error
            };
            assert!(
                matches!(&error, PipelineError::WorkerHung { time, .. } if time.as_secs() == 5),
                "{error}"
            );
            gate.0.lock().unwrap().1 = true;
            gate.1.notify_all();
        });
    }
}
