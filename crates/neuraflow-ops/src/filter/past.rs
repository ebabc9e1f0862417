//! Filters that look at their last values: over the chunks of a stream, or over a whole array.

use ndarray::{Array2, ArrayRef2};
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{ChannelKind, Chunk, SamplingRate, Span};
use neuraflow_core::operator::{Latency, Missing, OperatorError, SignalSpec};

use super::stage::{not_restored, unprepared};
use crate::kernel::{Histories, HistoriesState, Value};
use crate::shape::same_channels;

/// A magnitude above it counts as missing: it could overflow the state, and no signal reaches it.
const LARGEST: f64 = 1e100;

/// Most values that a filter remembers over all channels: 128 MiB. A header can claim any rate and any number of channels.
const MOST: usize = 1 << 24;

/// What a filter does with a value, given those it has kept.
pub(super) trait Recursion {
    /// How many it keeps.
    fn length(&self) -> usize;

    /// What it would have kept of a constant input of this value since ever.
    fn steady(&self, value: f64) -> f64;

    /// What it keeps of a value, and what it puts out, given what it has kept, oldest first.
    fn step(&self, past: &[f64], value: f64) -> (f64, f64);
}

/// A filter at one sampling rate, and its contract in samples.
pub(super) struct Plan<R> {
    pub(super) recursion: R,
    /// Group delay where it is declared, and the greatest where the filter passes.
    pub(super) delays: (f64, f64),
    /// How many samples it takes to settle.
    pub(super) settling: usize,
}

/// A recursion with the state of one stream, once it is prepared.
#[derive(Debug, Clone)]
pub(super) struct PastStage<R> {
    running: Option<Running<R>>,
}

#[derive(Debug, Clone)]
struct Running<R> {
    recursion: R,
    histories: Histories,
    missing: Missing,
    /// For each channel, whether it passes unchanged.
    passes: Vec<bool>,
    latency: Latency,
}

impl<R> Default for PastStage<R> {
    fn default() -> Self {
        Self { running: None }
    }
}

impl<R: Recursion> Running<R> {
    fn new(recursion: R, channels: usize, missing: Missing) -> Result<Self, OperatorError> {
        let values = recursion.length().saturating_mul(channels);
        if channels == 0 || values > MOST {
            return Err(OperatorError::Spec {
                what: "channels of the filter",
                expected: format!("at least one, and {MOST} values to remember over all of them"),
                found: format!(
                    "{channels} channels of {} values; take fewer channels, or lower the sampling rate first",
                    recursion.length()
                ),
            });
        }
        let histories = Histories::new(recursion.length(), channels);
        Ok(Self { recursion, histories, missing, passes: vec![false; channels], latency: Latency::default() })
    }

    /// Filters whole samples in place.
    fn filter<T: Value>(&mut self, values: &mut [T]) {
        for sample in values.chunks_exact_mut(self.passes.len()) {
            for (channel, value) in sample.iter_mut().enumerate() {
                if !self.passes[channel] {
                    *value = T::from_f64(self.step(channel, value.to_f64()));
                }
            }
        }
    }

    fn step(&mut self, channel: usize, value: f64) -> f64 {
        let present = value.abs() <= LARGEST;
        if !present {
            if self.missing == Missing::Restart {
                self.histories.stop(channel);
            }
            return f64::NAN;
        }
        if !self.histories.has_started(channel) {
            self.histories.start(channel, self.recursion.steady(value));
        }
        let (kept, out) = self.recursion.step(self.histories.past(channel), value);
        self.histories.push(channel, kept);
        out
    }
}

impl<R: Recursion> PastStage<R> {
    pub(super) fn prepare(&mut self, plan: Plan<R>, spec: &SignalSpec) -> Result<(), OperatorError> {
        let latency = latency(&plan, spec.rate);
        let mut running = Running::new(plan.recursion, spec.channels.len(), spec.missing)?;
        running.passes = spec.channels.iter().map(|c| c.kind() == ChannelKind::Trigger).collect();
        running.latency = latency;
        self.running = Some(running);
        Ok(())
    }

