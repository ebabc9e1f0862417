//! The detector of one channel, sample by sample.

use neuraflow_core::operator::Missing;
use serde::{Deserialize, Serialize};

use super::item::Spike;
use crate::kernel::stats;

/// What does not change from sample to sample, in samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rules {
    /// How many deviations below zero the threshold is.
    pub(super) factor: f64,
    /// Samples that the deviation is estimated from.
    pub(super) calibration: usize,
    /// Samples after a crossing in which there is no other.
    pub(super) refractory: u64,
    /// Samples after a crossing in which its trough is.
    pub(super) align: u64,
    /// What becomes of a channel when a value is missing.
    pub(super) missing: Missing,
}

/// The state of a channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Channel {
    /// Values that the threshold will be estimated from.
    gathered: Vec<f64>,
    /// In µV, once it is known.
    pub(super) threshold: Option<f64>,
    /// Whether it was given, and is no estimate.
    given: bool,
    /// The last sample's value; none at the beginning and after a missing one.
    last: Option<f64>,
    /// Samples in which nothing is a crossing.
    dead: u64,
    waveform: Option<Waveform>,
}

/// A spike that is going on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Waveform {
    crossing: u64,
    /// The lowest value so far and its sample; the values before and behind it.
    lowest: f64,
    at: u64,
    before: f64,
    behind: Option<f64>,
}

/// What a sample did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    pub(super) crossed: bool,
    /// The trough of a spike whose waveform is complete.
    pub(super) spike: Option<Spike>,
}

impl Channel {
    /// One whose threshold is known.
    pub(super) fn with_threshold(microvolts: f64) -> Self {
        Self { threshold: Some(microvolts), given: true, ..Self::default() }
    }

    /// Takes in sample `number`.
    pub(super) fn step(&mut self, rules: &Rules, channel: usize, number: u64, value: f64) -> Step {
        // No signal reaches what is beyond, and its square would overflow.
        if value.is_nan() || value.abs() > 1e100 {
            let spike = self.waveform.take().map(|waveform| waveform.spike(channel));
            match rules.missing {
                Missing::Freeze => (self.last, self.dead) = (None, self.dead.saturating_sub(1)),
                Missing::Restart if self.given => {
                    *self = Self { threshold: self.threshold, given: true, ..Self::default() };
                }
                Missing::Restart => *self = Self::default(),
            }
            return Step { crossed: false, spike };
        }
        let Some(threshold) = self.threshold else {
            self.gathered.push(value);
            if self.gathered.len() >= rules.calibration {
                self.threshold = Some(-rules.factor * deviation(&self.gathered));
                self.gathered = Vec::new();
            }
            self.last = Some(value);
            return Step::default();
        };
        let mut step = Step::default();
        if let Some(waveform) = &mut self.waveform {
            let end = waveform.crossing + rules.align;
            waveform.take(number <= end, number, value, self.last.unwrap_or(value));
            if number >= end && waveform.behind.is_some() {
                step.spike = self.waveform.take().map(|waveform| waveform.spike(channel));
            }
        }
        let falls = self.last.filter(|last| *last >= threshold && value < threshold);
        match falls {
            Some(before) if self.dead == 0 => {
                // One that still goes down when the next begins ends here.
                let unfinished = self.waveform.take().map(|waveform| waveform.spike(channel));
                step.spike = step.spike.or(unfinished);
                self.waveform =
                    Some(Waveform { crossing: number, lowest: value, at: number, before, behind: None });
                self.dead = rules.refractory.max(1) - 1;
                step.crossed = true;
            }
            _ => self.dead = self.dead.saturating_sub(1),
        }
        self.last = Some(value);
        step
    }

    /// Whether this can be the state of a channel.
    pub(super) fn is_sound(&self, rules: &Rules) -> bool {
        let finite = |value: Option<f64>| value.is_none_or(f64::is_finite);
        let waveform = self.waveform.as_ref();
        let waveform = waveform.is_none_or(|w| {
            w.lowest.is_finite() && w.before.is_finite() && finite(w.behind) && w.at >= w.crossing
        });
        let gathers = self.threshold.is_none() || self.gathered.is_empty();
        finite(self.threshold)
            && finite(self.last)
            && waveform
            && gathers
            && self.gathered.len() <= rules.calibration
            && self.gathered.iter().all(|value| value.is_finite())
            && self.dead <= rules.refractory
    }
}

