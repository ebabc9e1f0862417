//! Operators and sinks that fail at any step of their lives.

use std::sync::atomic::{AtomicUsize, Ordering};

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::dataflow::{Pipeline, PipelineError, Report, Tumbling, Workers};
use neuraflow_core::model::{Chunk, Packet, PacketBody, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, SignalSpec};
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};

use super::hostile::in_time;
use super::parts::{Keep, Script, header, packets};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Prepare,
    Process,
    Finish,
    Reset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Panics,
    Fails,
    Behaves,
}

/// Passes everything on, until its time has come.
struct Moody(Step, How);

impl Moody {
    fn at(&self, step: Step) -> Result<(), OperatorError> {
        match self.1 {
            _ if self.0 != step => Ok(()),
            How::Behaves => Ok(()),
            How::Panics => panic!("told to panic"),
            How::Fails => {
                let (expected, found) = ("told to fail".into(), "a failure".into());
                Err(OperatorError::Spec { what: "mood", expected, found })
            }
        }
    }
}

impl Operator for Moody {
    type In = Chunk;
    type Out = Chunk;

    fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
        self.at(Step::Prepare)?;
        Ok(spec.clone())
    }

    fn process(&mut self, chunk: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        self.at(Step::Process)?;
        out.extend(chunk.values());
        Ok(())
    }

    fn finish(&mut self, _: &mut Chunk) -> Result<(), OperatorError> {
        self.at(Step::Finish)
    }

    fn reset(&mut self) {
        drop(self.at(Step::Reset));
    }

    fn latency(&self) -> Latency {
        Latency::default()
    }

    fn snapshot(&self, _: &mut SnapshotWriter) {}

    fn restore(&mut self, _: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        Ok(())
    }
}

fn run(packets: Vec<Packet>, step: Step, how: How, workers: usize) -> Result<Report, PipelineError> {
    in_time(&format!("{step:?} {how:?} on {workers}"), move || {
        let (sink, _) = Keep::<Window>::new();
        let graph = Pipeline::from(Script { streams: Vec::new(), packets }).stage(move || Moody(step, how));
        let pipeline = graph.window(Tumbling::millis(50)).sink(sink).build().unwrap();
        pipeline.spawn(Workers::new(workers)).unwrap().join()
    })
}

/// A stream with a jump in it, opened twice.
fn eventful() -> Vec<Packet> {
    let a = header("a", 100, 1);
    let mut all = packets(&a, 100, 10);
    let last = all.pop();
    for n in [10_000, 10_010] {
        let body = PacketBody::Samples { sequence: n, values: vec![0.0; 10] };
        all.push(Packet { stream: a.key, body });
    }
    all.extend(last);
    all.extend(packets(&a, 100, 10));
    all
}

#[test]
fn an_operator_that_panics_at_any_step_stops_the_pipeline() {
    for step in [Step::Prepare, Step::Process, Step::Finish, Step::Reset] {
        for workers in [1, 2, 3] {
            let error = run(eventful(), step, How::Panics, workers).unwrap_err();
            let PipelineError::Panicked { message, .. } = &error else { panic!("{step:?}: {error}") };
            assert!(message.contains("told to panic"), "{error}");
        }
    }
}

#[test]
fn an_operator_that_fails_for_good_stops_the_pipeline_also_at_the_end_of_a_stream() {
    for step in [Step::Process, Step::Finish] {
        let error = run(eventful(), step, How::Fails, 2).unwrap_err();
        assert!(error.to_string().contains("told to fail"), "{step:?}: {error}");
    }
    let refused = run(eventful(), Step::Prepare, How::Fails, 2).unwrap();
    assert_eq!(refused.accounting().rejected, refused.accounting().samples_in);
}

#[test]
fn an_operator_that_fails_when_its_stream_is_opened_anew_stops_the_pipeline() {
    let a = header("a", 100, 1);
    let mut reopened = packets(&a, 10, 10);
    reopened.pop(); // no end: the open that follows is one
    reopened.extend(packets(&a, 10, 10));
    let error = in_time("opened anew", move || {
        let (sink, _) = Keep::<Window>::new();
        let made = AtomicUsize::new(0);
        let first_fails = move || match made.fetch_add(1, Ordering::SeqCst) {
            0 => Moody(Step::Finish, How::Fails),
            _ => Moody(Step::Finish, How::Behaves),
        };
        let source = Script { streams: Vec::new(), packets: reopened };
        let graph = Pipeline::from(source).stage(first_fails).window(Tumbling::millis(50)).sink(sink);
        graph.build().unwrap().run().unwrap_err()
    });
    assert!(error.to_string().contains("told to fail"), "{error}");
}

/// Says that it took everything, and did not; or gives back more than it was given.
#[derive(Clone)]
struct Lazy {
    placement: Placement,
    gives_back: bool,
}

impl Sink for Lazy {
    type Item = Window;
    type Writer = Self;

    fn name(&self) -> String {
        "lazy".into()
    }

    fn placement(&self) -> Placement {
        self.placement
    }

    fn open(&self, _: &SinkContext) -> Result<Self, SinkError> {
        Ok(self.clone())
    }
}

impl SinkWriter for Lazy {
    type Item = Window;

    fn write(&mut self, items: &mut Vec<Window>) -> Result<(), SinkError> {
        let one: Vec<Window> = items.iter().take(1).cloned().collect();
        if self.gives_back {
            items.extend(one);
        } else {
            items.truncate(1);
        }
        Ok(())
    }
}

#[test]
fn a_writer_that_leaves_items_behind_is_credited_with_none_of_them() {
    for gives_back in [false, true] {
        let sink = Lazy { placement: Placement::Inline, gives_back };
        let graph = Pipeline::from(Script::of(&[header("a", 100, 1)], 1_000, 100));
        let report = graph.window(Tumbling::millis(50)).sink(sink).build().unwrap().run().unwrap();
        let lazy = &report.sinks[0];
        assert_eq!(lazy.written + lazy.skipped, 200, "{lazy:?}");
        assert!(lazy.skipped > 0 && (!gives_back || lazy.written == 0), "{lazy:?}");
    }
}
