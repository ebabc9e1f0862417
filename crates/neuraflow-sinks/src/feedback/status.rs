//! The status of a session: on every change of its state or its pipeline's, and twice a second.

use neuraflow_core::dataflow::{LatencyHistogram, LatencySplit, Status, Watch};
use neuraflow_core::model::{Span, StreamKey};
use neuraflow_core::window::Accounting;

use super::channel::{Channel, Core, pace};
use super::message::{Body, LatencyBody, Quantiles, StatusBody, WindowsBody};
use super::vitals::PipelineBody;

/// Nanoseconds from one status to the next.
const INTERVAL: u64 = 500_000_000;

impl Channel {
    /// Time went by: looks for streams that fell silent, and says how it stands when that is due.
    pub(super) fn tick(&self) {
        let now = self.clock.now();
        let mut core = self.lock();
        let Core { life, streams, .. } = &mut *core;
        let name = |key: StreamKey| streams.get(&key).map_or_else(String::new, |header| header.name.clone());
        let changed = life.tick(now, name);
        let due = changed || now >= core.status_due;
        let (watch, told) = (core.watch.clone(), core.told.clone());
        drop(core);
        if due || watch.as_ref().map(Watch::health) != told {
            self.publish_status(watch.as_ref());
        }
    }

    /// Says how it stands. Asking the pipeline takes a while, so the session is not locked meanwhile.
    pub(super) fn publish_status(&self, watch: Option<&Watch>) {
        let status = watch.map(Watch::status);
        let now = self.clock.now();
        let mut core = self.lock();
        if let Some(status) = &status {
            core.look(status, now);
            // Once a pipeline is gone its sinks are too, but what they measured is still worth telling.
            if !status.sinks.is_empty() || core.latency.is_none() {
                core.latency = Some(latency(&status.latency));
            }
        }
        let body = StatusBody {
            state: core.life.state(),
            why: core.life.why().map(str::to_owned),
            streams: core.stream_bodies(),
            hop_ms: core.hop_ms(),
            accounting: status.as_ref().map(accounting),
            windows: status.as_ref().map(windows),
            pipeline: status.as_ref().map(PipelineBody::of),
            latency_us: core.latency,
            suppressed: self.suppressions.counts(),
            group_delay_ms: core.group_delay.as_millis_f64(),
            clients: self.clients(),
        };
        core.said = body.state;
        core.told = status.map(|status| status.health);
        core.status_due = now.saturating_add(INTERVAL);
        let gone = core.ring.push(Body::Status(Box::new(body)));
        drop(core);
        drop(gone);
        self.wake();
    }

    /// Changes the state, and says so if it is another one now.
    pub(super) fn change(&self, change: impl FnOnce(&mut Core) -> bool) {
        let mut core = self.lock();
        let changed = change(&mut core);
        let watch = core.watch.clone();
        drop(core);
        if changed {
            self.publish_status(watch.as_ref());
        }
    }
}

impl Core {
    /// Streams and windows of the watched pipeline count also where no sink of this session sees them.
    fn look(&mut self, status: &Status, now: u64) {
        for stream in &status.streams {
            self.meet(&stream.header);
            let windows = stream.windows.total();
            if self.windows.insert(stream.header.key, windows).unwrap_or(0) < windows
                && !self.life.state().is_final()
            {
                let pace = pace(&stream.header, self.hop.unwrap_or(Span::ZERO));
                self.life.counted(stream.header.key, now, pace);
            }
        }
    }
}

fn accounting(status: &Status) -> Accounting {
    let mut sum = Accounting::default();
    status.streams.iter().for_each(|stream| sum.add(&stream.accounting));
    sum
}

fn windows(status: &Status) -> WindowsBody {
    let mut sum = WindowsBody::default();
    for stream in &status.streams {
        sum.complete += stream.windows.complete;
        sum.gap += stream.windows.gap;
        sum.partial += stream.windows.partial;
    }
    sum
}

fn latency(split: &LatencySplit) -> LatencyBody {
    LatencyBody {
        wait: quantiles(&split.wait),
        compute: quantiles(&split.compute),
        output: quantiles(&split.output),
        total: quantiles(&split.total),
    }
}

fn quantiles(histogram: &LatencyHistogram) -> Quantiles {
    let micros = |nanos: Option<u64>| nanos.map(|nanos| nanos as f64 / 1e3);
    Quantiles {
        p50: micros(histogram.quantile(0.5)),
        p99: micros(histogram.quantile(0.99)),
        p999: micros(histogram.quantile(0.999)),
        max: micros(histogram.max()),
    }
}
