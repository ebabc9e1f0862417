//! The packet log: what was live is replayed to the same bits, and a file cut off anywhere says what it lost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use neuraflow_core::ingest::Ingest;
use neuraflow_core::model::{
    Channel, Control, Marker, Packet, PacketBody, SamplingRate, Span, StreamHeader, StreamKey, Timestamp,
};
use neuraflow_core::sink::Overflow;
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader};
use neuraflow_core::testing::{FakeClock, Probe, Scratch, collect_packets};
use neuraflow_sources::device::{self, DeviceConfig};
use neuraflow_sources::log::PacketLog;
use neuraflow_sources::synthetic::{FaultPlan, Synthetic};

fn replay(log: &PacketLog) -> Vec<(u64, Packet)> {
    collect_packets(log, &Arc::new(FakeClock::at(77))).unwrap()
}

/// A live run with every kind of packet.
fn live(file: &Path) -> Vec<(u64, Packet)> {
    let (handle, source) = device::channel(DeviceConfig {
        capacity: 4,
        overflow: Overflow::DropOldest,
        stale_after: Some(Span::millis(100)),
    });
    let source = PacketLog::record(source, file).unwrap();
    let clock = Arc::new(FakeClock::at(1_000));
    let mut reader = Probe::open(&source, &clock, 0, 1).unwrap().unwrap();
    let key = StreamKey::of_names("session", "device");
    let rate = SamplingRate::hz(250).unwrap();
    handle.open(StreamHeader::new(key, "device", rate, vec![Channel::new("C3")])).unwrap();
    handle.push(&key, 0, &[f32::NAN, 1.0, 2.0]).unwrap();
    handle.push(&key, 3, &[3.0, 4.0, 5.0]).unwrap();
    handle.marker(&key, Marker::new(Timestamp::EPOCH, "µ")).unwrap();
    handle.control(&key, Control::new(Timestamp::EPOCH, "decoder", [0, 255, 7])).unwrap();
    let mut all = reader.poll(1_000).unwrap().1;
    clock.advance(200_000_000);
    all.extend(reader.poll(1_000).unwrap().1);
    drop(handle);
    all.extend(reader.finish().unwrap());
    assert_eq!(all.len(), 7, "open, dropped, samples, marker, control, silent, end: {all:?}");
    all
}

#[test]
fn a_live_run_replays_exactly_with_its_control_packets() {
    let scratch = Scratch::new().unwrap();
    let file = scratch.file("live.nflog");
    let seen = live(&file);
    let log = PacketLog::open(&file).unwrap();
    assert_eq!((log.packets(), log.torn(), log.streams().len()), (7, None, 1));
    assert_eq!(replay(&log), seen);
    assert_eq!(replay(&log), seen, "a log can be replayed again");
}

/// Takes up a stream whose beginning it was not given, as a source of a topic does that was trimmed.
struct Middle;

struct MiddleReader;

impl Source for Middle {
    fn name(&self) -> String {
        "middle".into()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        Vec::new()
    }

    fn open(&self, _: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        Ok(Some(Box::new(MiddleReader)))
    }
}

impl SourceReader for MiddleReader {
    fn poll(&mut self, out: &mut Ingest, _: usize) -> Result<Polled, SourceError> {
        let key = StreamKey::of_names("session", "device");
        let rate = SamplingRate::hz(250).unwrap();
        let header = StreamHeader::new(key, "device", rate, vec![Channel::new("C3")]);
        let slot = out.resume(header.clone());
        out.samples(slot, 100, &[1.0, 2.0]);
        out.resume(header);
        out.samples(slot, 102, &[3.0]);
        Ok(Polled::Ended)
    }
}

