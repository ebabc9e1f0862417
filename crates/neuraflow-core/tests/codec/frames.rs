//! Frames of every type, profile and shape come back to the bit, and only in their order.

use neuraflow_core::codec::{
    CodecError, Coding, Config, Decoded, Decoder, Encoder, Frame, FrameHeader, Layout, Profile, Samples,
    ValueType, Values,
};
use neuraflow_core::model::{Recovery, Unit};
use neuraflow_core::testing::Random;
use proptest::prelude::*;

use crate::support::{PROFILES, TYPES, bits, decoded, frames, layout, signal};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_was_encoded_comes_back(
        values in prop::sample::select(TYPES.to_vec()),
        profile in prop::sample::select(PROFILES.to_vec()),
        channels in 1usize..40,
        samples in 1usize..80,
        lengths in prop::collection::vec(1usize..30, 1..4),
        interval in 1u32..6,
        spread in 1u32..33,
        seed: u64,
    ) {
        let layout = layout(channels, values);
        let signal = signal(values, channels, samples, spread, &mut Random::new(seed));
        let config = Config::of(profile).with_key_interval(interval);
        let frames = frames(&layout, config, &signal, &lengths);
        let found: Vec<i64> = decoded(&frames).iter().flat_map(|frame| bits(frame.as_values())).collect();
        prop_assert_eq!(found, bits(signal.as_values()));
        for (n, frame) in frames.iter().enumerate() {
            let header = FrameHeader::read(frame).unwrap();
            prop_assert_eq!(header.is_key(), n % interval as usize == 0);
            if let Some(found) = header.layout {
                prop_assert_eq!(&found, &layout);
            }
        }
    }

    #[test]
    fn gaps_come_back(missing in prop::collection::vec(any::<bool>(), 1..40), channels in 1usize..9, key: bool) {
        let present = missing.iter().filter(|missing| !**missing).count();
        let values: Vec<i16> = (0..present * channels).map(|n| n as i16).collect();
        let mut encoder = Encoder::new(layout(channels, ValueType::I16), Config::default()).unwrap();
        let (mut decoder, mut frame) = (Decoder::new(), Frame::default());
        for n in 0..3 {
            if key {
                encoder.restart();
            }
            let mut bytes = Vec::new();
            let samples = Samples { sequence: n, first: n, values: Values::I16(&values), missing: &missing };
            encoder.encode(samples, &mut bytes).unwrap();
            decoder.decode(&bytes, &mut frame).unwrap();
            prop_assert_eq!(frame.values(), &Decoded::I16(values.clone()));
            prop_assert_eq!(frame.len(), missing.len());
            let expected: &[bool] = if missing.contains(&true) { &missing } else { &[] };
            prop_assert_eq!(frame.missing(), expected);
        }
    }
}

fn four_frames() -> Vec<Vec<u8>> {
    let signal = signal(ValueType::I16, 5, 32, 6, &mut Random::new(1));
    frames(&layout(5, ValueType::I16), Config::default().with_key_interval(3), &signal, &[8])
}

#[test]
fn a_reader_that_has_missed_a_frame_goes_on_at_the_next_key_frame() {
    let frames = four_frames();
    let (mut decoder, mut frame) = (Decoder::new(), Frame::default());
    let error = decoder.decode(&frames[1], &mut frame).unwrap_err();
    assert!(matches!(error, CodecError::NeedsKeyFrame { first: 15, found: None, .. }), "{error}");
    assert_eq!(error.recovery(), Recovery::Skip);
    decoder.decode(&frames[0], &mut frame).unwrap();
    let error = decoder.decode(&frames[2], &mut frame).unwrap_err();
    assert!(matches!(error, CodecError::NeedsKeyFrame { first: 23, found: Some(_), .. }), "{error}");
    // The one that is in order is still decoded, and then the other.
    decoder.decode(&frames[1], &mut frame).unwrap();
    decoder.decode(&frames[2], &mut frame).unwrap();
    let mut late = Decoder::new();
    assert!(late.decode(&frames[2], &mut frame).is_err());
    late.decode(&frames[3], &mut frame).unwrap();
    assert_eq!((frame.first(), frame.sequence(), frame.len()), (31, 1_024, 8));
}

#[test]
fn frames_of_another_stream_do_not_continue_this_one() {
    let signal = signal(ValueType::I16, 5, 32, 6, &mut Random::new(2));
    let others = frames(&layout(5, ValueType::I16), Config::default(), &signal, &[8]);
    let (mut decoder, mut frame) = (Decoder::new(), Frame::default());
    decoder.decode(&four_frames()[0], &mut frame).unwrap();
    assert!(matches!(decoder.decode(&others[1], &mut frame), Err(CodecError::NeedsKeyFrame { .. })));
}

