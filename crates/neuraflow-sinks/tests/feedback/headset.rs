//! A source that plays a headset, and remembers when each window was complete.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use neuraflow_core::ingest::Ingest;
use neuraflow_core::model::{Channel, SamplingRate, StreamHeader, StreamKey, Timestamp};
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader};

use crate::kit::HOP;

/// One packet for each window, a millisecond apart unless told otherwise; then nothing, until it is stopped.
#[derive(Clone)]
pub struct Headset {
    header: StreamHeader,
    windows: i64,
    interval: Duration,
    /// When each window's packet arrived.
    pub arrivals: Arc<Mutex<Vec<u64>>>,
}

impl Headset {
    pub fn new(channels: usize, rate: u64, windows: i64) -> Self {
        let channels = (1..=channels).map(|n| Channel::new(format!("Ch{n}"))).collect();
        let rate = SamplingRate::hz(rate).unwrap();
        let header = StreamHeader::new(StreamKey::of_names("s", "headset"), "headset", rate, channels);
        Self { header, windows, interval: Duration::from_millis(1), arrivals: Arc::default() }
    }

    pub fn every(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }
}

impl Source for Headset {
    fn name(&self) -> String {
        "headset".into()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        vec![self.header.clone()]
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        let reader = Reader { headset: self.clone(), next: 0 };
        Ok((context.worker == 0).then(|| Box::new(reader) as Box<dyn SourceReader>))
    }
}

struct Reader {
    headset: Headset,
    next: i64,
}

impl SourceReader for Reader {
    fn poll(&mut self, out: &mut Ingest, _: usize) -> Result<Polled, SourceError> {
        let header = &self.headset.header;
        if self.next == 0 {
            out.open(header.clone());
        }
        if self.next == self.headset.windows {
            return Ok(Polled::Idle);
        }
        let slot = out.slot(&header.key).unwrap();
        let edge = |window: i64| header.first_at_or_after(Timestamp::from_nanos(window * HOP));
        let (first, end) = (edge(self.next), edge(self.next + 1));
        let values: Vec<f32> =
            (first..end).flat_map(|n| header.channels.iter().map(move |_| (n % 97) as f32 * 0.37)).collect();
        self.headset.arrivals.lock().unwrap().push(out.arrival());
        out.samples(slot, first, &values);
        self.next += 1;
        Ok(Polled::After(self.headset.interval))
    }
}