#[test]
fn a_stream_that_is_met_in_its_middle_is_recorded_and_goes_through() {
    let scratch = Scratch::new().unwrap();
    let file = scratch.file("middle.nflog");
    let seen =
        collect_packets(&PacketLog::record(Middle, &file).unwrap(), &Arc::new(FakeClock::at(5))).unwrap();
    let bodies: Vec<_> = seen.iter().map(|(_, packet)| &packet.body).collect();
    assert!(
        matches!(
            bodies[..],
            [
                PacketBody::Open(_),
                PacketBody::Samples { sequence: 100, .. },
                PacketBody::Samples { sequence: 102, .. }
            ]
        ),
        "{bodies:?}"
    );
    assert_eq!(replay(&PacketLog::open(&file).unwrap()), seen);
}

/// Takes up a stream in every poll: with one header, the same again, and another one.
struct Changing;

struct ChangingReader(usize);

impl Source for Changing {
    fn name(&self) -> String {
        "changing".into()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        Vec::new()
    }

    fn open(&self, _: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        Ok(Some(Box::new(ChangingReader(0))))
    }
}

impl SourceReader for ChangingReader {
    fn poll(&mut self, out: &mut Ingest, _: usize) -> Result<Polled, SourceError> {
        let key = StreamKey::of_names("session", "device");
        let (rate, channel) = (SamplingRate::hz(250).unwrap(), ["C3", "C3", "C4"][self.0]);
        let slot = out.resume(StreamHeader::new(key, "device", rate, vec![Channel::new(channel)]));
        out.samples(slot, 100 + self.0 as u64, &[1.0]);
        self.0 += 1;
        Ok(if self.0 == 3 { Polled::Ended } else { Polled::Ready })
    }
}

#[test]
fn a_stream_that_is_taken_up_with_another_header_begins_anew_in_the_log_too() {
    let scratch = Scratch::new().unwrap();
    let file = scratch.file("changing.nflog");
    let recorded = PacketLog::record(Changing, &file).unwrap();
    let seen = collect_packets(&recorded, &Arc::new(FakeClock::at(5))).unwrap();
    let told = seen.iter().map(|(_, packet)| match &packet.body {
        PacketBody::Open(header) => header.channels[0].name().to_owned(),
        PacketBody::Samples { sequence, .. } => sequence.to_string(),
        other => format!("{other:?}"),
    });
    assert_eq!(told.collect::<Vec<_>>(), ["C3", "100", "101", "C4", "102"]);
    assert_eq!(replay(&PacketLog::open(&file).unwrap()), seen);
}

#[test]
fn nan_payloads_and_faults_survive() {
    let scratch = Scratch::new().unwrap();
    let file = scratch.file("faults.nflog");
    let source = Synthetic::new(3, SamplingRate::hz(250).unwrap())
        .streams(2)
        .seed(5)
        .seconds(20.0)
        .faults(FaultPlan::ALL);
    let recorded = PacketLog::record(source.clone(), &file).unwrap();
    let bits = |packets: Vec<(u64, Packet)>| -> Vec<String> {
        packets
            .into_iter()
            .map(|(arrival, packet)| match packet.body {
                PacketBody::Samples { sequence, values } => {
                    let bits: Vec<_> = values.into_iter().map(f32::to_bits).collect();
                    format!("{arrival} {:?} {sequence} {bits:?}", packet.stream)
                }
                body => format!("{arrival} {:?} {body:?}", packet.stream),
            })
            .collect()
    };
    let plain = bits(collect_packets(&source, &Arc::new(FakeClock::new())).unwrap());
    assert_eq!(
        bits(collect_packets(&recorded, &Arc::new(FakeClock::new())).unwrap()),
        plain,
        "a log is a tee"
    );
    assert_eq!(bits(replay(&PacketLog::open(&file).unwrap())), plain);
}

