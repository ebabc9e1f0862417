//! A source that tells the engine anything: the books balance all the same, and nothing hangs or panics.

use std::collections::BTreeMap;

use neuraflow_core::dataflow::{Pipeline, Report, Tumbling, Workers};
use neuraflow_core::model::{
    Features, Marker, Packet, PacketBody, SamplingRate, SequenceBits, StreamHeader, StreamKey, Timestamp,
    Window,
};
use proptest::prelude::*;

use super::hostile::in_time;
use super::parts::{Keep, Script, Sum, header, packets};

fn run(packets: Vec<Packet>, workers: usize) -> Report {
    let (sink, _) = Keep::<Features>::new();
    let source = Script { streams: Vec::new(), packets };
    let graph = Pipeline::from(source).window(Tumbling::millis(50));
    let graph = graph.feature(Sum::default).sink(sink);
    graph.build().unwrap().spawn(Workers::new(workers)).unwrap().join().unwrap()
}

fn any_header() -> impl Strategy<Value = StreamHeader> {
    let t0 =
        prop_oneof![Just(0), Just(i64::MIN), Just(i64::MAX), Just(3_990_000_000_000_000_000), any::<i64>()];
    let rate = prop_oneof![Just((1, 100)), Just((30_000, 1)), Just((250, 1)), Just((64, 5))];
    let bits = prop_oneof![Just(4u8), Just(8), Just(32), Just(63)];
    (0u8..3, 0usize..4, t0, rate, bits, any::<u64>()).prop_map(
        |(device, channels, t0, (num, den), bits, first)| {
            let mut header = header(&device.to_string(), 250, channels);
            header.rate = SamplingRate::ratio(num, den).unwrap();
            header.t0 = Timestamp::from_nanos(t0);
            header.sequence = SequenceBits::new(bits).unwrap();
            header.first_sequence = first;
            header
        },
    )
}

fn any_packet() -> impl Strategy<Value = Packet> {
    let sequence = prop_oneof![0u64..200, any::<u64>(), Just(u64::MAX), Just(1 << 62)];
    let samples = 0u64..10_000;
    let body = prop_oneof![
        1 => any_header().prop_map(|header| PacketBody::Open(Box::new(header))),
        4 => (sequence.clone(), 0usize..40)
            .prop_map(|(sequence, n)| PacketBody::Samples { sequence, values: vec![1.0; n] }),
        1 => (sequence.clone(), samples).prop_map(|(sequence, samples)| PacketBody::Dropped { sequence, samples }),
        1 => Just(PacketBody::Silent),
        1 => prop::option::of(sequence).prop_map(|next| PacketBody::End { next }),
        1 => any::<i64>().prop_map(|t| PacketBody::Marker(Marker { time: Timestamp::from_nanos(t), ..Marker::new(Timestamp::EPOCH, "m") })),
    ];
    (0u8..4, body).prop_map(|(device, body)| {
        let stream = match &body {
            PacketBody::Open(header) => header.key,
            _ => StreamKey::of_names("engine", &device.to_string()),
        };
        Packet { stream, body }
    })
}

/// How many samples packets bring in, and how many values for streams that nobody has opened.
fn told(packets: &[Packet]) -> (u64, u64) {
    let (mut widths, mut samples, mut orphans) = (BTreeMap::new(), 0, 0);
    for Packet { stream, body } in packets {
        match (body, widths.get(stream).copied()) {
            (PacketBody::Open(header), _) => drop(widths.insert(*stream, header.channels.len())),
            (PacketBody::Samples { values, .. }, Some(width)) => {
                samples += values.len().div_ceil(width.max(1)) as u64
            }
            (PacketBody::Samples { values, .. }, None) => orphans += values.len() as u64,
            (PacketBody::Dropped { samples: dropped, .. }, Some(_)) => samples += dropped,
            _ => {}
        }
    }
    (samples, orphans)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn the_books_balance_whatever_a_source_says(packets in prop::collection::vec(any_packet(), 0..60), workers in 1usize..3) {
        let (samples, orphans) = told(&packets);
        let report = run(packets, workers);
        prop_assert!(report.balances(), "{report:?}");
        prop_assert_eq!((report.accounting().samples_in, report.orphan_values), (samples, orphans), "{:?}", report);
    }
}

#[test]
fn a_sample_in_31_years_is_refused_instead_of_making_windows_for_31_years() {
    let mut slow = header("slow", 1, 1);
    slow.rate = SamplingRate::ratio(1, 1_000_000_000).unwrap();
    // Announced, it fails the build; unannounced, the stream is refused and its samples are counted.
    let (sink, _) = Keep::<Window>::new();
    let announced = Script::of(&[slow.clone()], 2, 1);
    let error = Pipeline::from(announced).window(Tumbling::millis(50)).sink(sink).build().err().unwrap();
    assert!(error.to_string().contains("at most 4096 windows"), "{error}");
    let report = in_time("a slow stream", move || run(packets(&slow, 2, 1), 1));
    assert_eq!((report.accounting().rejected, report.windows().total()), (2, 0));
    assert!(report.streams[0].refused.is_some());
}
