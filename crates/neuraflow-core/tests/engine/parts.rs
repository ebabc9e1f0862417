//! Sources, operators and sinks that the engine's tests are made of.

use std::sync::{Arc, Mutex};

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::ingest::Ingest;
use neuraflow_core::model::{
    Channel, FeatureSpec, Features, Packet, PacketBody, SamplingRate, StreamHeader, StreamKey, Window,
};
use neuraflow_core::operator::{Item, Latency, Operator, OperatorError, WindowSpec};
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader};

pub(crate) fn header(device: &str, hz: u64, channels: usize) -> StreamHeader {
    let channels = (0..channels).map(|c| Channel::new(format!("ch{c}"))).collect();
    let rate = SamplingRate::hz(hz).unwrap();
    StreamHeader::new(StreamKey::of_names("engine", device), device, rate, channels)
}

/// Packets of `size` samples; sample *n* of channel *c* has the value `n + c / 10`.
pub(crate) fn packets(header: &StreamHeader, samples: u64, size: u64) -> Vec<Packet> {
    let body = |body| Packet { stream: header.key, body };
    let mut packets = vec![body(PacketBody::Open(Box::new(header.clone())))];
    for first in (0..samples).step_by(size as usize) {
        let last = (first + size).min(samples);
        let width = header.channels.len();
        let values =
            (first..last).flat_map(|n| (0..width).map(move |c| n as f32 + c as f32 / 10.0)).collect();
        packets.push(body(PacketBody::Samples { sequence: header.sequence.wrap(first), values }));
    }
    packets.push(body(PacketBody::End { next: Some(header.sequence.wrap(samples)) }));
    packets
}

/// Gives packets that were written down beforehand, on worker 0.
pub(crate) struct Script {
    pub(crate) streams: Vec<StreamHeader>,
    pub(crate) packets: Vec<Packet>,
}

impl Script {
    pub(crate) fn of(headers: &[StreamHeader], samples: u64, size: u64) -> Self {
        let mut each: Vec<_> = headers.iter().map(|h| packets(h, samples, size).into_iter()).collect();
        let mut all = Vec::new();
        loop {
            let round: Vec<_> = each.iter_mut().filter_map(Iterator::next).collect();
            if round.is_empty() {
                return Self { streams: headers.to_vec(), packets: all };
            }
            all.extend(round);
        }
    }
}

impl Source for Script {
    fn name(&self) -> String {
        "script".into()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        self.streams.clone()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        let reader = Lines(self.packets.clone().into_iter());
        Ok((context.worker == 0).then(|| Box::new(reader) as _))
    }
}

struct Lines(std::vec::IntoIter<Packet>);

impl SourceReader for Lines {
    fn poll(&mut self, out: &mut Ingest, _: usize) -> Result<Polled, SourceError> {
        for packet in self.0.by_ref().take(16) {
            out.packet(packet);
        }
        Ok(if self.0.len() == 0 { Polled::Ended } else { Polled::Ready })
    }
}

/// The sum of each channel over a window; panics in the window numbered `panics_at`.
#[derive(Clone, Default)]
pub(crate) struct Sum {
    pub(crate) channels: usize,
    pub(crate) panics_at: Option<i64>,
}

impl Operator for Sum {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.channels = spec.signal.channels.len();
        if self.channels > 8 {
            let (expected, found) = ("at most 8".into(), self.channels.to_string());
            return Err(OperatorError::Spec { what: "channels", expected, found });
        }
        let rows = spec.signal.channels.iter().map(|c| c.label().to_owned()).collect();
        Ok(Arc::new(FeatureSpec { rows, columns: ["sum".to_owned()].into(), unit: "µV".into() }))
    }

    fn process(&mut self, window: &Window, out: &mut Features) -> Result<(), OperatorError> {
        assert_ne!(Some(window.info.index), self.panics_at, "told to panic");
        out.values.fill(0.0);
        for sample in window.samples.samples() {
            out.values.iter_mut().zip(sample).for_each(|(sum, value)| *sum += f64::from(*value));
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

/// Keeps what it gets.
pub(crate) struct Keep<T> {
    pub(crate) kept: Arc<Mutex<Vec<T>>>,
    pub(crate) placement: Placement,
}

impl<T> Keep<T> {
    pub(crate) fn new() -> (Self, Arc<Mutex<Vec<T>>>) {
        let kept = Arc::new(Mutex::new(Vec::new()));
        (Self { kept: Arc::clone(&kept), placement: Placement::Inline }, kept)
    }
}

impl<T: Item> Sink for Keep<T> {
    type Item = T;
    type Writer = KeepWriter<T>;

    fn name(&self) -> String {
        "keep".into()
    }

    fn placement(&self) -> Placement {
        self.placement
    }

    fn open(&self, _: &SinkContext) -> Result<KeepWriter<T>, SinkError> {
        Ok(KeepWriter(Arc::clone(&self.kept)))
    }
}

pub(crate) struct KeepWriter<T>(Arc<Mutex<Vec<T>>>);

impl<T: Item> SinkWriter for KeepWriter<T> {
    type Item = T;

    fn write(&mut self, items: &mut Vec<T>) -> Result<(), SinkError> {
        self.0.lock().unwrap().append(items);
        Ok(())
    }
}

/// All results in one order: by stream, then as they came.
pub(crate) fn by_stream(kept: &Mutex<Vec<Features>>) -> Vec<(String, i64, Vec<f64>)> {
    let mut all: Vec<_> = kept.lock().unwrap().clone();
    all.sort_by_key(|f| f.info.stream.key);
    all.into_iter().map(|f| (f.info.stream.name.clone(), f.info.index, f.values)).collect()
}
