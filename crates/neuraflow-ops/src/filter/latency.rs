//! The latency contract of a cascade, from its design.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::f64::consts::PI;

use neuraflow_core::model::{SamplingRate, Span};
use neuraflow_core::operator::{Latency, OperatorError};

use crate::kernel::{Response, Sos};

/// A filter is settled once what it still holds of its past is at most this part of its whole response.
const TOLERANCE: f64 = 1e-3;

/// Points on each half of a band in the search for its greatest delay.
const POINTS: usize = 64;

/// Where a filter passes, within 3 dB, and where its delay is declared; in Hz.
#[derive(Clone, PartialEq)]
pub(crate) struct Bands {
    centre: f64,
    passed: Vec<[f64; 2]>,
}

impl Bands {
    /// The bands of a response whose edges are those of −3 dB.
    pub(crate) fn of(response: Response, nyquist: f64) -> Self {
        match response {
            Response::Lowpass(hz) => Self::one(0.0, hz),
            Response::Highpass(hz) => Self::one(hz, nyquist),
            Response::Bandpass(low, high) => Self::one(low, high),
            Response::Bandstop(low, high) => Self::around(low, high, nyquist),
        }
    }

    /// The bands within −3 dB of a filter whose edges have another gain.
    pub(super) fn within_half_power(
        power: impl Fn(f64) -> f64,
        response: Response,
        sampling_rate: f64,
    ) -> Self {
        let nyquist = sampling_rate / 2.0;
        // Each edge has all of the pass band on one side and all of the stop band on the other.
        let edge = |hz, passed, stopped| half_power(&power, hz, passed, stopped);
        let centre = |low: f64, high: f64| {
            let warp = |hz: f64| libm::tan(PI * hz / sampling_rate);
            libm::atan((warp(low) * warp(high)).sqrt()) * sampling_rate / PI
        };
        let found = match response {
            Response::Lowpass(hz) => Response::Lowpass(edge(hz, 0.0, nyquist)),
            Response::Highpass(hz) => Response::Highpass(edge(hz, nyquist, 0.0)),
            Response::Bandpass(low, high) => {
                let centre = centre(low, high);
                Response::Bandpass(edge(low, centre, 0.0), edge(high, centre, nyquist))
            }
            Response::Bandstop(low, high) => {
                let centre = centre(low, high);
                Response::Bandstop(edge(low, 0.0, centre), edge(high, nyquist, centre))
            }
        };
        Self::of(found, nyquist)
    }

    /// One band. Its geometric centre is 0 Hz if it reaches down to that.
    pub(super) fn one(low: f64, high: f64) -> Self {
        Self { centre: (low * high).sqrt(), passed: vec![[low, high]] }
    }

    /// Everything but what is between `low` and `high`.
    pub(super) fn around(low: f64, high: f64, nyquist: f64) -> Self {
        Self { centre: 0.0, passed: vec![[0.0, low], [high, nyquist]] }
    }

    /// The delay at the centre and the greatest within the bands, of a filter whose delay at a frequency this is.
    pub(super) fn delays(&self, delay: impl Fn(f64) -> f64) -> (f64, f64) {
        let centre = delay(self.centre);
        let greatest = self.passed.iter().map(|band| greatest_delay(&delay, *band)).fold(centre, f64::max);
        (centre, greatest)
    }

    #[cfg(test)]
    pub(super) fn edges(&self) -> impl Iterator<Item = f64> {
        self.passed.iter().flatten().copied()
    }
}

/// Contracts that a thread keeps: a graph has some filters, for devices of some sampling rates.
const KEPT: usize = 32;

/// A cascade's contract, and all that it depends on.
struct Known {
    sos: Sos,
    bands: Bands,
    rate: SamplingRate,
    latency: Latency,
}

thread_local! {
    /// The contracts that this thread worked out last. The search takes longer than all else that a stream needs at its
    /// start, and ten thousand devices of one kind have the same filters.
    static KNOWN: RefCell<VecDeque<Known>> = const { RefCell::new(VecDeque::new()) };
}