#[test]
fn a_file_cut_off_anywhere_keeps_all_whole_packets_and_says_what_it_lost() {
    let scratch = Scratch::new().unwrap();
    let file = scratch.file("torn.nflog");
    let seen = format!("{:?}", live(&file));
    let whole = fs::read(&file).unwrap();
    let mut ends = vec![16];
    while *ends.last().unwrap() < whole.len() {
        let at = *ends.last().unwrap();
        let length = u32::from_le_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
        ends.push(at + 8 + length);
    }
    for cut in 0..whole.len() {
        fs::write(&file, &whole[..cut]).unwrap();
        if cut < 16 {
            let error = PacketLog::open(&file).unwrap_err();
            assert!(matches!(error, SourceError::Malformed { .. }), "{error}");
            continue;
        }
        let log = PacketLog::open(&file).unwrap();
        let kept = ends.iter().filter(|end| **end <= cut).count() - 1;
        assert_eq!(log.packets() as usize, kept);
        match log.torn() {
            None => assert_eq!(cut, ends[kept]),
            Some(torn) => assert_eq!(
                (torn.offset as usize, torn.bytes as usize),
                (ends[kept], cut - ends[kept]),
                "{torn:?}"
            ),
        }
        let replayed = format!("{:?}", replay(&log));
        assert!(seen.starts_with(replayed.trim_end_matches(']')), "cut at {cut}");
    }
    // Pages that a crash left as zeros are a torn end too.
    fs::write(&file, [whole.as_slice(), &[0; 4_096]].concat()).unwrap();
    let log = PacketLog::open(&file).unwrap();
    assert_eq!((log.packets(), log.torn().unwrap().bytes), (7, 4_096));
}

#[test]
fn damage_is_never_a_panic_and_never_replayed() {
    let scratch = Scratch::new().unwrap();
    let file = scratch.file("damage.nflog");
    let seen = format!("{:?}", live(&file));
    let whole = fs::read(&file).unwrap();
    for at in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= flip;
            fs::write(&file, &damaged).unwrap();
            if let Ok(log) = PacketLog::open(&file) {
                assert!(log.torn().is_some(), "byte {at}");
                let replayed = format!("{:?}", replay(&log));
                assert!(seen.starts_with(replayed.trim_end_matches(']')), "byte {at}");
            }
        }
    }
    // A flipped bit in the first packet is no torn end: whole packets follow.
    let mut damaged = whole;
    damaged[30] ^= 1;
    fs::write(&file, &damaged).unwrap();
    let error = PacketLog::open(&file).unwrap_err().to_string();
    assert!(error.contains("record 0 at byte 16") && error.contains("checksum"), "{error}");
}

#[test]
fn errors_name_the_file() {
    let missing = PacketLog::open("/nowhere/at.all").unwrap_err().to_string();
    assert!(missing.contains("open") && missing.contains("/nowhere/at.all"), "{missing}");
    let source = Synthetic::new(1, SamplingRate::hz(250).unwrap()).seconds(1.0);
    let error = PacketLog::record(source, "/nowhere/at.all").unwrap_err().to_string();
    assert!(error.contains("create") && error.contains("/nowhere/at.all"), "{error}");
}

#[test]
fn the_log_of_a_run_that_is_stopped_holds_what_operators_saw() {
    let scratch = Scratch::new().unwrap();
    let file = scratch.file("stopped.nflog");
    let source = Synthetic::new(4, SamplingRate::hz(1_000).unwrap()).seed(3);
    let source = PacketLog::record(source, &file).unwrap();
    let clock = Arc::new(FakeClock::new());
    let mut reader = Probe::open(&source, &clock, 0, 1).unwrap().unwrap();
    let mut seen = Vec::new();
    while seen.len() < 500 {
        clock.advance(10_000_000);
        seen.extend(reader.poll(64).unwrap().1);
    }
    drop(reader); // in the middle, as a stop does
    assert_eq!(replay(&PacketLog::open(&file).unwrap()), seen);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_of_the_source() {
    let source = Synthetic::new(1, SamplingRate::hz(250).unwrap()).seconds(1.0);
    let error = PacketLog::record(source, "/dev/full").unwrap_err();
    assert!(matches!(error, SourceError::Io { action: "create", .. }), "{error}");
}
