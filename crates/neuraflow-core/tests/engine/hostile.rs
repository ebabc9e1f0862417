//! Parts that misbehave: nothing they do may hang the host, or leave a thread behind.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use neuraflow_core::dataflow::{Pipeline, PipelineError, Report, Tumbling, Workers};
use neuraflow_core::ingest::Ingest;
use neuraflow_core::model::{StreamHeader, Window};
use neuraflow_core::sink::{Overflow, Placement, Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader};

use super::parts::{Keep, Script, header};

/// Runs something that must come back; that it hangs is a failure instead of a test that never ends.
pub(super) fn in_time<T: Send + 'static>(what: &str, run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, waiting) = mpsc::channel();
    std::thread::spawn(move || done.send(run()));
    waiting.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|error| panic!("{what}: {error}"))
}

const QUEUED: Placement = Placement::Thread { capacity: 4, overflow: Overflow::Block };

fn queued<T>() -> (Keep<T>, Arc<Mutex<Vec<T>>>) {
    let (mut sink, kept) = Keep::new();
    sink.placement = QUEUED;
    (sink, kept)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Open,
    Poll,
}

/// A source that panics.
struct Panics(Place);

impl Source for Panics {
    fn name(&self) -> String {
        "panics".into()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        Vec::new()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        assert!(self.0 != Place::Open || context.worker != 0, "told to panic");
        Ok(Some(Box::new(PanicsReader)))
    }
}

struct PanicsReader;

impl SourceReader for PanicsReader {
    fn poll(&mut self, _: &mut Ingest, _: usize) -> Result<Polled, SourceError> {
        panic!("told to panic")
    }
}

fn panicked(result: Result<Report, PipelineError>) {
    let error = result.unwrap_err();
    assert!(
        matches!(&error, PipelineError::Panicked { message, .. } if message.contains("told to panic")),
        "{error}"
    );
}

#[test]
fn a_source_that_panics_does_not_hang_a_sink_with_a_thread() {
    for place in [Place::Open, Place::Poll] {
        for workers in [1, 3] {
            let result = in_time(&format!("{place:?} on {workers}"), move || {
                let (sink, _) = queued::<Window>();
                let graph = Pipeline::from(Script::of(&[header("a", 100, 1)], 100, 10)).merge(Panics(place));
                graph
                    .window(Tumbling::millis(50))
                    .sink(sink)
                    .build()
                    .unwrap()
                    .spawn(Workers::new(workers))
                    .unwrap()
                    .join()
            });
            panicked(result);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Open,
    Write,
    Finish,
}

/// A sink that panics or fails.
#[derive(Clone)]
struct Bad {
    when: When,
    panics: bool,
    placement: Placement,
}

impl Bad {
    fn at(&self, when: When) -> Result<(), SinkError> {
        if when != self.when {
            return Ok(());
        }
        assert!(!self.panics, "told to panic");
        Err(SinkError::Disconnected { sink: "bad".into() })
    }
}

impl Sink for Bad {
    type Item = Window;
    type Writer = Self;

    fn name(&self) -> String {
        "bad".into()
    }

    fn placement(&self) -> Placement {
        self.placement
    }

    fn open(&self, _: &SinkContext) -> Result<Self, SinkError> {
        self.at(When::Open)?;
        Ok(self.clone())
    }
}

impl SinkWriter for Bad {
    type Item = Window;

    fn write(&mut self, items: &mut Vec<Window>) -> Result<(), SinkError> {
        self.at(When::Write)?;
        items.clear();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.at(When::Finish)
    }
}

#[test]
fn a_sink_that_panics_comes_back_as_an_error() {
    for when in [When::Open, When::Write, When::Finish] {
        for (placement, workers) in [(Placement::Inline, 1), (Placement::Inline, 3), (QUEUED, 1), (QUEUED, 3)]
        {
            if placement == QUEUED && when == When::Open {
                continue; // on the host's own thread: the panic is the host's
            }
            let result = in_time(&format!("{when:?} {placement:?} on {workers}"), move || {
                let bad = Bad { when, panics: true, placement };
                let (sink, _) = queued::<Window>();
                let graph = Pipeline::from(Script::of(&[header("a", 100, 1)], 1_000, 10))
                    .window(Tumbling::millis(50));
                graph
                    .branch(|w| w.sink(bad))
                    .sink(sink)
                    .build()
                    .unwrap()
                    .spawn(Workers::new(workers))
                    .unwrap()
                    .join()
            });
            panicked(result);
        }
    }
}

#[test]
fn a_start_that_fails_leaves_no_sink_thread_behind() {
    let (sink, kept) = queued::<Window>();
    let bad = Bad { when: When::Open, panics: false, placement: QUEUED };
    let graph = Pipeline::from(Script::of(&[header("a", 100, 1)], 100, 10)).window(Tumbling::millis(50));
    let pipeline = graph.branch(|w| w.sink(sink)).sink(bad).build().unwrap();
    let Err(error) = pipeline.spawn(Workers::new(2)) else { panic!("it started") };
    assert!(error.to_string().contains("bad"), "{error}");
    // The writer of the sink that did open holds the other reference.
    in_time("the thread of the first sink", move || {
        while Arc::strong_count(&kept) > 1 {
            std::thread::yield_now();
        }
    });
}

#[test]
fn a_sink_is_let_go_when_the_input_has_ended_not_only_when_the_handle_is_joined() {
    for (placement, workers) in [(Placement::Inline, 1), (Placement::Inline, 3), (QUEUED, 2)] {
        in_time(&format!("{placement:?} on {workers}"), move || {
            let (mut sink, kept) = Keep::<Window>::new();
            sink.placement = placement;
            let graph = Pipeline::from(Script::of(&[header("a", 100, 1)], 100, 10));
            let graph = graph.window(Tumbling::millis(50)).sink(sink).build().unwrap();
            let running = graph.spawn(Workers::new(workers)).unwrap();
            // As a host does that reads a channel to its end and joins afterwards.
            while Arc::strong_count(&kept) > 1 {
                std::thread::yield_now();
            }
            assert_eq!(kept.lock().unwrap().len(), 20);
            running.join().unwrap();
        });
    }
}
