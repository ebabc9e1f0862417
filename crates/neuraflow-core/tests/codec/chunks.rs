//! Chunks in microvolts to counts and back.

use neuraflow_core::codec::{CodecError, Config, Decoder, Encoder, Frame, ValueType};
use neuraflow_core::model::Chunk;

use crate::support::layout;

fn chunk(values: &[f32]) -> Chunk {
    let mut chunk = Chunk::new(40, 2);
    chunk.extend(values);
    chunk
}

fn there_and_back(values: &[f32], of: ValueType) -> Vec<f32> {
    let mut encoder = Encoder::new(layout(2, of), Config::default()).unwrap();
    let mut bytes = Vec::new();
    encoder.encode_chunk(&chunk(values), 3, &mut bytes).unwrap();
    let (mut frame, mut found) = (Frame::default(), Chunk::default());
    Decoder::new().decode(&bytes, &mut frame).unwrap();
    frame.to_chunk(&mut found).unwrap();
    assert_eq!((found.first(), found.channels(), frame.sequence()), (40, 2, 3));
    found.values().to_vec()
}

#[test]
fn microvolts_that_are_whole_counts_come_back_with_their_gaps() {
    let values = [0.5, -3.0, f32::NAN, f32::NAN, 1_000.5, 0.0];
    for of in [ValueType::I16, ValueType::I24, ValueType::I32, ValueType::F32] {
        let found = there_and_back(&values, of);
        assert_eq!(found.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), values.map(f32::to_bits), "{of}");
    }
}

#[test]
fn floats_keep_single_missing_values() {
    let found = there_and_back(&[0.1, f32::NAN, -0.0, 2.0], ValueType::F32);
    assert!(found[1].is_nan());
    assert_eq!((found[0], found[2].to_bits(), found[3]), (0.1, (-0.0f32).to_bits(), 2.0));
}

#[test]
fn what_is_no_count_is_refused() {
    let mut encoder = Encoder::new(layout(2, ValueType::I16), Config::default()).unwrap();
    let mut encode = |values: &[f32]| encoder.encode_chunk(&chunk(values), 0, &mut Vec::new()).unwrap_err();
    assert!(matches!(encode(&[0.5, 0.5, 0.5, 0.7]), CodecError::OffGrid { sample: 41, channel: 1, .. }));
    assert!(matches!(encode(&[0.5, f32::NAN]), CodecError::OffGrid { channel: 1, .. }));
    assert!(matches!(encode(&[0.5, f32::INFINITY]), CodecError::OffGrid { .. }));
    assert!(matches!(encode(&[0.5, 16_384.0]), CodecError::OutOfRange { found: 32_768, .. }));
}
