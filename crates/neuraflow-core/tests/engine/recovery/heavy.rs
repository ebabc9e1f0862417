//! States too large to be written in one go, and what readers are told once they are.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use neuraflow_core::checkpoint::{Config, RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::dataflow::{Checkpointing, Pipeline, Tumbling, Workers};
use neuraflow_core::model::{FeatureSpec, Features, Positions, StreamHeader, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader};

use super::super::hostile::in_time;
use super::sink::{Append, File, by_stream};
use super::store::Memory;
use super::tape::{Death, Fuse, Tape};

/// Numbers of 8 bytes in the state of every stream.
const STATE: usize = 200_000;

/// Each window changes one number, and puts out another one that was changed long ago.
pub(crate) struct Heavy {
    size: usize,
    state: Vec<f64>,
}

impl Heavy {
    /// With a state of so many numbers of 8 bytes.
    pub(crate) fn of(size: usize) -> Self {
        Self { size, state: Vec::new() }
    }
}

impl Operator for Heavy {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, _: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.state = vec![0.0; self.size];
        let (rows, columns) = (["all".to_owned()].into(), ["old".to_owned()].into());
        Ok(Arc::new(FeatureSpec { rows, columns, unit: "µV".into() }))
    }

    fn process(&mut self, window: &Window, out: &mut Features) -> Result<(), OperatorError> {
        let size = self.size;
        let at = |back: i64| (window.info.index - back).rem_euclid(size as i64) as usize * 7_919 % size;
        let sum: f32 = window.samples.values().iter().filter(|value| value.is_finite()).sum();
        self.state[at(0)] += f64::from(sum);
        out.values[0] = self.state[at(0)] - 0.5 * self.state[at(1)] + 0.25 * self.state[at(40)];
        Ok(())
    }

    fn reset(&mut self) {
        self.state.fill(0.0);
    }

    fn latency(&self) -> Latency {
        Latency::default()
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        writer.put(&self.state);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.state = reader.take()?;
        Ok(())
    }
}

/// A tape that notes down what its readers may let go.
struct Noting(Tape, Arc<Mutex<Vec<Positions>>>);

struct NotingReader(Box<dyn SourceReader>, Arc<Mutex<Vec<Positions>>>);

impl Source for Noting {
    fn name(&self) -> String {
        self.0.name()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        self.0.streams()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        let reader = self.0.open(context)?;
        Ok(reader.map(|reader| Box::new(NotingReader(reader, Arc::clone(&self.1))) as _))
    }
}

impl SourceReader for NotingReader {
    fn poll(
        &mut self,
        out: &mut neuraflow_core::ingest::Ingest,
        budget: usize,
    ) -> Result<Polled, SourceError> {
        self.0.poll(out, budget)
    }

    fn positions(&self) -> Option<Positions> {
        self.0.positions()
    }

    fn committed(&mut self, positions: &Positions) {
        self.1.lock().unwrap().push(positions.clone());
    }
}

pub(crate) fn features(features: &Features) -> (String, String) {
    let bits: Vec<u64> = features.values.iter().map(|value| value.to_bits()).collect();
    (features.info.stream.name.clone(), format!("{} {bits:x?}", features.info.index))
}

#[test]
fn large_states_are_written_in_slices_while_the_signal_goes_on() {
    let tape = Tape::eventful("heavy", 7, 20_000, 21);
    let run = |source: Noting, file: &File, store: Option<&Arc<Memory>>, workers| {
        let (name, file, capacity) = ("features".into(), Arc::clone(file), 64);
        let sink = Append { name, file, row: features, fuse: Fuse::never(), capacity };
        let graph = Pipeline::from(source).window(Tumbling::millis(50)).feature(|| Heavy::of(STATE));
        let mut pipeline = graph.sink(sink).build().unwrap();
        if let Some(store) = store {
            let store =
                Checkpointing::new(Arc::clone(store) as _).with_config(Config::hurried(Duration::ZERO));
            pipeline = pipeline.checkpoints(store).unwrap();
        }
        pipeline.spawn(Workers::new(workers)).unwrap().outcome()
    };
    in_time("heavy", move || {
        let (expected, found, told) = (File::default(), File::default(), Arc::default());
        run(Noting(tape.clone(), Arc::default()), &expected, None, 1).1.unwrap();
        let store = Arc::new(Memory::default());
        let (mut bytes, mut restored) = (0, 0);
        for (workers, death) in [(1, 120), (2, 140), (3, 160), (1, 100), (2, i64::MAX)] {
            let fuse = Fuse::of(death, Death::Fails);
            let source = Noting(Tape { fuse, ..tape.clone() }, Arc::clone(&told));
            let (report, result) = run(source, &found, Some(&store), workers);
            bytes += report.checkpoints.bytes;
            restored += u64::from(report.checkpoints.restored.is_some());
            assert_eq!(result.is_ok(), death == i64::MAX, "{result:?}");
            // Of one run: never backwards, and never beyond what the next one begins with.
            let told: Vec<Positions> = std::mem::take(&mut *told.lock().unwrap());
            for name in tape.streams.iter().map(|(header, _)| &header.name) {
                let at: Vec<_> = told.iter().filter_map(|positions| positions.get(name)).collect();
                let last =
                    tape.streams.iter().find(|(header, _)| header.name == *name).map(|(_, all)| all.len());
                assert!(at.is_sorted() && at.iter().all(|at| *at <= last.unwrap() as u64), "{at:?}");
            }
        }
        assert!(bytes > 20_000_000 && restored >= 2, "{bytes} bytes, {restored} runs that went on");
        assert_eq!(by_stream(&expected), by_stream(&found));
    });
}
