//! The spike detector: equal to a reference written with SciPy, how many made-up spikes it finds and how exactly, and conformance.
//!
//! Every signal here is synthetic: made-up noise, and spikes whose times are known because they were put there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail by panicking")]

mod support;

use std::sync::Arc;

use ndarray::{Array2, s};
use neuraflow_core::model::{
    Channel, Chunk, Features, SamplingRate, Span, StreamHeader, StreamKey, Window, WindowInfo, WindowStatus,
};
use neuraflow_core::operator::{Item, Missing, Operator, SignalSpec, WindowItem, WindowSpec};
use neuraflow_core::testing::Random;
use neuraflow_core::testing::conformance::{Observed, WindowOutput, default_window_specs, window_operator};
use neuraflow_ops::feature::SpikingBandPower;
use neuraflow_ops::filter::Butterworth;
use neuraflow_ops::spike::{Spike, SpikeDetector, Spikes};
use support::{error, index, json, list, npy, number, numbers};

const RATE: f64 = 30_000.0;

fn rate() -> SamplingRate {
    SamplingRate::hz(30_000).unwrap()
}

/// What an operator makes of an array cut into windows of so many milliseconds.
fn over_windows<O: Operator<In = Window>>(mut operator: O, signal: &Array2<f64>, millis: i64) -> Vec<O::Out>
where
    O::Out: WindowItem,
{
    let channels: Vec<Channel> = (0..signal.ncols()).map(|n| Channel::new(format!("e{n}"))).collect();
    let stream = Arc::new(StreamHeader::new(StreamKey::default(), "synthetic", rate(), channels.clone()));
    let hop = Span::millis(millis);
    let signal_spec = SignalSpec { channels: channels.into(), rate: rate(), missing: Missing::Restart };
    let spec = operator.prepare(&WindowSpec { signal: signal_spec, hop }).unwrap();
    let length = rate().samples_in(hop) as usize;
    let window = |index: usize| {
        let mut samples = Chunk::new((index * length) as u64, signal.ncols());
        for sample in signal.slice(s![index * length..(index + 1) * length, ..]).rows() {
            samples.extend(&sample.iter().map(|value| *value as f32).collect::<Vec<f32>>());
        }
        let start = stream.t0 + Span::millis(millis * index as i64);
        let info = WindowInfo {
            stream: Arc::clone(&stream),
            index: index as i64,
            start,
            end: start + hop,
            expected: length as u32,
            received: length as u32,
            imputed: 0,
            status: WindowStatus::Complete,
            warm_up: false,
            arrival: 0,
            marker: None,
        };
        Window { info, samples }
    };
    (0..signal.nrows() / length)
        .map(|index| {
            let window = window(index);
            let mut out = O::Out::blank(window.info.clone(), &spec);
            operator.process(&window, &mut out).unwrap();
            out
        })
        .collect()
}

#[test]
fn thresholds_crossings_and_troughs_are_scipys() {
    let golden = json("spikes.json");
    let (shape, raw) = npy("spike_band.npy");
    let raw = Array2::from_shape_vec((shape[0], shape[1]), raw).unwrap() / 4.0;
    let filtered = Butterworth::bandpass(4, 300.0..6_000.0).filter(&raw, RATE).unwrap();
    let calibration = index(&golden["calibration_ms"]);
    let detector =
        SpikeDetector::new().threshold(number(&golden["factor"])).calibrated_millis(calibration as i64);
    let samples = calibration * 30;
    let thresholds = detector.estimate(filtered.slice(s![..samples, ..]));
    let found = detector.detect(filtered.view(), rate()).unwrap();
    for (at, expected) in list(&golden, "channels").iter().enumerate() {
        let worst = error(&[thresholds[at]], &[number(&expected["threshold"])]);
        let of: Vec<&Spike> = found.iter().filter(|spike| spike.channel == at).collect();
        let crossings: Vec<f64> = of.iter().map(|spike| spike.crossing as f64).collect();
        assert_eq!(crossings, numbers(&expected["crossings"]));
        let troughs: Vec<f64> = of.iter().map(|spike| spike.trough).collect();
        let depths: Vec<f64> = of.iter().map(|spike| spike.microvolts).collect();
        let (where_, deep) = (
            error(&troughs, &numbers(&expected["troughs"])),
            error(&depths, &numbers(&expected["microvolts"])),
        );
        println!("channel {at}: threshold {worst:.0e}, troughs {where_:.0e}, depths {deep:.0e}");
        assert!(worst < 1e-12 && where_ < 1e-9 && deep < 1e-9);
        for millis in [1, 10, 20, 50] {
            let counted: Vec<Features> = over_windows(detector.clone().counts(), &filtered, millis);
            let counts: Vec<f64> = counted.iter().map(|features| features.values[at]).collect();
            let (before, after) = counts.split_at(calibration / millis as usize);
            assert!(before.iter().all(|count| count.is_nan()), "nothing is known during the calibration");
            let expected = numbers(&expected["counts"][millis.to_string()]);
            assert_eq!(after[..expected.len()], expected, "bins of {millis} ms");
        }
    }
    let narrow = Butterworth::bandpass(2, 300.0..1_000.0).filter(&raw, RATE).unwrap();
    let power: Vec<f64> = narrow
        .as_slice()
        .unwrap()
        .chunks(3_000)
        .flat_map(|bin| SpikingBandPower::of_samples(bin, 2).unwrap())
        .collect();
    let expected: Vec<f64> = list(&golden, "band_power_50ms").iter().flat_map(numbers).collect();
    let worst = error(&power, &expected);
    println!("spiking band: {worst:.0e}");
    assert!(worst < 1e-12);
}

