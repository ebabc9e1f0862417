//! A filter bank: every channel in several bands, side by side.

use std::ops::Range;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{Channel, ChannelKind, Chunk};
use neuraflow_core::operator::{Latency, Operator, OperatorError, SignalSpec};

use super::{Butterworth, slowest};
use crate::shape::same_channels;

/// Every channel in each of several bands: band-pass filters of [`Butterworth`] next to each other.
///
/// Output `[sample][band · channel]`: all channels in the first band, then all in the second. A channel is named by its band and
/// its name, `8-12 Hz C3`, and is of the kind and unit of the original; triggers are left out. Gaps, warm-up and delay are those of
/// the slowest filter. State: that of all filters.
///
/// Source: K. K. Ang, Z. Y. Chin, H. Zhang and C. Guan (2008), Proc. IJCNN:2390–2397, with causal filters.
///
/// # Errors
/// `prepare`: no band; a band twice, or one that [`Butterworth`] refuses; only triggers. `process`: another number of channels.
///
/// ```
/// use neuraflow_core::model::{Channel, SamplingRate};
/// use neuraflow_core::operator::{Missing, Operator, SignalSpec};
/// use neuraflow_ops::filter::FilterBank;
/// let mut bank = FilterBank::new(4, [8.0..12.0, 12.0..16.0]); // in a pipeline: .stage(|| FilterBank::new(…))
/// let channels = ["C3", "C4", "Status"].map(Channel::new).to_vec().into();
/// let spec = bank.prepare(&SignalSpec { channels, rate: SamplingRate::hz(160)?, missing: Missing::Restart })?;
/// let names: Vec<&str> = spec.channels.iter().map(Channel::name).collect();
/// assert_eq!(names, ["8-12 Hz C3", "8-12 Hz C4", "12-16 Hz C3", "12-16 Hz C4"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FilterBank {
    order: usize,
    bands: Vec<Range<f64>>,
    /// Channels of the input, and those of them that are filtered.
    width: usize,
    channels: Vec<usize>,
    /// A filter for each band, and what has come out of it.
    filters: Vec<(Butterworth, Chunk)>,
    sample: Vec<f32>,
}

impl FilterBank {
    /// Filters of this order for bands with these edges in Hz.
    pub fn new(order: usize, bands: impl IntoIterator<Item = Range<f64>>) -> Self {
        Self {
            order,
            bands: bands.into_iter().collect(),
            width: 0,
            channels: Vec::new(),
            filters: Vec::new(),
            sample: Vec::new(),
        }
    }
}

impl Operator for FilterBank {
    type In = Chunk;
    type Out = Chunk;

    fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
        let refused = |what, expected: &str, found: String| {
            Err(OperatorError::Spec { what, expected: expected.to_owned(), found })
        };
        if self.bands.is_empty() {
            return refused("bands of the filter bank", "at least one", "none".to_owned());
        }
        let twice = self.bands.iter().enumerate().find(|(at, band)| self.bands[..*at].contains(band));
        if let Some((_, band)) = twice {
            let found = format!("{}-{} Hz twice", band.start, band.end);
            return refused("bands of the filter bank", "each once", found);
        }
        let signals = spec.channels.iter().enumerate();
        let signals = signals.filter(|(_, channel)| channel.kind() != ChannelKind::Trigger);
        self.channels = signals.map(|(at, _)| at).collect();
        if self.channels.is_empty() {
            let found = format!("{} channels, none of them a signal", spec.channels.len());
            return refused("channels", "at least one that is not a trigger", found);
        }
        self.width = spec.channels.len();
        let (mut filters, mut channels) = (Vec::new(), Vec::new());
        for band in &self.bands {
            let mut filter = Butterworth::bandpass(self.order, band.clone());
            filter.prepare(spec)?;
            filters.push((filter, Chunk::default()));
            for at in &self.channels {
                let of = &spec.channels[*at];
                channels.push(Channel::derived(format!("{}-{} Hz {}", band.start, band.end, of.name()), of));
            }
        }
        self.filters = filters;
        Ok(SignalSpec { channels: channels.into(), ..spec.clone() })
    }

    fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        same_channels(self.width, input.channels())?;
        for (filter, filtered) in &mut self.filters {
            filtered.restart(input.first(), input.channels());
            filter.process(input, filtered)?;
        }
        for n in 0..input.len() {
            self.sample.clear();
            for (_, filtered) in &self.filters {
                let sample = &filtered.values()[n * self.width..(n + 1) * self.width];
                self.sample.extend(self.channels.iter().map(|channel| sample[*channel]));
            }
            out.extend(&self.sample);
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.filters.iter_mut().for_each(|(filter, _)| filter.reset());
    }

    /// That of the slowest filter.
    fn latency(&self) -> Latency {
        slowest(self.filters.iter().map(|(filter, _)| filter.latency()))
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.filters.iter().for_each(|(filter, _)| filter.snapshot(writer));
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.filters.iter_mut().try_for_each(|(filter, _)| filter.restore(reader))
    }
}
