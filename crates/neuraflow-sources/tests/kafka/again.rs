//! An ingest that ends before its source does, and another one that goes on from what it has delivered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use neuraflow_core::ingest::Ingest;
use neuraflow_core::model::{
    Channel, Packet, PacketBody, Positions, SamplingRate, Sequence, StreamHeader, StreamKey,
};
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader};
use neuraflow_core::testing::{FakeClock, Probe, Scratch};
use neuraflow_sources::device::{self, DeviceConfig, JournalConfig};
use neuraflow_sources::kafka::{IngestConfig, IngestError, KafkaIngest, KafkaSource, KafkaTopic};
use neuraflow_sources::synthetic::Synthetic;

use super::kit::{self, PATIENCE, Service, topic, until};

fn headsets() -> Synthetic {
    Synthetic::new(2, SamplingRate::hz(100).unwrap()).streams(2).seed(9).seconds(20.0).packet(5)
}

fn from(positions: Option<Positions>) -> IngestConfig {
    IngestConfig { from: positions, ..IngestConfig::default() }
}

/// Every sample of every stream by its counter. One that is there twice has to be the same.
fn samples(packets: impl IntoIterator<Item = Packet>) -> BTreeMap<(StreamKey, Sequence), Vec<u32>> {
    let (mut samples, mut channels) = (BTreeMap::new(), BTreeMap::new());
    for Packet { stream, body } in packets {
        match body {
            PacketBody::Open(header) => drop(channels.insert(stream, header.channels.len())),
            PacketBody::Samples { sequence, values } => {
                for (sample, sequence) in values.chunks(channels[&stream]).zip(sequence..) {
                    let bits: Vec<u32> = sample.iter().map(|value| value.to_bits()).collect();
                    let known = samples.insert((stream, sequence), bits.clone());
                    assert!(known.is_none_or(|known| known == bits), "another sample {sequence}");
                }
            }
            _ => {}
        }
    }
    samples
}

#[test]
fn an_ingest_goes_on_from_what_the_one_before_has_delivered() {
    let Some(broker) = Service::start("kafka") else { return };
    let topic = topic(&broker, 3);
    // Ten seconds, of which a fraction of one is read: it does not end by itself, however slow the machine is.
    let speed = "x2".parse().unwrap();
    let ingest = KafkaIngest::start(&topic, IngestConfig::default(), headsets().speed(speed)).unwrap();
    assert_eq!(ingest.delivered(), None, "nothing yet");
    until("something is delivered", PATIENCE, || {
        ingest.watch().stats().delivered > 40 && ingest.delivered().is_some()
    });
    let (early, watch) = (ingest.delivered(), ingest.watch());
    until("more is delivered", PATIENCE, || ingest.delivered() != early);
    ingest.stop();
    let first = ingest.join().unwrap();
    let last = watch.delivered();
    println!("{early:?}, and at the end {last:?}");
    assert!(first.samples < 4_000 && early.is_some() && last.is_some());

    // After an end all of it is known to be there: the next one writes the rest, and nothing twice.
    let rest = KafkaIngest::start(&topic, from(last), headsets()).unwrap().join().unwrap();
    assert_eq!(first.samples + rest.samples, 2 * 2_000);
    let all = || KafkaSource::new(topic.clone()).bounded();
    assert_eq!(kit::streams(kit::packets(&all())), kit::streams(kit::packets(&headsets())));

    // Of one that was killed less is known: a little comes twice, and nothing is missing.
    let again = KafkaIngest::start(&topic, from(early), headsets()).unwrap().join().unwrap();
    assert!(again.samples > rest.samples && again.samples < 4_000, "{} of {}", again.samples, rest.samples);
    assert_eq!(samples(kit::packets(&all())), samples(kit::packets(&headsets())));
}

