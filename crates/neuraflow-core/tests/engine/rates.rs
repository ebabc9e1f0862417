//! Stages that give another sampling rate, or hold samples back: what lies behind them has its own numbers of samples.

use std::sync::Mutex;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::dataflow::{Pipeline, Tumbling, Workers};
use neuraflow_core::model::{Chunk, Marker, Packet, PacketBody, SamplingRate, Span, Window, WindowStatus};
use neuraflow_core::operator::{Latency, Operator, OperatorError, SignalSpec};
use neuraflow_core::window::{EpochConfig, GapPolicy};

use super::parts::{Keep, Script, header};

/// Holds each value until the next: `up` samples for every `down`, each the last value at or before it.
pub(crate) struct Hold {
    pub(crate) up: u64,
    pub(crate) down: u64,
}

impl Hold {
    fn first(&self, n: u64) -> u64 {
        (n * self.up).div_ceil(self.down)
    }
}

impl Operator for Hold {
    type In = Chunk;
    type Out = Chunk;

    fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
        let rate = SamplingRate::ratio(spec.rate.num() * self.up, spec.rate.den() * self.down).unwrap();
        Ok(SignalSpec { rate, ..spec.clone() })
    }

    fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        out.restart(self.first(input.first()), input.channels());
        for (n, sample) in (input.first()..).zip(input.samples()) {
            if sample[0] == -1.0 {
                let (what, expected, found) = ("value", "0 or more".into(), "-1".into());
                return Err(OperatorError::Input { what, expected, found });
            }
            for _ in self.first(n)..self.first(n + 1) {
                out.extend(sample);
            }
        }
        Ok(())
    }

    fn reset(&mut self) {}

    fn latency(&self) -> Latency {
        Latency::default()
    }

    fn snapshot(&self, _: &mut SnapshotWriter) {}

    fn restore(&mut self, _: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        Ok(())
    }
}

/// Everything that a window says but its arrival.
type Told = (i64, String, u32, u32, u32, WindowStatus, u64, Vec<u32>);

fn told(kept: &Mutex<Vec<Window>>) -> Vec<Told> {
    let windows = kept.lock().unwrap();
    windows
        .iter()
        .map(|Window { info, samples }| {
            let bits =
                samples.values().iter().map(|v| if v.is_nan() { u32::MAX } else { v.to_bits() }).collect();
            let (rate, first) = (info.stream.rate.to_string(), samples.first());
            (info.index, rate, info.expected, info.received, info.imputed, info.status, first, bits)
        })
        .collect()
}

/// The windows behind a stage, of a stream of 250 Hz in packets of `size` samples, without samples `gap`.
fn windows(up: u64, down: u64, size: u64, workers: usize, gap: std::ops::Range<u64>) -> Vec<Told> {
    let (sink, kept) = Keep::new();
    let mut script = Script::of(&[header("a", 250, 2)], 1_000, 1);
    script.packets.retain(
        |packet| !matches!(packet.body, PacketBody::Samples { sequence, .. } if gap.contains(&sequence)),
    );
    script.packets = joined(script.packets, size);
    let pipeline = Pipeline::from(script)
        .gaps(GapPolicy::Reset)
        .stage(move || Hold { up, down })
        .window(Tumbling::millis(50))
        .sink(sink)
        .build()
        .unwrap();
    let report = pipeline.spawn(Workers::new(workers)).unwrap().join().unwrap();
    assert!(report.balances());
    told(&kept)
}

/// Packets of up to `size` samples out of such of one, as far as they follow each other.
fn joined(packets: Vec<Packet>, size: u64) -> Vec<Packet> {
    let mut out: Vec<Packet> = Vec::new();
    let mut in_last = 0;
    for packet in packets {
        if let PacketBody::Samples { sequence: next, values: more } = &packet.body
            && let Some(Packet { body: PacketBody::Samples { sequence, values }, .. }) = out.last_mut()
            && in_last < size
            && *sequence + in_last == *next
        {
            values.extend(more);
            in_last += 1;
            continue;
        }
        in_last = 1;
        out.push(packet);
    }
    out
}

#[test]
fn windows_behind_another_rate_are_complete_and_the_same_for_any_packet() {
    for (up, down, counts) in
        [(1, 2, [7, 6, 6, 6]), (1, 5, [3, 2, 3, 2]), (2, 1, [25; 4]), (128, 125, [13, 13, 13, 13])]
    {
        let first = windows(up, down, 1, 1, 0..0);
        assert_eq!(first.len(), 80, "{up}/{down}");
        assert!(first.iter().all(|w| w.5 == WindowStatus::Complete && w.2 == w.3), "{up}/{down}: {first:?}");
        let found: Vec<u32> = first.iter().take(4).map(|w| w.2).collect();
        assert_eq!(found, counts, "{up}/{down}");
        // Sample m lies at sample m · down / up of the stream, which has its number as its value.
        for window in &first {
            for (m, sample) in (window.6..).zip(window.7.chunks(2)) {
                assert_eq!(f32::from_bits(sample[0]), (m * down / up) as f32);
            }
        }
        for (size, workers) in [(7, 1), (13, 2), (64, 1), (1_000, 3)] {
            assert_eq!(windows(up, down, size, workers, 0..0), first, "{up}/{down}, packets of {size}");
        }
    }
}