/// Group delay at the centre, the greatest in the bands, and the warm-up.
///
/// # Errors
/// An impulse response of more than 2²⁴ samples.
pub(crate) fn latency(sos: &Sos, bands: &Bands, rate: SamplingRate) -> Result<Latency, OperatorError> {
    KNOWN.with_borrow_mut(|known| {
        let same = |one: &&Known| one.sos == *sos && one.bands == *bands && one.rate == rate;
        if let Some(found) = known.iter().find(same) {
            return Ok(found.latency);
        }
        let latency = work_out(sos, bands, rate)?;
        known.truncate(KEPT - 1);
        known.push_front(Known { sos: sos.clone(), bands: bands.clone(), rate, latency });
        Ok(latency)
    })
}

/// The latency of filters side by side: that of the slowest.
pub(crate) fn slowest(latencies: impl IntoIterator<Item = Latency>) -> Latency {
    latencies.into_iter().fold(Latency::default(), |a, b| Latency {
        group_delay: a.group_delay.max(b.group_delay),
        group_delay_max: a.group_delay_max.max(b.group_delay_max),
        warm_up: a.warm_up.max(b.warm_up),
        ..a
    })
}

fn work_out(sos: &Sos, bands: &Bands, rate: SamplingRate) -> Result<Latency, OperatorError> {
    let hz = rate.as_hz();
    let Some(settling) = sos.settling_samples(TOLERANCE) else {
        return Err(OperatorError::Spec {
            what: "impulse response of the filter",
            expected: format!(
                "at most 2^24 samples, {:.0} s at {rate}; raise the lower edge, widen the band, or lower the \
                 sampling rate first",
                f64::from(1 << 24) / hz
            ),
            found: "a longer one".to_owned(),
        });
    };
    let (centre, greatest) = bands.delays(|frequency| sos.group_delay_at(frequency, hz));
    let span = |samples: f64| Span::from_secs_f64(samples / hz).unwrap_or_default();
    Ok(Latency {
        group_delay: span(centre),
        group_delay_max: span(greatest),
        warm_up: rate.offset(settling as u64),
        ..Latency::default()
    })
}

