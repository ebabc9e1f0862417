//! Your own sink: a biofeedback bar in the terminal, on a thread of its own, that shows the newest value only.
//!
//! Run it with `cargo run --release --example custom_sink`.

use std::error::Error;
use std::io::{self, Write};

use neuraflow::prelude::*;
use neuraflow::sink::{Placement, SinkContext, SinkError, SinkWriter};

/// Draws how strong alpha is at one channel.
struct Bar {
    channel: String,
    /// Power that fills the bar, µV².
    full: f64,
}

impl Sink for Bar {
    type Item = Features;
    type Writer = BarWriter;

    fn name(&self) -> String {
        format!("bar of {}", self.channel)
    }

    // A terminal may block: never on a worker. Feedback is about now, so of a full queue the oldest go; they are counted.
    fn placement(&self) -> Placement {
        Placement::Thread { capacity: 8, overflow: Overflow::DropOldest }
    }

    fn open(&self, _: &SinkContext) -> Result<BarWriter, SinkError> {
        Ok(BarWriter { channel: self.channel.clone(), full: self.full, out: io::stdout() })
    }
}

struct BarWriter {
    channel: String,
    full: f64,
    out: io::Stdout,
}

impl SinkWriter for BarWriter {
    type Item = Features;

    fn write(&mut self, items: &mut Vec<Features>) -> Result<(), SinkError> {
        // All items must be taken out; only the newest is worth drawing.
        let Some(newest) = items.drain(..).next_back() else { return Ok(()) };
        let power = newest.get(&self.channel, "alpha").unwrap_or(f64::NAN);
        let filled = if power.is_finite() { (power / self.full * 40.0).clamp(0.0, 40.0) as usize } else { 0 };
        let state = if newest.info.warm_up { "warming up" } else { newest.info.status.name() };
        let line = format!("\r{} [{:<40}] {power:8.1} µV² {state:<10}", self.channel, "#".repeat(filled));
        self.show(&line)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.show("\n")
    }
}

impl BarWriter {
    fn show(&mut self, text: &str) -> Result<(), SinkError> {
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).map_err(|source| SinkError::Io {
            sink: "bar".into(),
            action: "write",
            target: "the terminal".into(),
            source,
        })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let headset =
        Synthetic::new(8, SamplingRate::hz(250)?).seed(5).until(Span::secs(5)).speed(Speed::Times(2.0));
    let report = Pipeline::from(headset)
        .stage(|| Butterworth::bandpass(4, 1.0..40.0))
        .window(Tumbling::millis(50))
        .feature(|| BandPower::bands([("alpha", 8.0..13.0)]).over_millis(500))
        .sink(Bar { channel: "O1".into(), full: 200.0 })
        .build()?
        .run()?;
    let bar = &report.sinks[0];
    println!(
        "{} windows, {} drawn from, {} too old to draw",
        report.windows().total(),
        bar.written,
        bar.dropped
    );
    Ok(())
}
