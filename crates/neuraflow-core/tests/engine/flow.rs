//! Flow control between the workers and a slow sink.

use std::sync::{Arc, Condvar, Mutex};

use neuraflow_core::dataflow::{Pipeline, Tumbling, Workers};
use neuraflow_core::model::Window;
use neuraflow_core::sink::{Overflow, Placement, Sink, SinkContext, SinkError, SinkWriter};

use super::parts::{Script, header};

/// A sink that takes nothing until its gate is opened.
#[derive(Clone)]
struct Gated {
    overflow: Overflow,
    gate: Arc<(Mutex<bool>, Condvar)>,
    written: Arc<Mutex<Vec<i64>>>,
}

impl Gated {
    fn new(overflow: Overflow) -> Self {
        Self { overflow, gate: Arc::default(), written: Arc::default() }
    }

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
        Placement::Thread { capacity: 4, overflow: self.overflow }
    }

    fn open(&self, _: &SinkContext) -> Result<Self, SinkError> {
        Ok(self.clone())
    }
}

impl SinkWriter for Gated {
    type Item = Window;

    fn write(&mut self, items: &mut Vec<Window>) -> Result<(), SinkError> {
        let mut open = self.gate.0.lock().unwrap();
        while !*open {
            open = self.gate.1.wait(open).unwrap();
        }
        self.written.lock().unwrap().extend(items.drain(..).map(|w| w.info.index));
        Ok(())
    }
}

#[test]
fn a_slow_sink_that_blocks_loses_nothing() {
    for workers in [1, 2] {
        let sink = Gated::new(Overflow::Block);
        let headers = [header("a", 100, 1), header("b", 100, 1), header("c", 100, 1)];
        let graph =
            Pipeline::from(Script::of(&headers, 10_000, 10)).window(Tumbling::millis(50)).sink(sink.clone());
        let running = graph.build().unwrap().spawn(Workers::new(workers)).unwrap();
        // Let it run into the closed gate: input stops long before its end.
        while running.progress().windows < 8 {
            std::thread::yield_now();
        }
        assert!(!running.is_finished());
        sink.open_gate();
        let report = running.join().unwrap();
        assert_eq!((report.sinks[0].written, report.sinks[0].dropped), (6_000, 0));
        assert!(report.balances());
    }
}

#[test]
fn a_slow_sink_that_drops_counts_what_it_drops() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let sink = Gated::new(overflow);
        let graph =
            Pipeline::from(Script::of(&[header("a", 100, 1)], 1_000, 10)).window(Tumbling::millis(50));
        let running = graph.sink(sink.clone()).build().unwrap().spawn(Workers::new(1)).unwrap();
        while !running.is_finished() {
            std::thread::yield_now();
        }
        sink.open_gate();
        let report = running.join().unwrap();
        let written = sink.written.lock().unwrap().clone();
        assert_eq!(written.len() as u64 + report.sinks[0].dropped, 200, "{overflow:?}");
        assert!(report.sinks[0].dropped >= 190, "{overflow:?}");
        let newest_kept = written.contains(&199);
        assert_eq!(newest_kept, overflow == Overflow::DropOldest, "{overflow:?}: {written:?}");
    }
}
