//! Spikes in a pipeline: broadband signals come in by the packet, are band-passed, and cut into windows of a millisecond or more. The signals are
//! synthetic: made-up noise, and spikes that were put there.

use std::f32::consts::TAU;
use std::thread;

use ndarray::Array2;
use neuraflow::ops::feature::SpikingBandPower;
use neuraflow::ops::spike::{Spike, SpikeDetector, Spikes};
use neuraflow::prelude::*;
use neuraflow::sinks::bounded;
use neuraflow::sources::device::DeviceConfig;
use neuraflow::testing::Random;

const RATE: u64 = 30_000;
const SAMPLES: usize = 75_000;

/// Two and a half seconds of two electrodes in µV, `[sample][channel]`: noise, a slow wave, and a spike every 20 ms or so. The seed is 5.
fn broadband() -> Vec<f32> {
    let mut random = Random::new(5);
    let mut values: Vec<f32> = (0..SAMPLES)
        .flat_map(|n| {
            let slow = 80.0 * (TAU * 9.0 * n as f32 / RATE as f32).sin();
            [0, 1].map(|_| slow + (0..6).map(|_| 7.0 * random.unit() as f32).sum::<f32>())
        })
        .collect();
    for electrode in [0, 1] {
        let mut at = 200;
        while at < SAMPLES - 100 {
            for n in at - 15..at + 15 {
                let away = (n as f32 - at as f32) / 4.0;
                values[2 * n + electrode] -= 110.0 * (-away * away).exp();
            }
            at += 300 + random.below(600);
        }
    }
    values
}

fn detector() -> SpikeDetector {
    SpikeDetector::new().threshold(4.5).calibrated_millis(500)
}

/// What the pipeline makes of it in windows of so many milliseconds: spikes, crossings and the power of their band.
fn live(
    values: &[f32],
    packet: usize,
    workers: usize,
    millis: i64,
) -> (Vec<Spikes>, Vec<Features>, Vec<Features>) {
    let key = StreamKey::of_names("session", "probe");
    let channels = ["e1", "e2"].map(Channel::new).to_vec();
    let header = StreamHeader::new(key, "probe", SamplingRate::hz(RATE).unwrap(), channels);
    let config = DeviceConfig { overflow: Overflow::Block, ..DeviceConfig::default() };
    let (handle, source) = device::channel(config);
    let (spike_sink, spikes) = bounded(8_192, Overflow::Block);
    let (count_sink, counts) = bounded(8_192, Overflow::Block);
    let (power_sink, power) = bounded(8_192, Overflow::Block);
    let running = Pipeline::from(source)
        .branch(|raw| {
            let narrow = raw.stage(|| Butterworth::bandpass(2, 300.0..1_000.0));
            narrow.window(Tumbling::millis(50)).feature(SpikingBandPower::new).sink(power_sink)
        })
        .stage(|| Butterworth::bandpass(4, 300.0..6_000.0))
        .window(Tumbling::millis(millis))
        .branch(|windows| windows.feature(|| detector().counts()).sink(count_sink))
        .feature(detector)
        .sink(spike_sink)
        .build()
        .unwrap()
        .spawn(Workers::new(workers))
        .unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            handle.open(header).unwrap();
            for (at, values) in values.chunks(2 * packet).enumerate() {
                handle.push(&key, (at * packet) as u64, values).unwrap();
            }
        });
        let others = scope.spawn(move || counts.iter().collect::<Vec<_>>());
        let third = scope.spawn(move || power.iter().collect::<Vec<_>>());
        let spikes = spikes.iter().collect();
        running.join().unwrap();
        (spikes, others.join().unwrap(), third.join().unwrap())
    })
}

#[test]
fn live_equals_offline_for_windows_packets_and_workers_of_any_size() {
    let values = broadband();
    let signal = Array2::from_shape_vec((SAMPLES, 2), values.clone()).unwrap();
    let filtered = Butterworth::bandpass(4, 300.0..6_000.0).filter(&signal, RATE as f64).unwrap();
    let offline: Vec<Spike> = detector().detect(filtered.view(), SamplingRate::hz(RATE).unwrap()).unwrap();
    assert!(offline.len() > 150, "{}", offline.len());
    for (millis, packet, workers) in [(1, 30, 1), (1, 977, 2), (5, 7, 3), (50, 15_000, 1)] {
        let how = format!("windows of {millis} ms, {packet} samples a packet, {workers} workers");
        let (spikes, counts, power) = live(&values, packet, workers, millis);
        let mut found: Vec<Spike> = spikes.iter().flat_map(|window| window.spikes.clone()).collect();
        // A spike whose waveform is complete in the same sample as another's comes in the channels' order in both.
        found.sort_by_key(|spike| (spike.crossing, spike.channel));
        let mut expected = offline.clone();
        expected.sort_by_key(|spike| (spike.crossing, spike.channel));
        assert_eq!(found, expected, "{how}");
        assert_eq!(counts.len(), 2_500 / millis as usize, "{how}");
        for channel in [0, 1] {
            let sum: f64 =
                counts.iter().map(|window| window.values[channel]).filter(|count| count.is_finite()).sum();
            let of = offline.iter().filter(|spike| spike.channel == channel).count();
            assert_eq!(sum, of as f64, "{how}");
        }
        // Half a second of calibration.
        let known = counts.iter().filter(|window| window.values[0].is_finite()).count();
        assert_eq!(known, 2_000 / millis as usize, "{how}");
        assert!(
            power.len() == 50 && power.iter().all(|window| window.values.iter().all(|power| *power > 1.0))
        );
    }
}
