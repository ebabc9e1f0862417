//! Near-lossless: whatever the values are, none is off by more than the bound.

use neuraflow_core::codec::{Config, Decoded, Encoder, ValueType};
use neuraflow_core::testing::Random;
use proptest::prelude::*;

use crate::support::{PROFILES, TYPES, decoded, frames, layout, odd, signal};

/// Values in the layout's unit.
fn physical(values: &Decoded, lsb: f64) -> Vec<f64> {
    match values {
        Decoded::I16(values) => values.iter().map(|value| f64::from(*value) * lsb).collect(),
        Decoded::I32(values) => values.iter().map(|value| f64::from(*value) * lsb).collect(),
        Decoded::F32(values) => values.iter().map(|value| f64::from(*value)).collect(),
    }
}

fn check(values: ValueType, signal: &Decoded, channels: usize, config: Config, lengths: &[usize]) {
    let layout = layout(channels, values);
    let promised = Encoder::new(layout.clone(), config).unwrap().max_error();
    assert!(promised <= config.max_error, "{promised} {config:?}");
    let found = decoded(&frames(&layout, config, signal, lengths));
    let found = found.iter().flat_map(|frame| physical(frame, layout.lsb));
    let expected = physical(signal, layout.lsb);
    assert_eq!(found.clone().count(), expected.len());
    for (n, (found, expected)) in found.zip(expected).enumerate() {
        let same = found == expected || found.is_nan() && expected.is_nan();
        assert!(
            same || (found - expected).abs() <= promised,
            "value {n}: {expected} became {found}, {config:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_value_is_off_by_more_than_the_bound(
        values in prop::sample::select(TYPES.to_vec()),
        profile in prop::sample::select(PROFILES.to_vec()),
        channels in 1usize..20,
        samples in 1usize..60,
        length in 1usize..30,
        spread in 1u32..33,
        error in prop_oneof![Just(4.0), 0.0..100.0, Just(1e-40), Just(1e30), 1e-6..1e6],
        seed: u64,
    ) {
        let signal = signal(values, channels, samples, spread, &mut Random::new(seed));
        check(values, &signal, channels, Config::of(profile).with_max_error(error), &[length]);
    }

    #[test]
    fn nor_is_a_float_of_any_bits(
        error in prop_oneof![Just(4.0), Just(0.1), Just(f64::MIN_POSITIVE), 1e-30..1e30, Just(3.4e38)],
        share in 0usize..101,
        seed: u64,
    ) {
        let mut random = Random::new(seed);
        let ulp = |random: &mut Random| (random.below(4_001) as f64 - 2_000.0) * error;
        // Points half way between two of the grid are the hardest.
        let mut value = || if random.chance(share) { odd(&mut random) } else { ulp(&mut random) as f32 };
        let signal = Decoded::F32((0..3 * 40).map(|_| value()).collect());
        check(ValueType::F32, &signal, 3, Config::default().with_max_error(error), &[7, 1, 20]);
    }
}

#[test]
fn special_floats_are_kept() {
    let values = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN,
        1.25,
        f32::from_bits(0x7fa0_0001),
        0.0,
    ];
    let layout = layout(2, ValueType::F32);
    let signal = Decoded::F32(values.to_vec());
    let found = decoded(&frames(&layout, Config::default().with_max_error(0.5), &signal, &[4]));
    let Decoded::F32(found) = &found[0] else { panic!("floats") };
    for n in [0, 1, 2, 3, 4, 6, 7] {
        assert_eq!(found[n].to_bits(), values[n].to_bits(), "value {n}");
    }
    assert!((found[5] - 1.25).abs() <= 0.5);
}

#[test]
fn the_ends_of_the_range_stay_in_it() {
    let signal = Decoded::I16(vec![i16::MAX, i16::MIN, i16::MAX - 1, i16::MIN + 1]);
    let config = Config::default().with_max_error(1_000.0);
    check(ValueType::I16, &signal, 2, config, &[1]);
    let found = decoded(&frames(&layout(2, ValueType::I16), config, &signal, &[2]));
    let Decoded::I16(found) = &found[0] else { panic!("counts of 16 bits") };
    assert!(found[0] > 30_000 && found[1] < -30_000);
}
