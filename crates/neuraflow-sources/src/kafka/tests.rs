//! Records without a broker: what is packed is unpacked, hostile bytes are an error, and reading may begin anywhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use neuraflow_core::codec::{Profile, ValueType};
use neuraflow_core::model::{
    Channel, Control, Marker, Packet, PacketBody, SamplingRate, StreamHeader, StreamKey, Timestamp,
};
use neuraflow_core::testing::{FakeClock, Random, collect_packets};
use proptest::prelude::*;

use super::envelope::{self, Body, Envelope, EnvelopeError, key_of};
use super::packer::{Encoding, Packer, Record};
use super::unpacker::{Unpacked, Unpacker};
use crate::synthetic::Synthetic;

fn header(name: &str) -> StreamHeader {
    let channels = vec![Channel::new("C3"), Channel::derived("C3-C4", &Channel::new("C3"))];
    StreamHeader::new(StreamKey::of_names("monday", name), name, SamplingRate::hz(100).unwrap(), channels)
}

/// Packets of three streams of whole microvolts, each with its time: samples, markers, a silence, a control, an end and a new beginning.
fn packets() -> Vec<(u64, Packet)> {
    let source = Synthetic::new(2, SamplingRate::hz(100).unwrap()).streams(3).seed(5).seconds(4.0).packet(2);
    let mut packets = collect_packets(&source, &Arc::new(FakeClock::new())).unwrap();
    for (_, packet) in &mut packets {
        if let PacketBody::Samples { values, .. } = &mut packet.body {
            values.iter_mut().for_each(|value| *value = value.round() + 0.0);
        }
    }
    let (at, key) = (packets.len() / 2, packets[0].1.stream);
    let time = packets[at].0;
    let of = |body| (time, Packet { stream: key, body });
    packets.insert(at, of(PacketBody::Marker(Marker::new(Timestamp::from_nanos(7), "cue"))));
    packets.insert(at + 5, of(PacketBody::Silent));
    let control = Control::new(Timestamp::from_nanos(9), "decoder", vec![255; 70_000]);
    packets.insert(at + 7, of(PacketBody::Control(control)));
    packets.insert(at + 10, of(PacketBody::Dropped { sequence: 1, samples: 2 }));
    let again = header("again");
    packets.insert(
        at + 11,
        (time, Packet { stream: again.key, body: PacketBody::Open(Box::new(again.clone())) }),
    );
    packets.insert(at + 12, (time, Packet { stream: again.key, body: PacketBody::End { next: None } }));
    packets.insert(at + 13, (time, Packet { stream: again.key, body: PacketBody::Open(Box::new(again)) }));
    packets
}

/// The records of packets, one turn for each.
fn records(packets: &[(u64, Packet)], encoding: Encoding) -> Vec<Record> {
    let (mut packer, mut records) = (Packer::new(encoding, Profile::Small), Vec::new());
    for (time, packet) in packets {
        packer.packet(packet.clone(), *time, &mut records).unwrap();
        packer.flush(*time, &mut records).unwrap();
    }
    assert_eq!(packer.rejected, 0);
    records
}

/// What each record comes to, for a reader that begins at `base` and emits from `next` on, and where it is after each.
fn read(records: &[Record], base: i64, next: i64) -> Vec<(Vec<Packet>, (i64, i64))> {
    let mut unpacker = Unpacker::default();
    let mut read = Vec::new();
    for (offset, record) in (0..).zip(records).skip(base as usize) {
        let mut unpacked = Vec::new();
        let stream =
            unpacker.record(offset, Some(&record.stream.to_bytes()), Some(&record.value), &mut unpacked);
        let stream = stream.unwrap();
        if offset < next {
            continue;
        }
        let packets = unpacked.into_iter().filter_map(|unpacked| match unpacked {
            Unpacked::Known(_) => None,
            Unpacked::Packet(body) => Some(Packet { stream, body }),
        });
        read.push((packets.collect(), (unpacker.base(offset + 1), offset + 1)));
    }
    read
}

#[test]
fn what_is_packed_is_unpacked() {
    let packets = packets();
    let counts = Encoding::Counts { values: ValueType::I16, lsb: 1.0 };
    let mut sizes = BTreeMap::new();
    for encoding in [Encoding::Floats, counts] {
        let records = records(&packets, encoding);
        sizes.insert(format!("{encoding:?}"), records.iter().map(|record| record.value.len()).sum::<usize>());
        let read = read(&records, 0, 0).into_iter().flat_map(|(packets, _)| packets);
        let sent = packets.iter().map(|(_, packet)| packet.clone());
        assert!(read.eq(sent), "{encoding:?}");
    }
    println!("{sizes:?}");
}

