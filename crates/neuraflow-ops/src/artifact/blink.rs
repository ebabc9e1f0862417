//! Blink detection: a slow, large deflection at the forehead or in an EOG.

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{Channel, ChannelKind, FeatureSpec, Features, Span, Window};
use neuraflow_core::operator::{Latency, Missing, Operator, OperatorError, WindowSpec};
use serde::{Deserialize, Serialize};

use crate::filter::{Bands, Names, latency, refusal};
use crate::kernel::{KernelError, Response, SosFilter, SosState, butterworth};
use crate::shape::{same_channels, same_length};
use crate::spatial::find;

/// Finds blinks as they happen, in EOG channels and over the forehead (Fp1, Fpz, Fp2, AF7, AF8), or in channels by name.
///
/// Each channel passes a causal Butterworth band-pass of order 2 from 1 to 10 Hz, where blinks are and little else is as large. A blink
/// begins where its magnitude rises above the threshold, at the earliest 500 ms after the one before began, and lasts until it falls below half of it.
///
/// | column | is |
/// |---|---|
/// | `blink` | 1 where some sample of this window is part of one, else 0 |
/// | `onsets` | how many began in this window |
/// | `peak` | the greatest magnitude behind the filter, in µV |
///
/// Input: raw windows of any number of samples, in µV. Output: one row for each channel watched. A missing value is no blink and ends one;
/// after it filter and waiting time start anew or go on, as the stream's [`Missing`] says. `peak` is NaN where no value is valid. The
/// filter's delay, about 50 ms at a blink's 3 Hz, is in the latency. State: the filter's, and two numbers a channel.
///
/// On two minutes of a cap's Fp1 (S001R04 of EEGMMIDB) it finds 39, of which 29 are among the 33 that `mne.preprocessing.find_eog_events`
/// finds in the whole recording at once. Source: the band is MNE's; threshold and waiting time are this library's.
///
/// # Errors
/// `prepare`: no channel to watch, or a name that no channel has; a threshold that is not above 0; a sampling rate of 20 Hz or less.
/// `process`: another number of channels than prepared.
///
/// ```
/// use neuraflow_ops::artifact::Blinks;
/// // In a pipeline: .feature(Blinks::new), or
/// let frontal = Blinks::new().threshold(150.0).channels(["Fp1", "Fp2"]);
/// # let _ = frontal;
/// ```
#[derive(Clone, Debug)]
pub struct Blinks {
    names: Vec<String>,
    threshold: f64,
    running: Option<Running>,
}

#[derive(Clone, Debug)]
struct Running {
    width: usize,
    watched: Vec<usize>,
    filter: SosFilter,
    restarts: bool,
    refractory: u64,
    eyes: Vec<Eye>,
    samples: Vec<f64>,
    filtered: Vec<f64>,
    latency: Latency,
}

/// What a channel remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Eye {
    blinking: bool,
    /// Samples until a blink may begin.
    waiting: u64,
}

/// The pass band of a blink, in Hz.
const BAND: (f64, f64) = (1.0, 10.0);

/// Onsets are at least so far apart: a blink has a second lobe behind the filter.
const REFRACTORY: Span = Span::millis(500);

impl Default for Blinks {
    fn default() -> Self {
        Self { names: Vec::new(), threshold: 100.0, running: None }
    }
}

impl Blinks {
    /// Above 100 µV, in EOG channels and over the forehead.
    pub fn new() -> Self {
        Self::default()
    }

    /// Above another threshold, in µV behind the filter.
    #[must_use]
    pub fn threshold(mut self, microvolts: f64) -> Self {
        self.threshold = microvolts;
        self
    }

    /// In these channels, by label or 10-20 name.
    #[must_use]
    pub fn channels<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    fn watched(&self, channels: &[Channel]) -> Result<Vec<usize>, OperatorError> {
        if !self.names.is_empty() {
            return self.names.iter().map(|name| find(channels, name, "channel with blinks")).collect();
        }
        let shows = |channel: &Channel| {
            let frontal =
                ["Fp1", "Fpz", "Fp2", "AF7", "AF8"].contains(&channel.ten_twenty().unwrap_or_default());
            channel.kind() == ChannelKind::Eog || frontal && channel.kind() == ChannelKind::Eeg
        };
        let watched: Vec<usize> = (0..channels.len()).filter(|place| shows(&channels[*place])).collect();
        if watched.is_empty() {
            return Err(OperatorError::Spec {
                what: "channels with blinks",
                expected:
                    "an EOG channel or one of Fp1, Fpz, Fp2, AF7, AF8; or name some with Blinks::channels"
                        .to_owned(),
                found: channels.iter().map(Channel::label).collect::<Vec<_>>().join(", "),
            });
        }
        Ok(watched)
    }
}

