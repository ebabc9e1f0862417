//! Your own operator: line length, the sum of absolute differences between neighbouring samples, a classic feature of
//! seizure detection. With the conformance kit run on it, which finds what one forgets: state that does not survive
//! a chunk border, a snapshot without a field, a NaN that stays for ever.
//!
//! Run it with `cargo run --release --example custom_operator`.

use std::error::Error;
use std::sync::Arc;

use neuraflow::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow::model::FeatureSpec;
use neuraflow::operator::{OperatorError, WindowSpec};
use neuraflow::prelude::*;
use neuraflow::testing::conformance;

/// Line length of each channel over a window, in µV.
#[derive(Default)]
struct LineLength {
    /// Each channel's last valid value: the first difference of a window reaches back into the one before.
    last: Vec<f32>,
}

impl Operator for LineLength {
    type In = Window;
    type Out = Features;

    // Called once for each stream: check, allocate, and say what will come out.
    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        let channels = &spec.signal.channels;
        self.last = vec![f32::NAN; channels.len()];
        let rows = channels.iter().map(|channel| channel.name().to_owned()).collect();
        Ok(Arc::new(FeatureSpec { rows, columns: ["line length".to_owned()].into(), unit: "µV".into() }))
    }

    // Called for each window, of any number of samples, none included. NaN is a value that was not measured.
    fn process(&mut self, window: &Window, out: &mut Features) -> Result<(), OperatorError> {
        let (expected, found) = (self.last.len(), window.samples.channels());
        if expected != found {
            let (expected, found) = (expected.to_string(), found.to_string());
            return Err(OperatorError::Input { what: "channels", expected, found });
        }
        out.values.fill(0.0);
        for sample in window.samples.samples() {
            for ((last, value), sum) in self.last.iter_mut().zip(sample).zip(&mut out.values) {
                if value.is_finite() && last.is_finite() {
                    *sum += f64::from((value - *last).abs());
                }
                // After a missing value the line starts anew: its ends must not be joined over the hole.
                *last = if value.is_finite() { *value } else { f32::NAN };
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.last.fill(f32::NAN);
    }

    // It neither delays nor looks ahead or back beyond its window.
    fn latency(&self) -> Latency {
        Latency::default()
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        writer.put(&self.last);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let last: Vec<f32> = reader.take()?;
        if last.len() != self.last.len() {
            let (expected, found) = (self.last.len(), last.len());
            return Err(RestoreError::Shape { what: "line length", expected, found });
        }
        self.last = last;
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // First the kit: it belongs into your tests.
    let report = conformance::window_operator(LineLength::default).run();
    println!("{report}");
    report.assert_ok();

    // Then use it as any other.
    let headset = Synthetic::new(4, SamplingRate::hz(250)?).seed(3).until(Span::secs(2));
    let (sink, lengths) = neuraflow::sinks::bounded(64, Overflow::Block);
    let pipeline =
        Pipeline::from(headset).window(Tumbling::millis(50)).feature(LineLength::default).sink(sink);
    pipeline.build()?.run()?;
    for features in lengths.iter().take(5) {
        println!("{} {:.1?}", features.info.end, features.values);
    }
    Ok(())
}
