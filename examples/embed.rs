//! Embedding: a host application that owns `main`, feeds a device handle, reads features, and is told how things stand.
//!
//! The host here is a small acquisition program: one thread plays the amplifier's driver, the main thread is the
//! application, and a third shows the operator what a page in the browser would show, without a socket: it subscribes to
//! the session's messages. NeuraFlow is a value between them: started, read, stopped and joined like any other.
//!
//! Run it with `cargo run --release --example embed`.

use std::error::Error;
use std::thread;
use std::time::Duration;

use neuraflow::prelude::*;
use neuraflow::sinks::feedback::{Body, Feedback, FeedbackConfig, Kind, Subscriber, Subscription};
use neuraflow::sources::device::DeviceConfig;

const CHANNELS: [&str; 4] = ["Fz", "Cz", "Pz", "Oz"];
const SAMPLES_IN_PACKET: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    // What the device is: its key, its exact sampling rate, its channels.
    let key = StreamKey::of_names("session 2026-11-24", "amplifier");
    let channels = CHANNELS.iter().map(|label| Channel::new(*label)).collect();
    let header = StreamHeader::new(key, "amplifier", SamplingRate::hz(250)?, channels);

    // The handle pushes from any thread. At most a second of samples waits; then the newest matter more than the oldest.
    let config = DeviceConfig { capacity: 250, overflow: Overflow::DropOldest, ..DeviceConfig::default() };
    let (handle, source) = device::channel(config);
    let (sink, features) = bounded(1_024, Overflow::DropOldest);

    // What is shown to people: a session, and a subscriber that wants its quality, five times a second, and its status.
    let feedback = Feedback::new(FeedbackConfig::default())?;
    let session = feedback.session("2026-11-24");
    let wanted = Subscription::all().kinds([Kind::Quality, Kind::Status]).rate(5.0);
    let subscriber = feedback.subscribe(session.name(), wanted)?;

    // The graph. It is checked here, and errors name the stage and what it expected.
    let pipeline = Pipeline::from(source)
        .branch(|raw| {
            let windows = raw.window(Tumbling::millis(50));
            windows.feature(SignalQuality::default).sink(session.quality("quality"))
        })
        .stage(|| Butterworth::bandpass(4, 4.0..40.0))
        .stage(CommonAverage::new)
        .window(Tumbling::millis(50))
        .feature(|| BandPower::bands([("alpha", 8.0..13.0)]).over_millis(500))
        .sink(sink)
        .build()?;

    // From here on it runs on threads of its own.
    let running = pipeline.spawn(Workers::new(1))?;
    session.watch(running.watch());
    let display = thread::spawn(move || show(subscriber));

    // The driver: two seconds of a device that sends a packet every 20 ms. When the last handle is dropped, the
    // stream has ended, and with it the pipeline.
    let driver = thread::spawn(move || -> Result<(), Box<dyn Error + Send + Sync>> {
        handle.open(header)?;
        for packet in 0..100 {
            let first = packet * SAMPLES_IN_PACKET;
            let values: Vec<f32> = (first..first + SAMPLES_IN_PACKET).flat_map(sample).collect();
            handle.push(&key, first as u64, &values)?;
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    });

    // The application: reads features as they come, 50 ms after one another.
    while let Some(power) = features.recv_timeout(Duration::from_millis(500)) {
        let alpha = power.get("Oz", "alpha").unwrap_or(f64::NAN);
        let state = if power.info.warm_up { "warming up" } else { power.info.status.name() };
        println!("{}  alpha at Oz {alpha:8.2} µV²  ({state})", power.info.end);
    }

    driver.join().map_err(|_| "the driver panicked")?.map_err(|error| error.to_string())?;
    let report = running.join()?;
    session.ended();
    display.join().map_err(|_| "the display panicked")?;
    let accounting = report.accounting();
    println!(
        "{} samples in, {} windowed, {} dropped",
        accounting.samples_in, accounting.windowed, accounting.dropped
    );
    assert!(report.balances(), "every sample is in exactly one place");
    Ok(())
}

/// What the operator sees, until the session has ended.
fn show(messages: Subscriber) {
    for message in messages {
        match &message.body {
            Body::Quality(scores) => {
                let score = |row| scores.values.row(row).first().copied().unwrap_or(f64::NAN);
                let each: Vec<_> = scores
                    .rows
                    .iter()
                    .enumerate()
                    .map(|(row, name)| format!("{name} {:.2}", score(row)))
                    .collect();
                println!("{:>12}  quality {}", "", each.join("  "));
            }
            Body::Status(status) => println!("{:>12}  the session is {}", "", status.state.name()),
            _ => {}
        }
    }
}

/// One sample: a 10 Hz rhythm of 20 µV at the back of the head, and an offset as every electrode has one.
fn sample(n: usize) -> [f32; 4] {
    let rhythm = (std::f32::consts::TAU * 10.0 * n as f32 / 250.0).sin();
    [100.0 + 2.0 * rhythm, -40.0 + 4.0 * rhythm, 12.0 + 10.0 * rhythm, 65.0 + 20.0 * rhythm]
}