/// A spike of depth 1 at time 0 in milliseconds: a sharp trough and a slow hump behind it.
fn waveform(millis: f64) -> f64 {
    let bell = |centre: f64, width: f64| {
        let away = (millis - centre) / width;
        libm::exp(-away * away)
    };
    0.35 * bell(0.35, 0.2) - bell(0.0, 0.12)
}

/// Twenty seconds of one electrode: noise of so many µV, a slow wave of 100 µV, and spikes of one depth, at least 3 ms apart, at times between
/// samples. Filtered; with the times in samples.
fn synthetic(depth: f64, noise: f64, seed: u64) -> (Array2<f64>, Vec<f64>) {
    let (samples, mut random) = (600_000, Random::new(seed));
    // Twelve uniform numbers are close to normal; `unit` is from -1 to 1.
    let normal = |random: &mut Random| (0..12).map(|_| random.unit()).sum::<f64>() / 2.0;
    let mut signal: Vec<f64> = (0..samples)
        .map(|n| {
            100.0 * libm::sin(std::f64::consts::TAU * 7.0 * n as f64 / RATE) + noise * normal(&mut random)
        })
        .collect();
    let (mut times, mut at) = (Vec::new(), 31_000.0);
    loop {
        at += 90.0 - 1_000.0 * libm::log(0.5 + 0.5 * random.unit());
        if at > samples as f64 - 200.0 {
            break;
        }
        times.push(at);
        let first = at as usize - 60;
        for (n, value) in (first..).zip(&mut signal[first..first + 150]) {
            *value += depth * waveform((n as f64 - at) / (RATE / 1e3));
        }
    }
    let signal = Array2::from_shape_vec((samples, 1), signal).unwrap();
    (Butterworth::bandpass(4, 300.0..6_000.0).filter(&signal, RATE).unwrap(), times)
}

/// Where the trough of a lone spike at 0 ends up behind the filter, in samples.
fn delay() -> f64 {
    let lone = Array2::from_shape_fn((600, 1), |(n, _)| 100.0 * waveform((n as f64 - 300.0) / (RATE / 1e3)));
    let filtered = Butterworth::bandpass(4, 300.0..6_000.0).filter(&lone, RATE).unwrap();
    let spikes = SpikeDetector::new().thresholds_microvolts([-40.0]).detect(filtered.view(), rate()).unwrap();
    spikes[0].trough - 300.0
}

#[test]
fn synthetic_spikes_are_found_where_they_were_put() {
    const SEED: u64 = 11;
    let delay = delay();
    // Depth and noise in µV ahead of the filter; which share is found, how many are false in a second, and how far off troughs are in samples,
    // at worst.
    for (depth, noise, share, false_a_second, off) in
        [(100.0, 0.01, 1.0, 0.5, 0.03), (120.0, 10.0, 1.0, 0.5, 0.35), (80.0, 10.0, 0.99, 0.5, 0.55)]
    {
        let (signal, truth) = synthetic(depth, noise, SEED);
        // Without noise, the threshold would be in the ringing of the filter.
        let detector = SpikeDetector::new().threshold(4.5);
        let detector = if noise < 1.0 { detector.thresholds_microvolts([-40.0]) } else { detector };
        let spikes = detector.detect(signal.view(), rate()).unwrap();
        let nearest = |place: &dyn Fn(&Spike) -> f64| -> Vec<f64> {
            let near = truth.iter().filter_map(|time| {
                let errors = spikes.iter().map(|spike| place(spike) - delay - time);
                errors.min_by(|a, b| a.abs().total_cmp(&b.abs())).filter(|error| error.abs() < 5.0)
            });
            near.collect()
        };
        let rms = |errors: &[f64]| (errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64).sqrt();
        let errors = nearest(&|spike| spike.trough);
        let found = errors.len() as f64 / truth.len() as f64;
        let wrong = spikes.len().saturating_sub(errors.len()) as f64 / 19.0;
        // Whole samples are further off: what lies between counts.
        let (between, whole) = (rms(&errors), rms(&nearest(&|spike| spike.trough.round())));
        println!(
            "synthetic, seed {SEED}, {depth} µV in {noise} µV of noise: {} of {} found, {wrong:.2} false a second, troughs {between:.3} \
             samples off (RMS), whole samples {whole:.3}",
            errors.len(),
            truth.len()
        );
        assert!(found >= share && wrong <= false_a_second && between <= off && whole > between);
    }
}