#[test]
fn what_a_journal_holds_of_the_process_before_goes_into_the_topic() {
    let Some(broker) = Service::start("kafka") else { return };
    let (topic, scratch) = (topic(&broker, 1), Scratch::new().unwrap());
    let journal = || {
        let settings = JournalConfig { fsync: None, ..JournalConfig::default() };
        device::journaled(DeviceConfig::default(), scratch.file("journal"), settings).unwrap()
    };
    let key = StreamKey::of_names("monday", "headset");
    let header = StreamHeader::new(key, "headset", SamplingRate::hz(100).unwrap(), vec![Channel::new("C3")]);
    let (handle, source) = journal();
    let mut probe = Probe::open(&source, &Arc::new(FakeClock::at(1 << 50)), 0, 1).unwrap().unwrap();
    handle.open(header).unwrap();
    for n in 0..60 {
        handle.push(&key, n, &[n as f32]).unwrap();
    }
    let first = samples(probe.poll(20).unwrap().1.into_iter().map(|(_, packet)| packet)).len() as u64;
    let (positions, rest) = (probe.positions(), 60 - first);
    drop((probe, source, handle)); // as far as it was read it is somewhere; the rest is in the journal alone

    let (handle, source) = journal();
    let ingest = KafkaIngest::start(&topic, from(positions), source).unwrap();
    until("what is in the journal arrives", PATIENCE, || ingest.watch().stats().samples >= rest);
    drop(handle);
    assert_eq!(ingest.join().unwrap().samples, rest);
    let found = kit::packets(&KafkaSource::new(topic).bounded());
    let values = found.iter().flat_map(|packet| match &packet.body {
        PacketBody::Samples { values, .. } => values.clone(),
        _ => Vec::new(),
    });
    assert!(values.eq((first..60).map(|n| n as f32)));
}

/// Two polls: the second has a sample of a stream, behind what is too large for any record.
#[derive(Clone)]
struct TooLarge(Arc<(AtomicU64, Mutex<Vec<u64>>)>);

struct TooLargeReader(TooLarge, u64);

impl Source for TooLarge {
    fn name(&self) -> String {
        "too large".into()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        Vec::new()
    }

    fn open(&self, _: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        Ok(Some(Box::new(TooLargeReader(self.clone(), 0))))
    }
}

impl SourceReader for TooLargeReader {
    fn poll(&mut self, out: &mut Ingest, _: usize) -> Result<Polled, SourceError> {
        let header = |name: &str, label: &str| {
            let rate = SamplingRate::hz(100).unwrap();
            StreamHeader::new(StreamKey::of_names("a", name), name, rate, vec![Channel::new(label)])
        };
        let key = StreamKey::of_names("a", "good");
        match self.1 {
            0 => {
                let slot = out.open(header("good", "C3"));
                out.samples(slot, 0, &[0.5]);
            }
            // Once the first is known to be there.
            1 if self.0.0.0.load(Ordering::Acquire) == 0 => {
                return Ok(Polled::After(Duration::from_millis(1)));
            }
            1 => {
                out.open(header("bad", &"C".repeat(2 << 20)));
                let slot = out.slot(&key).unwrap();
                out.samples(slot, 1, &[1.5]);
            }
            _ => return Ok(Polled::Ended),
        }
        self.1 += 1;
        Ok(Polled::Ready)
    }

    fn positions(&self) -> Option<Positions> {
        let mut positions = Positions::default();
        positions.set("polls", self.1);
        Some(positions)
    }

    fn committed(&mut self, positions: &Positions) {
        self.0.0.1.lock().unwrap().push(positions.get("polls").unwrap());
        self.0.0.0.store(1, Ordering::Release);
    }
}

#[test]
fn what_could_not_be_written_is_not_told_as_delivered() {
    let Some(broker) = Service::start("kafka") else { return };
    let topic: KafkaTopic = topic(&broker, 1);
    let source = TooLarge(Arc::new((AtomicU64::new(0), Mutex::default())));
    let ingest = KafkaIngest::start(&topic, IngestConfig::default(), source.clone()).unwrap();
    let watch = ingest.watch();
    let error = ingest.join().unwrap_err();
    assert!(matches!(error, IngestError::TooLarge { .. }), "{error}");
    assert_eq!(watch.delivered().unwrap().get("polls"), Some(1));
    let told = source.0.1.lock().unwrap().clone();
    assert!(told.iter().all(|polls| *polls == 1), "{told:?}: nobody may let go of what was not written");
}
