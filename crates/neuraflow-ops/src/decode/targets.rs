//! The flickers that are told apart, and how well a segment follows each of them.

use std::sync::Arc;

use neuraflow_core::model::{Channel, ChannelKind, NoDecision, SamplingRate};
use neuraflow_core::operator::OperatorError;

use crate::feature::Segment;
use crate::kernel::cca::Basis;
use crate::shape::Rows;

/// Classes by name, each with the frequency of its flicker; and the channels that see it.
#[derive(Clone, Debug)]
pub(super) struct Targets {
    pub(super) names: Arc<[String]>,
    frequencies: Vec<f64>,
    pub(super) harmonics: usize,
    /// By name; all EEG channels if empty.
    pub(super) channels: Vec<String>,
    rate: f64,
    /// Sines and cosines for each class, at these samples of a segment.
    references: Vec<Basis>,
    samples: Vec<usize>,
}

impl Targets {
    pub(super) fn new<N: Into<String>>(classes: impl IntoIterator<Item = (N, f64)>) -> Self {
        let (names, frequencies): (Vec<String>, Vec<f64>) =
            classes.into_iter().map(|(name, hz)| (name.into(), hz)).unzip();
        Self {
            names: names.into(),
            frequencies,
            harmonics: 2,
            channels: Vec::new(),
            rate: 0.0,
            references: Vec::new(),
            samples: Vec::new(),
        }
    }

    /// Checks everything against a signal, and finds the channels.
    pub(super) fn prepare(
        &mut self,
        channels: &[Channel],
        rate: SamplingRate,
    ) -> Result<Arc<Rows>, OperatorError> {
        self.check(rate)?;
        self.rate = rate.as_hz();
        self.samples.clear();
        let is_eeg = |channel: &Channel| channel.kind() == ChannelKind::Eeg;
        let wanted = |channel: &Channel| match self.channels.is_empty() {
            true => is_eeg(channel),
            false => self.channels.iter().any(|name| *name == channel.name() || *name == channel.label()),
        };
        let absent = |name: &&String| {
            !channels.iter().any(|channel| **name == channel.name() || **name == channel.label())
        };
        let all = || channels.iter().map(Channel::name).collect::<Vec<_>>().join(", ");
        let refused = |expected: String| OperatorError::Spec { what: "channels", expected, found: all() };
        if let Some(name) = self.channels.iter().find(absent) {
            return Err(refused(format!("one named {name}; name one of those there are")));
        }
        let rows = Rows::which(channels, wanted);
        if rows.len() == 0 {
            return Err(refused("an EEG channel; name the channels to use".to_owned()));
        }
        Ok(rows)
    }

    fn check(&self, rate: SamplingRate) -> Result<(), OperatorError> {
        let refused = |what, expected: &str, found: String| {
            Err(OperatorError::Spec { what, expected: expected.to_owned(), found })
        };
        let count = self.frequencies.len();
        if count < 2 {
            return refused("classes", "two or more, each with its frequency", count.to_string());
        }
        if self.harmonics == 0 {
            return refused("harmonics", "1 or more; 2 is usual", "0".to_owned());
        }
        let nyquist = rate.as_hz() / 2.0;
        for (class, (name, hz)) in self.names.iter().zip(&self.frequencies).enumerate() {
            let said = || format!("{hz} Hz for {name:?}");
            if name.is_empty() || self.names[..class].contains(name) {
                return refused(
                    "names of classes",
                    "each once and not empty",
                    format!("{name:?} as class {}", class + 1),
                );
            }
            if !(hz.is_finite() && *hz > 0.0) {
                return refused("frequency of a class", "above 0 Hz", said());
            }
            if self.frequencies[..class].contains(hz) {
                return refused("frequency of a class", "one of its own for each class", said());
            }
            let highest = self.harmonics as f64 * hz;
            if highest >= nyquist {
                let expected = format!(
                    "all {} harmonics below Nyquist {nyquist} Hz; take fewer, or a higher sampling rate",
                    self.harmonics
                );
                return refused("harmonics", &expected, format!("{highest} Hz for {name:?}"));
            }
        }
        Ok(())
    }

    /// The canonical correlation of a segment with each class.
    ///
    /// With fewer samples than twice the channels and references together, chance alone brings every correlation near 1; at
    /// as many as both together it is 1.
    pub(super) fn correlations(
        &mut self,
        segment: &Segment,
        channels: usize,
    ) -> Result<Vec<f64>, NoDecision> {
        segment.must_be_there()?;
        if segment.samples.len() < 2 * (channels + 2 * self.harmonics) {
            return Err(NoDecision::Degenerate);
        }
        let degenerate = |_| NoDecision::Degenerate;
        if segment.samples != self.samples {
            let reference = |hz: &f64| {
                Basis::of_sinusoids(*hz, self.harmonics, self.rate, &segment.samples).map_err(degenerate)
            };
            self.references = self.frequencies.iter().map(reference).collect::<Result<_, _>>()?;
            self.samples.clone_from(&segment.samples);
        }
        let signals = Basis::of(&segment.values, channels).map_err(degenerate)?;
        let correlation = |reference: &Basis| {
            signals.correlation(reference).map_err(degenerate)?.ok_or(NoDecision::Degenerate)
        };
        self.references.iter().map(correlation).collect()
    }

    /// The class with the greatest score, the first of equals, and its share of all scores.
    pub(super) fn decide(&self, scores: &[f64]) -> Result<(String, f64), NoDecision> {
        let best = |best: Option<usize>, class: usize| match best {
            Some(before) if scores[before] >= scores[class] => Some(before),
            _ => Some(class),
        };
        let class = (0..scores.len()).fold(None, best).ok_or(NoDecision::Degenerate)?;
        let sum = scores.iter().sum::<f64>();
        if sum > 0.0 {
            Ok((self.names[class].clone(), scores[class] / sum))
        } else {
            Err(NoDecision::Degenerate)
        }
    }
}