/// The frequency of half the power: from a nominal edge towards `stopped` if more passes there, else towards `passed`.
fn half_power(power: impl Fn(f64) -> f64, nominal: f64, passed: f64, stopped: f64) -> f64 {
    let passes = |hz| power(hz) >= 0.5;
    let (mut inside, mut outside) = if passes(nominal) { (nominal, stopped) } else { (passed, nominal) };
    for _ in 0..60 {
        let middle = inside + (outside - inside) / 2.0;
        if passes(middle) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    inside
}

/// The greatest group delay between two frequencies, in samples.
///
/// Delay peaks at the edges of a pass band, or a little inside: points are dense there, and between the
/// neighbours of the best one a search closes in.
fn greatest_delay(delay: impl Fn(f64) -> f64, [low, high]: [f64; 2]) -> f64 {
    // Evenly in log frequency, if there is a logarithm.
    let frequency = |u: f64| if low > 0.0 { low * libm::pow(high / low, u) } else { low + (high - low) * u };
    let delay = |u: f64| delay(frequency(u));
    let half = (0..=POINTS).map(|k| k as f64 / POINTS as f64).map(|s| s * s * s * s / 2.0);
    let mut points: Vec<f64> = half.clone().chain(half.map(|u| 1.0 - u)).collect();
    points.sort_by(f64::total_cmp);
    let mut best = (0, f64::NEG_INFINITY);
    for (index, u) in points.iter().enumerate() {
        let found = delay(*u);
        if found > best.1 {
            best = (index, found);
        }
    }
    let (index, mut greatest) = best;
    let mut from = points[index.saturating_sub(1)];
    let mut to = points[(index + 1).min(points.len() - 1)];
    for _ in 0..40 {
        let (a, b) = (from + (to - from) / 3.0, to - (to - from) / 3.0);
        let (at_a, at_b) = (delay(a), delay(b));
        greatest = greatest.max(at_a).max(at_b);
        (from, to) = if at_a < at_b { (a, to) } else { (from, b) };
    }
    greatest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{butterworth, chebyshev1, chebyshev2};

    #[test]
    fn a_contract_is_worked_out_once_for_filters_that_are_the_same_and_not_for_others() {
        let sos = |order, low| butterworth(order, Response::Bandpass(low, 40.0), 250.0).unwrap();
        let hz = |hz| SamplingRate::hz(hz).unwrap();
        let kept = || KNOWN.with_borrow(VecDeque::len);
        let first = latency(&sos(4, 1.0), &Bands::one(1.0, 40.0), hz(250)).unwrap();
        for _ in 0..100 {
            assert_eq!(latency(&sos(4, 1.0), &Bands::one(1.0, 40.0), hz(250)).unwrap(), first);
        }
        assert_eq!(kept(), 1);
        for order in 1..=4 {
            for low in 1..20 {
                let low = f64::from(low);
                for (bands, rate) in [(Bands::one(low, 40.0), 250), (Bands::one(low, 30.0), 251)] {
                    let found = latency(&sos(order, low), &bands, hz(rate)).unwrap();
                    assert_eq!(found, work_out(&sos(order, low), &bands, hz(rate)).unwrap());
                }
            }
        }
        assert_eq!(kept(), KEPT);
    }

    #[test]
    fn edges_of_another_gain_are_followed_to_half_the_power() {
        let responses = [
            Response::Lowpass(30.0),
            Response::Highpass(0.5),
            Response::Bandpass(8.0, 13.0),
            Response::Bandstop(45.0, 55.0),
        ];
        for response in responses {
            for sos in [chebyshev1(4, 0.5, response, 250.0), chebyshev2(5, 40.0, response, 250.0)] {
                let sos = sos.unwrap();
                let power_at = |hz| sos.frequency_response(hz, 250.0).norm_sqr();
                for edge in Bands::within_half_power(power_at, response, 250.0).edges() {
                    if edge > 0.0 && edge < 125.0 {
                        let power = power_at(edge);
                        assert!((power - 0.5).abs() < 1e-9, "{response:?}: {power} at {edge}");
                    }
                }
            }
        }
    }

    #[test]
    fn no_delay_within_the_band_exceeds_the_declared_one() {
        for rate in [160_u64, 250, 30_000] {
            for (response, bands) in [
                (Response::Bandpass(1.0, 40.0), Bands::one(1.0, 40.0)),
                (Response::Bandpass(0.1, 70.0), Bands::one(0.1, 70.0)),
                (Response::Bandpass(9.5, 10.0), Bands::one(9.5, 10.0)),
                (Response::Lowpass(30.0), Bands::one(0.0, 30.0)),
                (Response::Highpass(0.5), Bands::one(0.5, rate as f64 / 2.0)),
                (Response::Bandstop(48.0, 52.0), Bands::around(48.0, 52.0, rate as f64 / 2.0)),
            ] {
                for order in [1, 2, 4, 8] {
                    let hz = rate as f64;
                    let Ok(sos) = butterworth(order, response, hz) else { continue };
                    for [low, high] in &bands.passed {
                        let found = greatest_delay(|f| sos.group_delay_at(f, hz), [*low, *high]);
                        let even = (0..=4000).map(|k| f64::from(k) / 4000.0);
                        let floor = low.max(1e-3 * high);
                        let points =
                            even.flat_map(|u| [low + (high - low) * u, floor * (high / floor).powf(u)]);
                        let dense = points.map(|f| sos.group_delay_at(f, hz)).fold(0.0, f64::max);
                        let close = found >= dense * (1.0 - 1e-9) && found <= dense * 1.001 + 1e-9;
                        assert!(close, "{response:?} {order} {rate}: {found} {dense}");
                    }
                }
            }
        }
    }
}
