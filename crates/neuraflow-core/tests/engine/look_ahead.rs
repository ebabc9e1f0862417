//! Features that need the window after their own, and so hold items back until the end.

use std::collections::VecDeque;
use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::dataflow::{Pipeline, Tumbling};
use neuraflow_core::model::{FeatureSpec, Features, PacketBody, Span, Window, WindowInfo};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowItem, WindowSpec};
use neuraflow_core::window::GapPolicy;

use super::parts::{Keep, Script, Sum, by_stream, header};

/// The sum over a window, put out two windows later.
#[derive(Default)]
struct TwoLater {
    sum: Sum,
    hop: Span,
    held: VecDeque<(WindowInfo, Vec<f64>)>,
}

impl TwoLater {
    fn put_out(&mut self, out: &mut Features) {
        if let Some((info, values)) = self.held.pop_front() {
            out.begin(&info);
            out.values = values;
        }
    }
}

impl Operator for TwoLater {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.hop = spec.hop;
        self.sum.prepare(spec)
    }

    fn process(&mut self, window: &Window, out: &mut Features) -> Result<(), OperatorError> {
        self.sum.process(window, out)?;
        self.held.push_back((out.info.clone(), out.values.clone()));
        if self.held.len() > 2 {
            self.put_out(out);
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Features) -> Result<(), OperatorError> {
        self.put_out(out);
        Ok(())
    }

    fn reset(&mut self) {
        self.held.clear();
    }

    fn latency(&self) -> Latency {
        Latency { look_ahead: self.hop + self.hop, ..Latency::default() }
    }

    fn snapshot(&self, _: &mut SnapshotWriter) {}

    fn restore(&mut self, _: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        Ok(())
    }
}

/// What comes out of a feature, over three streams of which one has a long gap and one is shorter than the look-ahead.
fn run<O: Operator<In = Window, Out = Features>>(feature: fn() -> O) -> Vec<(String, i64, Vec<f64>)> {
    let headers = ["whole", "gap", "short"].map(|name| header(name, 100, 2));
    let mut script = Script::of(&headers, 100, 10);
    script.packets.retain(|packet| match packet.body {
        PacketBody::Samples { sequence, .. } => {
            let first = sequence;
            (packet.stream != headers[1].key || !(30..60).contains(&first))
                && (packet.stream != headers[2].key || first < 10)
        }
        PacketBody::End { .. } => packet.stream != headers[2].key,
        _ => true,
    });
    let (sink, kept) = Keep::new();
    let graph = Pipeline::from(script).gaps(GapPolicy::Reset).window(Tumbling::millis(50));
    assert!(graph.feature(feature).sink(sink).build().unwrap().run().unwrap().balances());
    by_stream(&kept)
}

#[test]
fn what_is_held_back_comes_at_the_end_and_before_a_reset() {
    let (found, expected) = (run(TwoLater::default), run(Sum::default));
    assert!(expected.len() >= 42, "{}", expected.len());
    // NaN is a value here: compared as text.
    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
}

/// Holds everything back, and then gives the same item for ever.
#[derive(Default)]
struct Stubborn(Sum, Option<WindowInfo>);

impl Operator for Stubborn {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.0.prepare(spec)
    }

    fn process(&mut self, window: &Window, out: &mut Features) -> Result<(), OperatorError> {
        self.1 = Some(out.info.clone());
        self.0.process(window, out)
    }

    fn finish(&mut self, out: &mut Features) -> Result<(), OperatorError> {
        self.1.iter().for_each(|info| out.begin(info));
        Ok(())
    }

    fn reset(&mut self) {}

    fn latency(&self) -> Latency {
        Latency { look_ahead: Span::millis(50), ..Latency::default() }
    }

    fn snapshot(&self, _: &mut SnapshotWriter) {}

    fn restore(&mut self, _: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        Ok(())
    }
}

#[test]
fn an_operator_that_never_stops_giving_does_not_hang_the_stream() {
    let (sink, kept) = Keep::<Features>::new();
    let graph = Pipeline::from(Script::of(&[header("a", 100, 1)], 100, 10)).window(Tumbling::millis(50));
    graph.feature(Stubborn::default).sink(sink).build().unwrap().run().unwrap();
    assert_eq!(kept.lock().unwrap().len(), 1, "twenty windows held back, and one item at the end");
}
