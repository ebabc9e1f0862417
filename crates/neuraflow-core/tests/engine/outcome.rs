//! What is left of a pipeline that has failed: its books, and what its sinks took.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use neuraflow_core::dataflow::{Pipeline, PipelineError, Tumbling, Workers};
use neuraflow_core::model::{Features, PacketBody, Span, Window};
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};

use super::parts::{Keep, Script, Sum, header};

/// Counts what was written, and of that what was finished.
#[derive(Clone, Default)]
struct Finishing {
    written: Arc<AtomicU64>,
    finished: Arc<AtomicU64>,
    panics: bool,
}

impl Sink for Finishing {
    type Item = Window;
    type Writer = Writer;

    fn name(&self) -> String {
        "finishing".into()
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }

    fn open(&self, _: &SinkContext) -> Result<Writer, SinkError> {
        Ok(Writer { sink: self.clone(), own: 0 })
    }
}

struct Writer {
    sink: Finishing,
    own: u64,
}

impl SinkWriter for Writer {
    type Item = Window;

    fn write(&mut self, items: &mut Vec<Window>) -> Result<(), SinkError> {
        self.own += items.len() as u64;
        self.sink.written.fetch_add(items.len() as u64, Ordering::SeqCst);
        items.clear();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.sink.finished.fetch_add(self.own, Ordering::SeqCst);
        assert!(!self.sink.panics, "told to panic at the end");
        Ok(())
    }
}

#[test]
fn a_failed_pipeline_gives_its_books_and_finishes_its_sinks() {
    let headers = ["a", "b", "c"].map(|name| header(name, 1_000, 1));
    for (workers, panics) in [(1, false), (3, false), (1, true)] {
        let mut script = Script::of(&headers, 100_000, 10);
        // Of one stream a packet is missing from early on: what comes after it waits for a long time.
        script.packets.retain(|packet| match packet.body {
            PacketBody::Samples { sequence, .. } => packet.stream != headers[2].key || sequence != 100,
            _ => true,
        });
        let sink = Finishing { panics, ..Finishing::default() };
        let (kept, _) = Keep::<Features>::new();
        let make = || Sum { panics_at: Some(70), ..Sum::default() };
        let graph = Pipeline::from(script).lateness(Span::secs(50)).window(Tumbling::millis(50));
        let graph = graph.branch(|windows| windows.sink(sink.clone())).feature(make).sink(kept);
        let (report, result) = graph.build().unwrap().spawn(Workers::new(workers)).unwrap().outcome();
        let error = result.unwrap_err();
        assert!(matches!(&error, PipelineError::Panicked { .. }), "{error}");
        assert!(report.balances(), "{report:?}");
        let names: Vec<_> = report.streams.iter().map(|stream| stream.header.name.as_str()).collect();
        assert!(names.contains(&"a") || names.contains(&"b"), "{names:?}");
        assert!(report.accounting().windowed >= 3_500, "{:?}", report.accounting());
        if workers == 1 {
            assert_eq!(names.len(), 3);
            assert!(report.accounting().dropped > 0, "what waited is given up: {:?}", report.accounting());
        }
        let written = sink.written.load(Ordering::SeqCst);
        assert!(written > 0);
        assert_eq!(sink.finished.load(Ordering::SeqCst), written, "{workers} workers");
        assert_eq!(report.sinks[0].written, written);
    }
}
