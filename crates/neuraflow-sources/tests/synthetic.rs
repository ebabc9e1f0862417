//! Synthetic headsets: the same bits however they are cut and spread, a plausible spectrum, faults as announced.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::TAU;
use std::sync::Arc;

use neuraflow_core::model::{Packet, PacketBody, SamplingRate, Span, StreamHeader, StreamKey};
use neuraflow_core::source::Source;
use neuraflow_core::testing::{FakeClock, collect_packets, collect_worker};
use neuraflow_sources::pace::Speed;
use neuraflow_sources::synthetic::{Fault, FaultPlan, Injected, Synthetic};

const SEED: u64 = 20_241;

/// For each stream, everything it sent: (counter, values) of each sample in the order of sending, and the end.
type Sent = BTreeMap<StreamKey, (Vec<(u64, Vec<u32>)>, Option<u64>)>;

fn sent(source: &Synthetic, workers: usize) -> Sent {
    let mut all = Sent::new();
    for worker in 0..workers {
        let mut headers = BTreeMap::<StreamKey, StreamHeader>::new();
        for (_, Packet { stream, body }) in
            collect_worker(source, &Arc::new(FakeClock::new()), worker, workers).unwrap()
        {
            match body {
                PacketBody::Open(header) => {
                    assert!(all.insert(stream, Default::default()).is_none(), "opened on two workers");
                    headers.insert(stream, *header);
                }
                PacketBody::Samples { sequence, values } => {
                    let header = &headers[&stream];
                    let samples = &mut all.get_mut(&stream).unwrap().0;
                    for (i, sample) in values.chunks_exact(header.channels.len()).enumerate() {
                        let counter = header.sequence.wrap(sequence + i as u64);
                        samples.push((counter, sample.iter().map(|v| v.to_bits()).collect()));
                    }
                }
                PacketBody::End { next } => all.get_mut(&stream).unwrap().1 = next,
                other => panic!("unexpected {other:?}"),
            }
        }
    }
    all
}

fn headsets() -> Synthetic {
    Synthetic::new(8, SamplingRate::hz(250).unwrap()).streams(3).seed(SEED).seconds(20.0)
}

#[test]
fn packet_size_and_workers_do_not_change_a_bit() {
    for faults in [FaultPlan::NONE, FaultPlan::ALL] {
        let reference = sent(&headsets().faults(faults), 1);
        assert_eq!(reference.len(), 3);
        for packet in [1, 7, 13, 64] {
            for workers in [1, 2, 3] {
                let other = sent(&headsets().faults(faults).packet(packet), workers);
                assert!(
                    other == reference,
                    "seed {SEED}, faults {faults}, packet {packet}, workers {workers}"
                );
            }
        }
        assert_ne!(sent(&headsets().faults(faults).seed(SEED + 1), 1), reference);
    }
}

#[test]
fn pace_is_kept_and_does_not_change_a_bit() {
    let source = headsets().speed(Speed::Times(2.0));
    let clock = Arc::new(FakeClock::at(5_000));
    let packets = collect_packets(&source, &clock).unwrap();
    for (arrival, packet) in &packets {
        if let PacketBody::Samples { sequence, values } = &packet.body {
            let last = sequence + (values.len() / 8) as u64 - 1;
            assert_eq!(*arrival, 5_000 + last * 2_000_000, "a packet is due when its last sample was taken");
        }
    }
    assert_eq!(sent(&source, 2), sent(&headsets(), 1));
}