#[test]
fn damage_is_told_apart_and_changes_nothing() {
    let frames = four_frames();
    let (mut decoder, mut frame) = (Decoder::new(), Frame::default());
    decoder.decode(&frames[0], &mut frame).unwrap();
    for bit in 0..8 * frames[1].len() {
        let mut bytes = frames[1].clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        match decoder.decode(&bytes, &mut frame).unwrap_err() {
            CodecError::Magic { .. } if bit < 16 => {}
            CodecError::UnsupportedVersion { supported: 1, .. } if (16..24).contains(&bit) => {}
            CodecError::Checksum { .. } => {}
            other => panic!("bit {bit}: {other}"),
        }
    }
    for cut in 0..frames[1].len() {
        assert!(decoder.decode(&frames[1][..cut], &mut frame).is_err());
    }
    decoder.decode(&frames[1], &mut frame).unwrap();
}

#[test]
fn what_does_not_fit_the_layout_is_refused_and_leaves_no_trace() {
    let mut encoder = Encoder::new(layout(2, ValueType::I24), Config::default()).unwrap();
    let mut out = vec![9];
    let mut encode = |values, missing: &[bool]| {
        let error = encoder.encode(Samples { sequence: 0, first: 0, values, missing }, &mut out).unwrap_err();
        assert_eq!(out, [9]);
        error
    };
    let error = encode(Values::I16(&[1, 2]), &[]);
    assert_eq!(error, CodecError::ValueType { expected: ValueType::I24, found: ValueType::I16 });
    let error = encode(Values::I32(&[1, 2, 3]), &[]);
    assert_eq!(error, CodecError::Shape { expected: 2, channels: 2, found: 3 });
    let error = encode(Values::I32(&[]), &[]);
    assert_eq!(error, CodecError::Shape { expected: 2, channels: 2, found: 0 });
    let error = encode(Values::I32(&[1, 2]), &[false, false]);
    assert_eq!(error, CodecError::Shape { expected: 4, channels: 2, found: 2 });
    let error = encode(Values::I32(&[1, 1 << 23]), &[]);
    assert_eq!(error, CodecError::OutOfRange { index: 1, expected: ValueType::I24, found: 1 << 23 });
    let error = encode(Values::I32(&[]), &vec![true; 1 << 24]);
    assert!(matches!(error, CodecError::TooLarge { expected: 16_777_216, found: 33_554_432, .. }), "{error}");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let good = layout(2, ValueType::I16);
    let wrong = [
        (Layout { channels: 0, ..good.clone() }, Config::default()),
        (Layout { channels: 65_537, ..good.clone() }, Config::default()),
        (Layout { lsb: 0.0, ..good.clone() }, Config::default()),
        (Layout { lsb: f64::NAN, ..good.clone() }, Config::default()),
        (good.clone().with_unit(Unit::Other("x".repeat(65))), Config::default()),
        (good.clone(), Config::default().with_key_interval(0)),
        (good.clone(), Config::default().with_max_error(-1.0)),
        (good, Config::default().with_max_error(f64::INFINITY)),
    ];
    for (layout, config) in wrong {
        let error = Encoder::new(layout, config).unwrap_err();
        assert!(matches!(error, CodecError::Setting { .. }), "{error}");
        assert_eq!(error.recovery(), Recovery::Stop);
    }
}

#[test]
fn the_smallest_coding_is_taken() {
    let coding = |values: &[i16]| {
        let mut encoder = Encoder::new(layout(4, ValueType::I16), Config::default()).unwrap();
        let mut bytes = Vec::new();
        let samples = Samples { sequence: 0, first: 0, values: Values::I16(values), missing: &[] };
        encoder.encode(samples, &mut bytes).unwrap();
        FrameHeader::read(&bytes).unwrap().coding
    };
    let mut random = Random::new(3);
    let noise: Vec<i16> = (0..1_600).map(|_| random.next() as i16).collect();
    assert_eq!(coding(&noise), Coding::Plain);
    assert_eq!(coding(&[7; 1_600]), Coding::Lz4);
    let brain: Vec<i16> = (0..1_600).map(|_| (random.unit() * random.unit() * 300.0) as i16).collect();
    assert_eq!(coding(&brain), Coding::Golomb);
    let mut fast = Encoder::new(layout(4, ValueType::I16), Config::of(Profile::Fast)).unwrap();
    let mut bytes = Vec::new();
    fast.encode(Samples { sequence: 0, first: 0, values: Values::I16(&brain), missing: &[] }, &mut bytes)
        .unwrap();
    assert_eq!(FrameHeader::read(&bytes).unwrap().coding, Coding::Packed);
}