    pub(super) fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        let Some(running) = &mut self.running else { return Err(unprepared()) };
        same_channels(running.passes.len(), input.channels())?;
        same_channels(running.passes.len(), out.channels())?;
        let before = out.values().len();
        out.extend(input.values());
        running.filter(&mut out.values_mut()[before..]);
        Ok(())
    }

    pub(super) fn reset(&mut self) {
        if let Some(running) = &mut self.running {
            running.histories.reset();
        }
    }

    pub(super) fn latency(&self) -> Latency {
        self.running.as_ref().map(|running| running.latency).unwrap_or_default()
    }

    pub(super) fn snapshot(&self, writer: &mut SnapshotWriter) {
        if let Some(running) = &self.running {
            writer.put(&running.histories.state());
        }
    }

    pub(super) fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let Some(running) = &mut self.running else {
            return Err(RestoreError::Encoding { reason: "the filter has not been prepared".to_owned() });
        };
        running.histories.set_state(&reader.take::<HistoriesState>()?).map_err(not_restored)
    }
}

/// Filters `[sample][channel]` from its first sample on, with a state of its own.
pub(super) fn filter_array<R: Recursion, T: Value>(
    recursion: R,
    signal: &ArrayRef2<T>,
) -> Result<Array2<T>, OperatorError> {
    let mut running = Running::new(recursion, signal.ncols(), Missing::Restart)?;
    let mut filtered = signal.as_standard_layout().into_owned();
    if let Some(values) = filtered.as_slice_mut() {
        running.filter(values);
    }
    Ok(filtered)
}

fn latency<R>(plan: &Plan<R>, rate: SamplingRate) -> Latency {
    let span = |samples: f64| Span::from_secs_f64(samples / rate.as_hz()).unwrap_or_default();
    let (delay, greatest) = plan.delays;
    Latency {
        // What comes out ahead of its time by a filter's phase is not ahead of its input.
        group_delay: span(delay.max(0.0)),
        group_delay_max: span(greatest.max(delay).max(0.0)),
        warm_up: rate.offset(plan.settling as u64),
        ..Latency::default()
    }
}

/// Gives a filter with a `stage` and a `plan(rate in Hz)` its array method and its `Operator`. The second argument is how the
/// example makes one.
macro_rules! past_filter {
    ($filter:ident, $example:literal) => {
        impl $filter {
            /// Filters a whole recording `[sample][channel]` in `f32` or `f64`, forward in time, all channels alike, and
            /// keeps its shape: what the stage gives that starts with it, with a fresh start after missing values.
            ///
            /// # Errors
            /// As `prepare`.
            ///
            /// ```
            /// use ndarray::Array2;
            #[doc = concat!("use neuraflow_ops::filter::", stringify!($filter), ";")]
            /// let constant = Array2::from_elem((100, 2), 10.0_f64); // µV, and in the steady state from the first sample on
            #[doc = concat!("let filtered = ", $example, ".filter(&constant, 250.0)?;")]
            /// assert!(filtered.iter().all(|value| (value - filtered[(0, 0)]).abs() < 1e-9));
            /// # Ok::<(), neuraflow_core::operator::OperatorError>(())
            /// ```
            pub fn filter<T: crate::kernel::Value>(
                &self,
                signal: &ndarray::ArrayRef2<T>,
                sampling_rate: f64,
            ) -> Result<ndarray::Array2<T>, neuraflow_core::operator::OperatorError> {
                super::past::filter_array(self.plan(sampling_rate)?.recursion, signal)
            }

            fn prepare_stage(
                &mut self,
                spec: &neuraflow_core::operator::SignalSpec,
            ) -> Result<(), neuraflow_core::operator::OperatorError> {
                self.stage.prepare(self.plan(spec.rate.as_hz())?, spec)
            }
        }

        super::stage::stage_operator!($filter);
    };
}

pub(super) use past_filter;