#[test]
fn packets_that_arrive_together_become_one_frame() {
    let packets = packets();
    let (mut packer, mut records) = (Packer::new(Encoding::Floats, Profile::Small), Vec::new());
    for (time, packet) in &packets {
        packer.packet(packet.clone(), *time, &mut records).unwrap();
    }
    packer.flush(0, &mut records).unwrap();
    assert!(records.len() * 2 < packets.len(), "{} records of {} packets", records.len(), packets.len());
    let samples = |packets: &mut dyn Iterator<Item = Packet>| {
        let mut streams: BTreeMap<StreamKey, Vec<f32>> = BTreeMap::new();
        for packet in packets {
            if let PacketBody::Samples { values, .. } = packet.body {
                streams.entry(packet.stream).or_default().extend(values);
            }
        }
        streams
    };
    let read = read(&records, 0, 0);
    assert_eq!(
        samples(&mut read.into_iter().flat_map(|(packets, _)| packets)),
        samples(&mut packets.iter().map(|(_, packet)| packet.clone()))
    );
}

#[test]
fn reading_may_go_on_from_every_record() {
    let records = records(&packets(), Encoding::Floats);
    let unbroken = read(&records, 0, 0);
    let mut back = 0;
    for (at, (_, (base, next))) in unbroken.iter().enumerate() {
        assert_eq!(&read(&records, *base, *next), &unbroken[at + 1..], "from record {next}");
        back = back.max(next - base);
    }
    // Three streams and one that was opened and is never heard of again hold the base back by no more than is needed.
    println!("at most {back} of {} records are read again", records.len());
    assert!(back > 1);
}

#[test]
fn a_stream_that_goes_on_is_not_forgotten_however_many_others_there_are() {
    let packets = packets();
    let own = packets[0].1.stream;
    let records = records(&packets, Encoding::Floats);
    let (mut unpacker, mut samples) = (Unpacker::default(), 0);
    // Its records are 3,000 apart: from a key record to the next it is 150,000.
    for (offset, record) in (0..).step_by(3_000).zip(records.iter().filter(|r| r.stream == own)) {
        let mut unpacked = Vec::new();
        unpacker.record(offset, Some(&own.to_bytes()), Some(&record.value), &mut unpacked).unwrap();
        assert_eq!(unpacker.undecodable, 0, "record {offset}");
        samples += record.samples;
        // Its key record is needed until its end.
        assert!(samples == 400 || unpacker.base(offset + 1) <= offset, "after record {offset}");
    }
    assert_eq!(samples, 400);
    // One that ceased holds nothing back for long.
    let other = records.iter().find(|record| record.stream != own).unwrap();
    let of = |unpacker: &mut Unpacker, offset, record: &Record| {
        let key = record.stream.to_bytes();
        unpacker.record(offset, Some(&key), Some(&record.value), &mut Vec::new()).unwrap();
    };
    let mut unpacker = Unpacker::default();
    of(&mut unpacker, 0, other);
    let begins = records.iter().find(|record| record.stream == own).unwrap();
    of(&mut unpacker, 65_000, begins);
    assert_eq!(unpacker.base(65_001), 0);
    of(&mut unpacker, 66_000, begins);
    assert_eq!(unpacker.base(66_001), 66_000);
}

#[test]
fn a_chain_that_broke_is_told_until_the_next_key_record() {
    let mut records = records(&packets(), Encoding::Floats);
    let unbroken = read(&records, 0, 0);
    let continued = records.iter().position(|r| !is_key(r)).unwrap();
    let lost = records.remove(continued);
    let found = read(&records, 0, 0);
    let own = |read: &[(Vec<Packet>, (i64, i64))], of: fn(&PacketBody) -> u64| -> u64 {
        let packets = read.iter().flat_map(|(packets, _)| packets);
        packets.filter(|packet| packet.stream == lost.stream).map(|packet| of(&packet.body)).sum()
    };
    let samples = |body: &PacketBody| match body {
        PacketBody::Samples { values, .. } => values.len() as u64 / 2,
        _ => 0,
    };
    let dropped = |body: &PacketBody| match body {
        PacketBody::Dropped { samples, .. } => *samples,
        _ => 0,
    };
    let told = own(&found, dropped) - own(&unbroken, dropped);
    assert!((1..100).contains(&told), "{told} samples");
    assert_eq!(own(&found, samples) + told + lost.samples, own(&unbroken, samples));
    // A key record mends it.
    assert_eq!(found.last().unwrap().0, unbroken.last().unwrap().0);
}

fn is_key(record: &Record) -> bool {
    envelope::decode(&record.stream, Some(&record.value)).unwrap().header.is_some()
}

#[test]
fn key_records_come_once_a_second_of_the_stream_or_of_the_clock() {
    let packets = packets();
    let own = packets[0].1.stream;
    let keys = |packets: &[(u64, Packet)]| {
        records(packets, Encoding::Floats)
            .iter()
            .filter(|r| r.stream == own && r.samples > 0 && is_key(r))
            .count()
    };
    assert_eq!(keys(&packets), 4);
    let at_once: Vec<_> = packets.iter().map(|(_, packet)| (0, packet.clone())).collect();
    assert_eq!(keys(&at_once), 4);
    let slowly = packets.iter().map(|(_, packet)| match packet.body {
        PacketBody::Samples { sequence, .. } => (sequence * 20_000_000, packet.clone()),
        _ => (0, packet.clone()),
    });
    assert_eq!(keys(&slowly.collect::<Vec<_>>()), 8);
}

