//! Signals, specs and cuts that the checks are made of, all from one seed.

use std::sync::Arc;

use crate::model::{
    Channel, ChannelKind, Chunk, Span, StreamHeader, StreamKey, Unit, Window, WindowInfo, WindowStatus,
};
use crate::operator::{Missing, SignalSpec, WindowSpec};
use crate::testing::Random;

/// A signal that looks like EEG to an operator: an offset for each channel, slow and fast parts, tens of µV.
/// Trigger channels carry small whole numbers.
pub(super) fn signal(spec: &SignalSpec, samples: usize, random: &mut Random) -> Vec<f32> {
    let offsets: Vec<f64> = spec.channels.iter().map(|_| 40.0 * random.unit()).collect();
    let mut slow = vec![0.0; spec.channels.len()];
    let mut values = Vec::with_capacity(samples * spec.channels.len());
    for _ in 0..samples {
        for ((channel, offset), slow) in spec.channels.iter().zip(&offsets).zip(&mut slow) {
            let value = if channel.kind() == ChannelKind::Trigger {
                (random.below(40) / 37) as f64
            } else {
                *slow = 0.95 * *slow + 10.0 * random.unit();
                offset + *slow + 5.0 * random.unit()
            };
            values.push(value as f32);
        }
    }
    values
}

/// Makes `values` missing in samples `from..to`, in one channel or in all.
pub(super) fn make_missing(
    values: &mut [f32],
    width: usize,
    samples: std::ops::Range<usize>,
    channel: Option<usize>,
    by: f32,
) {
    for sample in values.chunks_exact_mut(width.max(1)).take(samples.end).skip(samples.start) {
        match channel {
            Some(channel) => sample[channel] = by,
            None => sample.fill(by),
        }
    }
}

/// How a signal is cut into chunks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    /// All in one chunk.
    Whole,
    /// Chunks of this many samples.
    Every(usize),
    /// Chunks of 0 to 200 samples.
    Random(u64),
}

/// `values` as chunks; the first starts at sample `first` of the stream.
pub(super) fn chunks(values: &[f32], width: usize, first: u64, cut: Cut) -> Vec<Chunk> {
    let mut random = Random::new(if let Cut::Random(seed) = cut { seed } else { 0 });
    let (mut rest, mut at, mut out) = (values, first, Vec::new());
    while !rest.is_empty() {
        let samples = match cut {
            Cut::Whole => rest.len(),
            Cut::Every(samples) => samples.max(1),
            Cut::Random(_) => random.below(4) * random.below(68),
        };
        let (head, tail) = rest.split_at(rest.len().min(samples.saturating_mul(width.max(1))));
        let mut chunk = Chunk::new(at, width);
        chunk.extend(head);
        at = chunk.end();
        out.push(chunk);
        rest = tail;
    }
    out
}

/// `values` as windows on the grid of the Unix epoch, sample 0 at the epoch; the windows from `first` on.
pub(super) fn windows(spec: &WindowSpec, values: &[f32], first: usize) -> Vec<Window> {
    let signal = &spec.signal;
    let width = signal.channels.len().max(1);
    let stream = Arc::new(StreamHeader::new(
        StreamKey::of_names("conformance", "kit"),
        "conformance",
        signal.rate,
        signal.channels.to_vec(),
    ));
    let end = signal.rate.first_at_or_after(Span::nanos(i64::MAX / 2)).min((values.len() / width) as u64);
    let mut out = Vec::new();
    for index in first as i64.. {
        let (start, stop) = (times(spec.hop, index), times(spec.hop, index + 1));
        let from = signal.rate.first_at_or_after(start);
        let to = signal.rate.first_at_or_after(stop);
        if to > end {
            break;
        }
        let mut samples = Chunk::new(from, signal.channels.len());
        let part = &values[from as usize * width..to as usize * width];
        samples.extend(part);
        let received = samples.samples().filter(|s| !s.iter().all(|v| v.is_nan())).count() as u32;
        let expected = (to - from) as u32;
        out.push(Window {
            info: WindowInfo {
                stream: stream.clone(),
                index,
                start: stream.t0 + start,
                end: stream.t0 + stop,
                expected,
                received,
                imputed: 0,
                status: if received == expected { WindowStatus::Complete } else { WindowStatus::Gap },
                warm_up: false,
                arrival: 0,
                marker: None,
            },
            samples,
        });
    }
    out
}

fn times(span: Span, count: i64) -> Span {
    Span::nanos(span.as_nanos().saturating_mul(count))
}

/// A spec as people write it.
pub(super) fn describe(spec: &SignalSpec) -> String {
    format!("{}, {} channels, {:?}", spec.rate, spec.channels.len(), spec.missing)
}

/// The same spec with `channels` channels: the first ones, or the last one repeated under other labels.
pub(super) fn with_channels(spec: &SignalSpec, channels: usize) -> SignalSpec {
    let mut layout: Vec<Channel> = spec.channels.iter().take(channels).cloned().collect();
    while layout.len() < channels {
        layout.push(Channel::new(format!("EEG extra {}", layout.len())));
    }
    SignalSpec { channels: layout.into(), ..spec.clone() }
}

/// The specs an operator meets if its caller names none: 250 Hz (13, 12, 13 … samples in 50 ms), both gap
/// policies; 12.8 Hz, where some windows expect no sample; 30 kHz; and a single channel. EEG, EOG and trigger.
pub fn default_specs() -> Vec<SignalSpec> {
    let mixed = || {
        let mut channels: Vec<Channel> =
            ["Fp1", "C3", "Cz", "O2", "EOG left"].into_iter().map(Channel::new).collect();
        channels.push(Channel::new("Status").with_unit(Unit::Other(String::new())));
        channels
    };
    let eeg = |labels: &[&str]| labels.iter().copied().map(Channel::new).collect::<Vec<_>>();
    let rates = [
        (250, 1, mixed(), Missing::Restart),
        (250, 1, mixed(), Missing::Freeze),
        (64, 5, mixed(), Missing::Restart),
        (30_000, 1, eeg(&["Fp1", "C3"]), Missing::Restart),
        (160, 1, eeg(&["Cz"]), Missing::Restart),
    ];
    rates
        .into_iter()
        .filter_map(|(num, den, channels, missing)| {
            let rate = crate::model::SamplingRate::ratio(num, den).ok()?;
            Some(SignalSpec { channels: channels.into(), rate, missing })
        })
        .collect()
}

/// [`default_specs`] in windows of 50 ms.
pub fn default_window_specs() -> Vec<WindowSpec> {
    default_specs().into_iter().map(|signal| WindowSpec { signal, hop: Span::millis(50) }).collect()
}