#[test]
fn a_gap_keeps_its_place_behind_another_rate() {
    for (up, down) in [(1, 2), (2, 1), (4, 5)] {
        let first = windows(up, down, 1, 1, 300..425);
        for window in &first {
            let (from, to) = (window.0 * 50, (window.0 + 1) * 50);
            // Samples 300 to 425 are missing from 1200 ms to 1700 ms.
            let touched = from < 1_700 && to > 1_200;
            assert_eq!(window.5 == WindowStatus::Gap, touched, "{up}/{down}: {window:?}");
            assert_eq!(window.3, if touched { 0 } else { window.2 }, "{up}/{down}: {window:?}");
        }
        assert_eq!(windows(up, down, 13, 2, 300..425), first);
    }
}

#[test]
fn what_a_stage_cannot_compute_is_missing_at_its_own_rate() {
    let (sink, kept) = Keep::new();
    let mut script = Script::of(&[header("a", 200, 1)], 400, 10);
    if let PacketBody::Samples { values, .. } = &mut script.packets[11].body {
        values[3] = -1.0;
    }
    let graph =
        Pipeline::from(script).stage(|| Hold { up: 1, down: 2 }).window(Tumbling::millis(50)).sink(sink);
    let report = graph.build().unwrap().run().unwrap();
    assert_eq!(report.streams[0].refused_inputs, 1);
    let windows = told(&kept);
    let missing: Vec<i64> = windows.iter().filter(|w| w.7.contains(&u32::MAX)).map(|w| w.0).collect();
    assert_eq!((windows.len(), missing), (40, vec![10]));
    assert!(windows.iter().all(|w| w.7.len() == 5));
}

#[test]
fn epochs_behind_another_rate_begin_at_the_sample_nearest_their_marker() {
    let (sink, kept) = Keep::new();
    let one = header("a", 1_000, 1);
    let mut script = Script::of(std::slice::from_ref(&one), 1_000, 13);
    let marker = Marker::new(one.t0 + Span::millis(400), "cue");
    script.packets.insert(5, Packet { stream: one.key, body: PacketBody::Marker(marker) });
    let epochs = EpochConfig::new(Span::millis(-100), Span::millis(200));
    let graph = Pipeline::from(script).stage(|| Hold { up: 1, down: 4 }).epochs(epochs).sink(sink);
    graph.build().unwrap().run().unwrap();
    let windows = told(&kept);
    let [epoch] = &windows[..] else { panic!("{windows:?}") };
    assert_eq!((epoch.2, epoch.5), (25, WindowStatus::Complete));
    assert_eq!(f32::from_bits(epoch.7[0]), 500.0);
}

/// Puts each sample out once `ahead` more have come.
struct Late {
    ahead: u64,
    held: Vec<f32>,
    next: u64,
}

impl Operator for Late {
    type In = Chunk;
    type Out = Chunk;

    fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
        Ok(spec.clone())
    }

    fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        self.held.extend_from_slice(input.values());
        let ready = self.held.len().saturating_sub(self.ahead as usize);
        out.restart(self.next, 1);
        out.extend(&self.held.drain(..ready).collect::<Vec<_>>());
        self.next = out.end();
        Ok(())
    }

    fn finish(&mut self, out: &mut Chunk) -> Result<(), OperatorError> {
        out.restart(self.next, 1);
        out.extend(&std::mem::take(&mut self.held));
        Ok(())
    }

    fn reset(&mut self) {}

    fn latency(&self) -> Latency {
        Latency { look_ahead: Span::millis(10 * self.ahead as i64), ..Latency::default() }
    }

    fn snapshot(&self, _: &mut SnapshotWriter) {}

    fn restore(&mut self, _: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        Ok(())
    }
}

#[test]
fn samples_that_a_stage_holds_back_for_longer_than_a_packet_are_not_forgotten() {
    for size in [1, 3, 100] {
        let (sink, kept) = Keep::new();
        let graph = Pipeline::from(Script::of(&[header("a", 100, 1)], 100, size));
        let graph = graph.stage(|| Late { ahead: 7, held: Vec::new(), next: 0 }).window(Tumbling::millis(50));
        graph.sink(sink).build().unwrap().run().unwrap();
        let windows = told(&kept);
        assert_eq!(windows.len(), 20);
        assert!(windows.iter().all(|w| w.5 == WindowStatus::Complete), "packets of {size}: {windows:?}");
    }
}
