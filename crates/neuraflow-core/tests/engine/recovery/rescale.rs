//! Left at a checkpoint, and gone on with on another number of workers.

use std::sync::Arc;
use std::time::Duration;

use neuraflow_core::checkpoint::Config;
use neuraflow_core::dataflow::{Checkpointing, Pipeline, Tumbling, Workers};
use neuraflow_core::model::Features;

use super::super::hostile::in_time;
use super::super::parts::{Keep, by_stream};
use super::graph::{Files, Fuses, books, difference, pipeline};
use super::operators::Running;
use super::store::Memory;
use super::tape::{Fuse, Random, Tape};

/// Only checkpoints that are asked for.
fn seldom(store: &Arc<Memory>) -> Checkpointing {
    Checkpointing::new(Arc::clone(store) as _).with_config(Config::hurried(Duration::from_secs(3_600)))
}

#[test]
fn from_one_worker_to_two_to_four_to_one_the_output_is_the_same() {
    for round in 0..20 {
        in_time(&format!("round {round}"), move || {
            let mut random = Random::new(round + 1);
            let tapes = [1, 2].map(|n| Tape::eventful(&format!("tape {n}"), 4, 9_000, random.next()));
            let (expected, found, store) = (Files::default(), Files::default(), Arc::new(Memory::default()));
            let report = pipeline(&tapes, &expected, &Fuses::none()).run().unwrap();
            let mut suspended = 0;
            // Slow enough that it is left long before its end.
            let slow = tapes.clone().map(|tape| Tape { pace: (3, Duration::from_millis(1)), ..tape });
            for workers in [1, 2, 4, 1] {
                let pipeline = pipeline(&slow, &found, &Fuses::none()).checkpoints(seldom(&store)).unwrap();
                let running = pipeline.spawn(Workers::new(workers)).unwrap();
                let windows = random.below(120);
                while running.progress().windows < windows && !running.is_finished() {
                    std::thread::yield_now();
                }
                let left = running.suspend().unwrap();
                assert!(left.checkpoints.suspended, "round {round}: it came to its end before it was left");
                suspended += u64::from(left.checkpoints.suspended);
            }
            let last = pipeline(&tapes, &found, &Fuses::none()).checkpoints(seldom(&store)).unwrap();
            let last = last.spawn(Workers::new(3)).unwrap().join().unwrap();
            assert_eq!((suspended, last.checkpoints.restored), (4, Some(4)));
            if let Some(difference) = difference(&expected, &found) {
                panic!("round {round}: {difference}");
            }
            assert_eq!(books(&report), books(&last), "round {round}");
        });
    }
}

#[test]
fn what_is_written_in_line_comes_once_over_a_suspension() {
    let graph = |tape: &Tape, sink| {
        let feature = || Running::later(2, Fuse::never());
        Pipeline::from(tape.clone()).window(Tumbling::millis(50)).feature(feature).sink(sink).build().unwrap()
    };
    in_time("in line", move || {
        let mut tape = Tape::eventful("tape", 5, 6_000, 77);
        let (sink, expected) = Keep::<Features>::new();
        graph(&tape, sink).run().unwrap();
        tape.pace = (3, Duration::from_millis(1));
        let (store, (_, found)) = (Arc::new(Memory::default()), Keep::<Features>::new());
        for workers in [2, 1, 3, 2] {
            let sink = Keep { kept: Arc::clone(&found), ..Keep::new().0 };
            let running = graph(&tape, sink).checkpoints(seldom(&store)).unwrap();
            let running = running.spawn(Workers::new(workers)).unwrap();
            let before = found.lock().unwrap().len();
            while found.lock().unwrap().len() < before + 20 && !running.is_finished() {
                std::thread::yield_now();
            }
            assert!(running.suspend().unwrap().checkpoints.suspended);
        }
        let sink = Keep { kept: Arc::clone(&found), ..Keep::new().0 };
        graph(&tape, sink).checkpoints(seldom(&store)).unwrap().run().unwrap();
        assert_eq!(format!("{:?}", by_stream(&found)), format!("{:?}", by_stream(&expected)));
    });
}