#[test]
fn streams_interleave_in_event_time() {
    let packets = collect_packets(&headsets(), &Arc::new(FakeClock::new())).unwrap();
    let mut latest = 0;
    for (_, packet) in packets {
        if let PacketBody::Samples { sequence, .. } = packet.body {
            assert!(sequence >= latest, "{sequence} after {latest}");
            latest = sequence;
        }
    }
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let rate = SamplingRate::hz(250).unwrap();
    let wrong = [
        (Synthetic::new(0, rate), "channels"),
        (Synthetic::new(8, rate).streams(0), "streams"),
        (Synthetic::new(8, rate).packet(0), "packet"),
        (Synthetic::new(8, rate).seconds(f64::NAN), "length"),
        (Synthetic::new(8, rate).until(Span::secs(-1)), "length"),
        (Synthetic::new(8, rate).speed(Speed::Times(0.0)), "speed"),
        (Synthetic::new(8, rate).line(f64::INFINITY), "line noise"),
    ];
    for (source, setting) in wrong {
        let error = collect_packets(&source, &Arc::new(FakeClock::new())).unwrap_err().to_string();
        assert!(error.contains(setting) && error.contains("expected"), "{error}");
    }
}

/// Mean power in µV² of one channel in `[low, high)` Hz, from Hann-windowed 2 s segments.
fn power(signal: &[f64], hz: f64, low: f64, high: f64) -> f64 {
    let n = (2.0 * hz) as usize;
    let mut total = 0.0;
    let segments = signal.len() / n;
    for segment in signal.chunks_exact(n) {
        for bin in (low * 2.0).ceil() as usize..(high * 2.0) as usize {
            let (mut re, mut im) = (0.0, 0.0);
            for (i, v) in segment.iter().enumerate() {
                let hann = 0.5 - 0.5 * (TAU * i as f64 / n as f64).cos();
                let phase = TAU * (bin * i) as f64 / n as f64;
                re += v * hann * phase.cos();
                im += v * hann * phase.sin();
            }
            // Single-sided, corrected for the window's power of 3/8.
            total += 2.0 * (re * re + im * im) / (n as f64 * n as f64 * 0.375);
        }
    }
    total / segments as f64
}

#[test]
fn the_spectrum_is_that_of_an_eeg() {
    let source = Synthetic::new(8, SamplingRate::hz(250).unwrap()).seed(SEED).seconds(120.0);
    let (samples, _) = sent(&source, 1).into_values().next().unwrap();
    let channel = |c: usize| -> Vec<f64> {
        samples.iter().map(|(_, values)| f64::from(f32::from_bits(values[c]))).collect()
    };
    let (frontal, occipital) = (channel(0), channel(6));
    let alpha = |signal: &[f64]| power(signal, 250.0, 9.0, 11.5);
    assert!(alpha(&occipital) > 5.0 * alpha(&frontal), "{} {}", alpha(&occipital), alpha(&frontal));
    assert!(alpha(&occipital) > 5.0 * power(&occipital, 250.0, 13.0, 15.5));
    let line = power(&occipital, 250.0, 49.5, 51.0);
    assert!(line > 5.0 * power(&occipital, 250.0, 53.0, 54.5), "{line}");
    // 1/f: equal power in octaves, within a factor of 2.5, away from rhythms and blinks.
    let octave = |low| power(&occipital, 250.0, low, 2.0 * low);
    let (slow, fast) = (octave(3.0), octave(20.0));
    assert!(slow / fast < 2.5 && fast / slow < 2.5, "{slow} {fast}");
    let rms = |signal: &[f64]| (signal.iter().map(|v| v * v).sum::<f64>() / signal.len() as f64).sqrt();
    assert!((8.0..30.0).contains(&rms(&occipital)), "{}", rms(&occipital));
    let peak = frontal.iter().fold(0.0_f64, |peak, v| peak.max(*v));
    assert!((120.0..400.0).contains(&peak), "blinks: {peak}");
}

#[test]
fn line_noise_can_be_moved_and_removed() {
    let at = |hz: f64, line: f64| {
        let source = Synthetic::new(1, SamplingRate::hz(250).unwrap()).seed(SEED).seconds(30.0).line(line);
        let (samples, _) = sent(&source, 1).into_values().next().unwrap();
        let signal: Vec<f64> = samples.iter().map(|(_, v)| f64::from(f32::from_bits(v[0]))).collect();
        power(&signal, 250.0, hz - 0.5, hz + 1.0)
    };
    assert!(at(60.0, 60.0) > 5.0 * at(60.0, 50.0));
    assert!(at(50.0, 50.0) > 5.0 * at(50.0, 0.0));
}