#[test]
fn values_that_are_no_counts_go_on_as_floats() {
    let header = header("c");
    let key = header.key;
    let of = |body| (0, Packet { stream: key, body });
    let samples = |sequence, values: &[f32]| of(PacketBody::Samples { sequence, values: values.to_vec() });
    let packets = [
        of(PacketBody::Open(Box::new(header))),
        samples(0, &[1.0, 2.0]),
        samples(1, &[1.5, 2.0]),
        samples(2, &[40_000.0, f32::NAN]),
    ];
    let counts = Encoding::Counts { values: ValueType::I16, lsb: 1.0 };
    let read = read(&records(&packets, counts), 0, 0);
    let bits = |packet: &Packet| match &packet.body {
        PacketBody::Samples { values, .. } => values.iter().map(|value| value.to_bits()).collect(),
        _ => Vec::new(),
    };
    for ((_, sent), (read, _)) in packets.iter().zip(&read) {
        assert_eq!(bits(&read[0]), bits(sent));
    }
}

#[test]
fn the_format_is_what_it_was() {
    let header = header("c");
    let envelope = Envelope { header: Some(header.clone()), body: Body::End { next: Some(3) } };
    let bytes = envelope::encode(&envelope).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(&bytes), include_str!("golden/end.hex").trim());
    assert_eq!(envelope::decode(&header.key, Some(&bytes)).unwrap(), envelope);
    assert_eq!(hex(&header.key.to_bytes())[96..], *"0000");
    let bytes = envelope::encode(&Envelope { header: None, body: Body::Samples { frame: &[1, 2] } }).unwrap();
    assert_eq!(hex(&bytes), "920181a4626f647981a773616d706c657381a56672616d65c4020102");
}

#[test]
fn what_is_no_envelope_says_why() {
    let header = header("c");
    let decode = |bytes: Option<&[u8]>| envelope::decode(&header.key, bytes).unwrap_err().to_string();
    assert!(decode(None).contains("found nothing"));
    assert!(decode(Some(b"hello")).contains("a first byte of 68"));
    assert!(decode(Some(&[0x92, 2, 0])).contains("expected 1, found 2"));
    let whole = envelope::encode(&Envelope { header: Some(header.clone()), body: Body::Silent }).unwrap();
    let mut longer = whole.clone();
    longer.push(0);
    assert!(decode(Some(&longer)).contains("found more"));
    let other = envelope::decode(&StreamKey::default(), Some(&whole)).unwrap_err().to_string();
    assert!(other.contains("stream"), "{other}");
    let bare = envelope::encode(&Envelope { header: None, body: Body::Silent }).unwrap();
    assert!(decode(Some(&bare)).contains("header"));
    assert!(key_of(Some(b"short")).unwrap_err().to_string().contains("found 5 bytes"));
    assert!(matches!(key_of(None), Err(EnvelopeError::Key { .. })));
}

proptest! {
    #[test]
    fn keys_are_what_they_were(ids in any::<[u128; 3]>(), signal: u16) {
        let [tenant, session, device] = ids.map(neuraflow_core::model::Id::from_u128);
        let key = StreamKey { tenant, session, device, signal };
        prop_assert_eq!(key_of(Some(&key.to_bytes())).unwrap(), key);
    }

    #[test]
    fn noise_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut noise = vec![0x92, 1];
        noise.extend(&bytes);
        prop_assert!(envelope::decode(&StreamKey::default(), Some(&bytes)).is_err());
        prop_assert!(envelope::decode(&StreamKey::default(), Some(&noise)).is_err());
    }

    #[test]
    fn a_changed_record_is_an_error_or_a_record(seed: u64) {
        // Whatever it comes to: no panic, and the records after it are read as if it were not there or broken.
        let mut random = Random::new(seed);
        let records = records(&packets(), Encoding::Floats);
        let mut unpacker = Unpacker::default();
        for (offset, record) in (0..).zip(&records) {
            let (mut value, mut out) = (record.value.clone(), Vec::new());
            if random.below(10) == 0 {
                for _ in 0..=random.below(3) {
                    let at = random.below(value.len());
                    match random.below(3) {
                        0 => value[at] ^= 1u8 << random.below(8),
                        1 => value.truncate(at + 1),
                        _ => value.insert(at, random.below(256) as u8),
                    }
                }
            }
            let _ = unpacker.record(offset, Some(&record.stream.to_bytes()), Some(&value), &mut out);
            prop_assert!(unpacker.base(offset + 1) <= offset + 1);
        }
    }
}