impl Eye {
    /// Takes in a filtered value: whether it is part of a blink, and whether it begins one.
    fn see(&mut self, value: f64, threshold: f64, refractory: u64, restarts: bool) -> (bool, bool) {
        self.waiting = self.waiting.saturating_sub(1);
        if !value.is_finite() {
            self.blinking = false;
            if restarts {
                self.waiting = 0;
            }
            return (false, false);
        }
        if self.blinking {
            self.blinking = value.abs() >= threshold / 2.0;
            return (self.blinking, false);
        }
        let begins = value.abs() > threshold && self.waiting == 0;
        if begins {
            *self = Self { blinking: true, waiting: refractory };
        }
        (begins, begins)
    }
}

fn refused(error: &KernelError) -> OperatorError {
    OperatorError::Input {
        what: "values",
        expected: "whole samples of the prepared channels".to_owned(),
        found: error.to_string(),
    }
}

impl Operator for Blinks {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        if !(self.threshold > 0.0 && self.threshold.is_finite()) {
            return Err(OperatorError::Spec {
                what: "threshold of a blink",
                expected: "above 0 µV; 100 is usual behind the filter".to_owned(),
                found: format!("{} µV", self.threshold),
            });
        }
        let (channels, rate) = (&spec.signal.channels, spec.signal.rate);
        let watched = self.watched(channels)?;
        let response = Response::Bandpass(BAND.0, BAND.1);
        let sos =
            butterworth(2, response, rate.as_hz()).map_err(|error| refusal(error, &Names::of(response)))?;
        let latency = latency(&sos, &Bands::of(response, rate.as_hz() / 2.0), rate)?;
        let rows = watched.iter().map(|place| channels[*place].name().to_owned()).collect();
        self.running = Some(Running {
            width: channels.len(),
            filter: SosFilter::new(&sos, watched.len(), spec.signal.missing.into())
                .map_err(|e| refused(&e))?,
            restarts: spec.signal.missing == Missing::Restart,
            refractory: rate.samples_in(REFRACTORY),
            eyes: vec![Eye::default(); watched.len()],
            watched,
            samples: Vec::new(),
            filtered: Vec::new(),
            latency,
        });
        let columns = ["blink", "onsets", "peak"].map(str::to_owned).into();
        Ok(Arc::new(FeatureSpec { rows, columns, unit: String::new() }))
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        same_channels(running.width, input.samples.channels())?;
        running.samples.clear();
        for sample in input.samples.samples() {
            running.samples.extend(running.watched.iter().map(|place| f64::from(sample[*place])));
        }
        running.filtered.resize(running.samples.len(), 0.0);
        running.filter.process(&running.samples, &mut running.filtered).map_err(|error| refused(&error))?;
        let columns = running.eyes.len();
        for (row, (eye, values)) in running.eyes.iter_mut().zip(out.values.chunks_exact_mut(3)).enumerate() {
            let (mut blinks, mut onsets, mut peak) = (false, 0_u32, f64::NAN);
            for value in running.filtered.iter().skip(row).step_by(columns) {
                let (part, begins) = eye.see(*value, self.threshold, running.refractory, running.restarts);
                blinks |= part;
                onsets += u32::from(begins);
                // The greater of a number and NaN is the number.
                peak = peak.max(value.abs());
            }
            values.copy_from_slice(&[f64::from(u8::from(blinks)), f64::from(onsets), peak]);
        }
        Ok(())
    }

    fn reset(&mut self) {
        if let Some(running) = &mut self.running {
            running.filter.reset();
            running.eyes.fill(Eye::default());
        }
    }

    fn latency(&self) -> Latency {
        self.running.as_ref().map(|running| running.latency).unwrap_or_default()
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        if let Some(running) = &self.running {
            writer.put(&running.filter.state());
            writer.put(&running.eyes);
        }
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let state: SosState = reader.take()?;
        let eyes: Vec<Eye> = reader.take()?;
        same_length("channels with blinks", running.eyes.len(), eyes.len())?;
        running.filter.set_state(&state).map_err(crate::filter::not_restored)?;
        running.eyes = eyes;
        Ok(())
    }
}