/// What really happened, from the packets alone.
fn observed(source: &Synthetic, stream: usize) -> (Injected, u64) {
    let header = &source.streams()[stream];
    let (samples, end) = sent(source, 1).remove(&header.key).unwrap();
    let unwrap = |counter: u64, ahead: u64| {
        let here = header.sequence.wrap(header.first_sequence + ahead);
        ahead.saturating_add_signed(header.sequence.difference(counter, here))
    };
    let mut result = source.injected(stream).unwrap();
    let announced = result;
    (result.duplicated_samples, result.spoilt_values) = (0, 0);
    let (mut swapped, mut delayed) = (0, 0);
    let (mut seen, mut ahead) = (BTreeSet::new(), 0_u64);
    for (counter, values) in &samples {
        let n = unwrap(*counter, ahead);
        if !seen.insert(n) {
            result.duplicated_samples += 1;
            continue;
        }
        if n < ahead {
            let by = header.time_of(ahead) - header.time_of(n);
            if by <= Span::millis(10) { swapped += 1 } else { delayed += 1 }
        }
        ahead = ahead.max(n);
        result.spoilt_values += values.iter().filter(|v| !f32::from_bits(**v).is_finite()).count() as u64;
    }
    let taken = unwrap(end.expect("the headset knows its end"), ahead);
    (result.taken, result.swapped_samples, result.delayed_samples) = (taken, swapped, delayed);
    assert_eq!(announced.sent(), samples.len() as u64);
    (result, taken - seen.len() as u64)
}

#[test]
fn faults_are_what_the_ground_truth_says() {
    for hz in [250, 1_000] {
        for faults in Fault::ALL.map(|fault| FaultPlan::NONE.with(fault)).into_iter().chain([FaultPlan::ALL])
        {
            let source = Synthetic::new(2, SamplingRate::hz(hz).unwrap())
                .streams(2)
                .seed(SEED)
                .seconds(60.0)
                .faults(faults)
                .packet(10);
            for stream in 0..2 {
                let announced = source.injected(stream).unwrap();
                let (found, lost) = observed(&source, stream);
                assert_eq!(found, announced, "seed {SEED}, {hz} Hz, {faults}, stream {stream}");
                assert_eq!(lost, announced.lost(), "seed {SEED}, {hz} Hz, {faults}, stream {stream}");
                assert_eq!(announced.taken, 60 * hz);
                for (fault, times) in [
                    (Fault::Gap, announced.gaps),
                    (Fault::Duplicate, announced.duplicates),
                    (Fault::Reorder, announced.swaps),
                    (Fault::Reorder, announced.delays),
                    (Fault::Dropout, announced.dropouts),
                    (Fault::Nan, announced.spoilt_runs),
                ] {
                    assert_eq!(times >= 2, faults.has(fault), "{fault:?} in {faults}: {times}");
                }
                assert_eq!(announced.wraps >= 1, faults.has(Fault::Wrap));
            }
        }
    }
}

#[test]
fn jitter_varies_packets_and_arrivals() {
    let source = headsets().streams(1).faults(FaultPlan::NONE.with(Fault::Jitter)).speed(Speed::RealTime);
    let packets = collect_packets(&source, &Arc::new(FakeClock::new())).unwrap();
    let (mut sizes, mut late) = (BTreeSet::new(), BTreeSet::new());
    for (arrival, packet) in packets {
        if let PacketBody::Samples { sequence, values } = packet.body {
            sizes.insert(values.len() / 8);
            late.insert(arrival - (sequence + values.len() as u64 / 8 - 1) * 4_000_000);
        }
    }
    assert!(sizes.len() > 10 && sizes.iter().all(|size| (1..=15).contains(size)), "{sizes:?}");
    assert!(late.len() > 100 && late.iter().all(|late| *late <= 30_000_000));
}
