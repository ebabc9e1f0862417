//! Other codecs on the same frames, one JSON object a line: `cargo run --release` in benches/codecs.
//!
//! Each frame stands alone, except for the codec of this project, which has a key frame every second. All get the same counts; where
//! the name says so they get differences from sample to sample, channel by channel, and their bytes in planes.

use std::hint::black_box;
use std::time::Instant;

use flacenc::component::BitRepr;
use flacenc::error::Verify;
use neuraflow_core::codec::{Config, Encoder, Layout, Profile, Samples, ValueType, Values};
use neuraflow_core::model::{SamplingRate, StreamKey};
use neuraflow_core::testing::data::folder;
use neuraflow_sources::recording::edf::Edf;
use serde_json::json;

const CHANNELS: usize = 64;
const HZ: usize = 160;

fn main() {
    let mut file = Edf::open(folder().join("edf/S001R04.edf")).expect("the recording; set NEURAFLOW_DATA");
    let mut counts = vec![0i16; 20_000 * CHANNELS];
    for record in 0..125 {
        for channel in 0..CHANNELS {
            let samples = file.digital(channel, record).expect("a record of the recording");
            for (n, count) in samples.into_iter().enumerate() {
                counts[(record as usize * HZ + n) * CHANNELS + channel] = count as i16;
            }
        }
    }
    for millis in [50, 1_000] {
        let samples = HZ * millis / 1_000;
        let frames: Vec<&[i16]> = counts.chunks(samples * CHANNELS).collect();
        let row = |name: &str, encode: &mut dyn FnMut(&[i16]) -> Option<usize>| {
            let (start, mut bytes) = (Instant::now(), Some(0));
            for frame in &frames {
                let more = encode(black_box(frame));
                bytes = bytes.zip(more).map(|(bytes, more)| bytes + more);
            }
            let speed = 2.0 * counts.len() as f64 / start.elapsed().as_secs_f64() / 1e6;
            let ratio = bytes.map(|bytes| 2.0 * counts.len() as f64 / bytes as f64);
            // What cannot be encoded has no speed either.
            let speed = ratio.map(|_| speed);
            let round = |value: f64| (value * 1e3).round() / 1e3;
            println!(
                "{}",
                json!({ "name": format!("{millis} ms: {name}"), "ratio": ratio.map(round), "encode_mb_s": speed.map(round) })
            );
        };
        for (name, profile) in [("neuraflow small", Profile::Small), ("neuraflow fast", Profile::Fast)] {
            let config = Config::of(profile).with_key_interval(1_000 / millis as u32);
            let rate = SamplingRate::hz(HZ as u64).expect("a rate");
            let layout =
                Layout::counts(StreamKey::of_names("S001R04", "eeg"), rate, CHANNELS, ValueType::I16, 1.0);
            let mut encoder = Encoder::new(layout, config).expect("an encoder");
            let mut first = 0;
            row(name, &mut |frame| {
                let mut bytes = Vec::new();
                let samples = Samples { sequence: first, first, values: Values::I16(frame), missing: &[] };
                encoder.encode(samples, &mut bytes).ok()?;
                first += (frame.len() / CHANNELS) as u64;
                Some(bytes.len())
            });
        }
        row("lz4", &mut |frame| Some(lz4_flex::block::compress(&bytes(frame)).len()));
        row("lz4, delta and planes", &mut |frame| {
            Some(lz4_flex::block::compress(&planes(&delta(frame))).len())
        });
        row("zstd -3", &mut |frame| Some(zstd::bulk::compress(&bytes(frame), 3).ok()?.len()));
        row("zstd -3, delta", &mut |frame| Some(zstd::bulk::compress(&bytes(&delta(frame)), 3).ok()?.len()));
        row("zstd -19, delta and planes", &mut |frame| {
            Some(zstd::bulk::compress(&planes(&delta(frame)), 19).ok()?.len())
        });
        row("pcodec, channel after channel", &mut |frame| pcodec(&by_channel(frame)));
        row("pcodec, delta", &mut |frame| pcodec(&delta(frame)));
        row("FLAC, 8 streams of 8 channels", &mut flac);
    }
}

fn pcodec(values: &[i16]) -> Option<usize> {
    pco::standalone::simple_compress(values, &pco::ChunkConfig::default()).ok().map(|bytes| bytes.len())
}

/// FLAC has eight channels at most and blocks of 16 samples at least.
fn flac(frame: &[i16]) -> Option<usize> {
    let samples = frame.len() / CHANNELS;
    let config = flacenc::config::Encoder::default().into_verified().ok()?;
    let mut bytes = 0;
    for group in 0..CHANNELS / 8 {
        let rows = frame.chunks_exact(CHANNELS).map(|row| &row[8 * group..8 * group + 8]);
        let values: Vec<i32> = rows.flatten().map(|value| i32::from(*value)).collect();
        let source = flacenc::source::MemSource::from_samples(&values, 8, 16, HZ);
        let stream = flacenc::encode_with_fixed_block_size(&config, source, samples).ok()?;
        let mut sink = flacenc::bitsink::ByteSink::new();
        stream.write(&mut sink).ok()?;
        bytes += sink.as_slice().len();
    }
    Some(bytes)
}

fn bytes(values: &[i16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// All low bytes, then all high ones, of numbers whose sign has been moved to the lowest bit.
fn planes(values: &[i16]) -> Vec<u8> {
    let unsigned = || values.iter().map(|value| ((value << 1) ^ (value >> 15)) as u16);
    unsigned().map(|value| value as u8).chain(unsigned().map(|value| (value >> 8) as u8)).collect()
}

fn by_channel(frame: &[i16]) -> Vec<i16> {
    (0..CHANNELS).flat_map(|channel| frame.iter().skip(channel).step_by(CHANNELS).copied()).collect()
}

/// Differences from sample to sample, channel after channel; the first as it is.
fn delta(frame: &[i16]) -> Vec<i16> {
    let samples = frame.len() / CHANNELS;
    let values = by_channel(frame);
    let before = |n: usize| if n % samples == 0 { 0 } else { values[n - 1] };
    values.iter().enumerate().map(|(n, value)| value.wrapping_sub(before(n))).collect()
}