impl Waveform {
    /// Takes in the next sample, in which the trough may be, or which is only behind it.
    fn take(&mut self, within: bool, number: u64, value: f64, last: f64) {
        if within && value < self.lowest {
            (self.lowest, self.at, self.before, self.behind) = (value, number, last, None);
        } else if self.behind.is_none() {
            self.behind = Some(value);
        }
    }

    /// The vertex of the parabola through the lowest sample and its neighbours.
    fn spike(self, channel: usize) -> Spike {
        let (place, depth) = match self.behind {
            Some(behind) => {
                let (slope, bend) = (behind - self.before, self.before - 2.0 * self.lowest + behind);
                let shift = if bend > 0.0 { (-0.5 * slope / bend).clamp(-0.5, 0.5) } else { 0.0 };
                (shift, 0.25 * slope * shift)
            }
            None => (0.0, 0.0),
        };
        Spike {
            channel,
            crossing: self.crossing,
            trough: self.at as f64 + place,
            microvolts: self.lowest + depth,
        }
    }
}

/// The standard deviation of the noise, from the median absolute deviation, which spikes hardly move: `MAD / 0.6745`.
pub(super) fn deviation(values: &[f64]) -> f64 {
    /// The third quartile of the normal distribution, to the digits that everybody uses.
    const QUARTILE: f64 = 0.6745;
    let mut sorted = values.to_vec();
    let centre = median(&mut sorted);
    sorted.iter_mut().for_each(|value| *value = (*value - centre).abs());
    median(&mut sorted) / QUARTILE
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => stats::sum(&values[n / 2 - 1..=n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules =
        Rules { factor: 4.0, calibration: 4, refractory: 5, align: 3, missing: Missing::Freeze };

    fn run(values: &[f64]) -> (Vec<u64>, Vec<Spike>) {
        let mut channel = Channel::with_threshold(-10.0);
        let (mut crossings, mut spikes) = (Vec::new(), Vec::new());
        for (number, value) in (0..).zip(values) {
            let step = channel.step(&RULES, 0, number, *value);
            crossings.extend(step.crossed.then_some(number));
            spikes.extend(step.spike);
            assert!(channel.is_sound(&RULES));
        }
        (crossings, spikes)
    }

    #[test]
    fn a_crossing_is_one_within_the_refractory_time() {
        let (crossings, spikes) =
            run(&[0.0, -12.0, -20.0, -20.0, 0.0, -15.0, -11.0, 0.0, -11.0, 0.0, 0.0, 0.0]);
        assert_eq!(crossings, [1, 8]);
        assert_eq!(spikes.len(), 2);
        assert_eq!((spikes[0].crossing, spikes[0].trough), (1, 2.5));
        assert!((spikes[0].microvolts + 21.0).abs() < 1e-12, "{}", spikes[0].microvolts);
    }

    #[test]
    fn what_begins_below_or_behind_a_hole_is_no_crossing() {
        let nan = f64::NAN;
        assert_eq!(run(&[-20.0, -20.0, 0.0, 0.0]).0, [0; 0]);
        assert_eq!(run(&[0.0, nan, -20.0, -20.0, 0.0, -20.0, 0.0]).0, [5]);
        // A hole ends a waveform.
        let (_, spikes) = run(&[0.0, -20.0, nan, 0.0]);
        assert_eq!((spikes.len(), spikes[0].trough, spikes[0].microvolts), (1, 1.0, -20.0));
    }

    #[test]
    fn behind_a_hole_a_channel_begins_anew_or_goes_on() {
        let after = |missing| {
            let (rules, mut channel) = (Rules { missing, ..RULES }, Channel::default());
            for (number, value) in [1.0, -1.0, 1.0, -1.0, f64::NAN].into_iter().enumerate() {
                channel.step(&rules, 0, number as u64, value);
            }
            channel.threshold.is_some()
        };
        assert!(after(Missing::Freeze) && !after(Missing::Restart));
    }

    #[test]
    fn the_deviation_is_that_of_the_middle() {
        assert!((deviation(&[1.0, 2.0, 3.0, 4.0, 1e6]) - 1.0 / 0.6745).abs() < 1e-12);
        assert!((deviation(&[0.0, 2.0, 4.0, 10.0]) - 2.0 / 0.6745).abs() < 1e-12);
        let mut channel = Channel::default();
        for (number, value) in [1.0, -1.0, 1.0, -1.0].into_iter().enumerate() {
            assert_eq!(channel.threshold, None);
            channel.step(&RULES, 0, number as u64, value);
        }
        assert!((channel.threshold.unwrap() + 4.0 / 0.6745).abs() < 1e-12);
    }
}