#[test]
fn windows_of_any_length_give_the_same_spikes() {
    let (signal, _) = synthetic(100.0, 10.0, 12);
    // Samples travel as f32.
    let signal = signal.slice(s![..60_000, ..]).mapv(|value| f64::from(value as f32));
    let whole = SpikeDetector::new().detect(signal.view(), rate()).unwrap();
    assert!(whole.len() > 15);
    for millis in [1, 5, 50] {
        let windows: Vec<Spikes> = over_windows(SpikeDetector::new(), &signal, millis);
        let all: Vec<Spike> = windows.iter().flat_map(|window| window.spikes.clone()).collect();
        assert_eq!(all, whole, "windows of {millis} ms");
        let late = windows.iter().flat_map(|window| {
            window.spikes.iter().map(|spike| (window.info.end - window.time_of(spike)).as_millis_f64())
        });
        // Half a millisecond and the rest of its window.
        assert!(late.into_iter().all(|late| late > 0.0 && late < millis as f64 + 0.7));
        let counts: Vec<Features> = over_windows(SpikeDetector::new().counts(), &signal, millis);
        let sum: f64 =
            counts.iter().map(|features| features.values[0]).filter(|count| count.is_finite()).sum();
        assert_eq!(sum, whole.len() as f64);
    }
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let signal = Array2::<f64>::zeros((100, 2));
    let says = |detector: SpikeDetector, what: &str| {
        let error = detector.detect(signal.view(), rate()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    let new = SpikeDetector::new;
    says(new().threshold(0.0), "above 0; 4.5 is usual");
    says(new().threshold(f64::NAN), "above 0");
    says(new().calibrated_millis(0), "at least 2 samples");
    says(new().calibrated_millis(i64::MAX / 1_000_000), "at most 67108864 values");
    says(new().align_micros(1_501), "from 0 to the refractory time, 1.5 ms");
    says(new().refractory_micros(-1), "refractory time");
    says(new().thresholds_microvolts([-40.0]), "expected 2, one for each channel, found 1");
    says(new().thresholds_microvolts([-40.0, 40.0]), "below 0");
}

/// For the kit: its outputs are shown as text.
#[derive(Clone)]
struct Shown(Spikes);

impl Item for Shown {
    type Spec = Arc<[String]>;
}

impl WindowOutput for Shown {
    fn blank(spec: &Self::Spec, info: &WindowInfo) -> Self {
        Self(Spikes::blank(info.clone(), spec))
    }

    fn observe(&self) -> Observed {
        Observed::Text(format!("{:?}", self.0.spikes))
    }
}

/// A detector whose output the kit can look at.
struct Watched(SpikeDetector);

impl Operator for Watched {
    type In = Window;
    type Out = Shown;

    fn prepare(
        &mut self,
        spec: &WindowSpec,
    ) -> Result<Arc<[String]>, neuraflow_core::operator::OperatorError> {
        self.0.prepare(spec)
    }

    fn process(
        &mut self,
        input: &Window,
        out: &mut Shown,
    ) -> Result<(), neuraflow_core::operator::OperatorError> {
        self.0.process(input, &mut out.0)
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn latency(&self) -> neuraflow_core::operator::Latency {
        self.0.latency()
    }

    fn snapshot(&self, writer: &mut neuraflow_core::checkpoint::SnapshotWriter) {
        self.0.snapshot(writer);
    }

    fn restore(
        &mut self,
        reader: &mut neuraflow_core::checkpoint::SnapshotReader<'_>,
    ) -> Result<(), neuraflow_core::checkpoint::RestoreError> {
        self.0.restore(reader)
    }
}

#[test]
fn detector_counts_and_band_pass_the_kit() {
    // The kit's signals are slow and of any offset: a threshold of half a deviation is crossed often.
    let detector = || SpikeDetector::new().threshold(0.5).calibrated_millis(20).refractory_micros(3_000);
    window_operator(|| Watched(detector())).run().assert_ok();
    window_operator(|| detector().counts()).run().assert_ok();
    // At 1 kHz too.
    let mut slow = default_window_specs();
    slow.truncate(1);
    slow[0].signal.rate = SamplingRate::hz(1_000).unwrap();
    window_operator(|| detector().counts()).specs(slow).run().assert_ok();
    window_operator(SpikingBandPower::new).run().assert_ok();
    window_operator(|| SpikingBandPower::new().over_millis(100)).run().assert_ok();
}
