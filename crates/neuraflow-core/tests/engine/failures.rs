//! What happens when a part fails.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use neuraflow_core::dataflow::{Pipeline, PipelineError, Tumbling, Workers};
use neuraflow_core::ingest::Ingest;
use neuraflow_core::model::{Features, StreamHeader, Window};
use neuraflow_core::sink::{Overflow, Placement, Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader};

use super::parts::{Keep, Script, Sum, header};

/// Gives samples for ever, on every worker its own stream, and goes idle now and then as a device does.
pub(crate) struct Endless;

struct EndlessReader {
    header: StreamHeader,
    n: u64,
}

impl Source for Endless {
    fn name(&self) -> String {
        "endless".into()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        Vec::new()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        let header = header(&format!("device {}", context.worker), 1_000, 2);
        Ok(Some(Box::new(EndlessReader { header, n: 0 })))
    }
}

impl SourceReader for EndlessReader {
    fn poll(&mut self, out: &mut Ingest, _: usize) -> Result<Polled, SourceError> {
        let slot = match out.slot(&self.header.key) {
            Some(slot) => slot,
            None => out.open(self.header.clone()),
        };
        out.samples(slot, self.n, &[1.0; 20]);
        self.n += 10;
        Ok(Polled::After(Duration::from_micros(100)))
    }
}

#[test]
fn a_panic_stops_all_workers_and_comes_back_as_an_error() {
    for workers in [1, 3] {
        let (sink, _) = Keep::<Features>::new();
        let make = || Sum { panics_at: Some(7), ..Sum::default() };
        let graph = Pipeline::from(Endless).window(Tumbling::millis(50)).feature(make).sink(sink);
        let running = graph.build().unwrap().spawn(Workers::new(workers)).unwrap();
        let begun = Instant::now();
        let error = running.join().unwrap_err();
        assert!(
            matches!(&error, PipelineError::Panicked { message, .. } if message.contains("told to panic")),
            "{error}"
        );
        assert!(begun.elapsed() < Duration::from_secs(20), "the workers hung");
    }
    // And the process is none the worse for it.
    let (sink, kept) = Keep::new();
    let graph = Pipeline::from(Script::of(&[header("a", 100, 1)], 100, 10)).window(Tumbling::millis(50));
    graph.feature(Sum::default).sink(sink).build().unwrap().run().unwrap();
    assert_eq!(kept.lock().unwrap().len(), 20);
}

#[test]
fn a_stop_drains_and_accounts_for_everything() {
    let (sink, kept) = Keep::<Window>::new();
    let graph = Pipeline::from(Endless).window(Tumbling::millis(50)).sink(sink);
    let running = graph.build().unwrap().spawn(Workers::new(2)).unwrap();
    while running.progress().windows < 10 {
        std::thread::yield_now();
    }
    running.stopper().stop();
    let report = running.join().unwrap();
    assert!(report.balances());
    assert_eq!(report.windows().total(), kept.lock().unwrap().len() as u64);
    let in_windows: u64 = kept.lock().unwrap().iter().map(|w| u64::from(w.info.received)).sum();
    assert_eq!(report.accounting().windowed, in_windows, "the last, partial windows included");
}

#[test]
fn dropping_a_running_pipeline_stops_it() {
    let (sink, _) = Keep::<Window>::new();
    let graph = Pipeline::from(Endless).window(Tumbling::millis(50)).sink(sink);
    drop(graph.build().unwrap().spawn(Workers::new(2)).unwrap());
}

/// Cannot be opened: says so, or panics.
struct Broken {
    panics: bool,
}

impl Source for Broken {
    fn name(&self) -> String {
        "broken".into()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        Vec::new()
    }

    fn open(&self, _: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        assert!(!self.panics, "no amplifier");
        let source = io::Error::from(io::ErrorKind::ConnectionRefused);
        Err(SourceError::Io { action: "open", target: "the amplifier".into(), source })
    }
}

#[test]
fn a_source_that_cannot_be_opened_ends_the_pipeline() {
    let (sink, _) = Keep::<Window>::new();
    let graph =
        Pipeline::from(Endless).merge(Broken { panics: false }).window(Tumbling::millis(50)).sink(sink);
    let error = graph.build().unwrap().spawn(Workers::new(2)).unwrap().join().unwrap_err();
    assert!(error.to_string().starts_with("source broken: cannot open the amplifier"), "{error}");
}

#[test]
fn a_source_that_panics_when_opened_leaves_no_sink_waiting() {
    let (sink, _) = Keep::<Window>::new();
    let sink = Keep { placement: Placement::Thread { capacity: 2, overflow: Overflow::Block }, ..sink };
    let graph = Pipeline::from(Broken { panics: true }).window(Tumbling::millis(50)).sink(sink);
    let error = graph.build().unwrap().spawn(Workers::new(2)).unwrap().join().unwrap_err();
    assert!(error.to_string().contains("no amplifier"), "{error}");
}

/// Takes windows with an even number and refuses the others.
struct Even;

impl Sink for Even {
    type Item = Window;
    type Writer = Self;

    fn name(&self) -> String {
        "even".into()
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }

    fn open(&self, _: &SinkContext) -> Result<Self, SinkError> {
        Ok(Self)
    }
}

impl SinkWriter for Even {
    type Item = Window;

    fn write(&mut self, items: &mut Vec<Window>) -> Result<(), SinkError> {
        items.retain(|window| window.info.index % 2 != 0);
        let (expected, found) = ("an even number".into(), format!("{} odd ones", items.len()));
        let refused = SinkError::Layout { sink: "even".into(), what: "window", expected, found };
        if items.is_empty() { Ok(()) } else { Err(refused) }
    }
}

#[test]
fn what_a_sink_leaves_is_skipped_and_the_rest_is_written() {
    let graph = Pipeline::from(Script::of(&[header("a", 100, 1)], 100, 10)).window(Tumbling::millis(50));
    let report = graph.sink(Even).build().unwrap().run().unwrap();
    assert_eq!((report.sinks[0].written, report.sinks[0].skipped), (10, 10));
}

/// Fails at the given write.
struct FullDisk {
    placement: Placement,
    writes: Arc<AtomicU64>,
}

impl Sink for FullDisk {
    type Item = Window;
    type Writer = Self;

    fn name(&self) -> String {
        "disk".into()
    }

    fn placement(&self) -> Placement {
        self.placement
    }

    fn open(&self, _: &SinkContext) -> Result<Self, SinkError> {
        Ok(Self { placement: self.placement, writes: Arc::clone(&self.writes) })
    }
}

impl SinkWriter for FullDisk {
    type Item = Window;

    fn write(&mut self, items: &mut Vec<Window>) -> Result<(), SinkError> {
        if self.writes.fetch_add(1, Ordering::SeqCst) >= 3 {
            let source = io::Error::from(io::ErrorKind::StorageFull);
            return Err(SinkError::Io {
                sink: "disk".into(),
                action: "write",
                target: "x.csv".into(),
                source,
            });
        }
        items.clear();
        Ok(())
    }
}

#[test]
fn a_sink_that_fails_ends_the_pipeline_wherever_it_runs() {
    let thread = Placement::Thread { capacity: 2, overflow: Overflow::Block };
    for placement in [Placement::Inline, thread] {
        let sink = FullDisk { placement, writes: Arc::default() };
        let graph = Pipeline::from(Endless).window(Tumbling::millis(50)).sink(sink);
        let error = graph.build().unwrap().spawn(Workers::new(2)).unwrap().join().unwrap_err();
        assert!(error.to_string().starts_with("sink disk: cannot write x.csv"), "{error}");
    }
}
