//! What is encoded: a probe of 1024 channels at 30 kHz, and the EEG of a real recording where it is at hand.

use neuraflow::sources::recording::edf::Edf;
use neuraflow::testing::Random;
use neuraflow::testing::data::folder;

/// Counts of 16 bits, `[sample][channel]`.
pub struct Signal {
    pub name: &'static str,
    pub channels: usize,
    pub hz: u64,
    pub counts: Vec<i16>,
}

impl Signal {
    /// Values of `millis` milliseconds.
    pub fn frame(&self, millis: u64) -> usize {
        (self.hz * millis / 1_000) as usize * self.channels
    }
}

/// 200 ms of a probe: each channel has noise of 14 counts RMS (some 3 µV at 0.195 µV a count) of its own, a slow field that changes
/// from channel to channel, and a spike of 100 to 600 counts every 50 ms.
pub fn probe() -> Signal {
    let (channels, hz, samples) = (1_024, 30_000, 6_000);
    let mut random = Random::new(11);
    // The sum of four uniform numbers is nearly normal, with 2 / √3 of the spread of one's half width.
    let mut noise = || (0..4).map(|_| random.unit()).sum::<f64>() * 12.1;
    let mut counts: Vec<f64> = Vec::with_capacity(samples * channels);
    for sample in 0..samples {
        for channel in 0..channels {
            let phase = sample as f64 / 3_000.0 * std::f64::consts::TAU + channel as f64 / 200.0;
            counts.push(phase.sin() * 800.0 + noise());
        }
    }
    let mut random = Random::new(12);
    for channel in 0..channels {
        for _ in 0..4 {
            let (at, height) = (random.below(samples - 40), 100.0 + random.below(500) as f64);
            for n in 0..40 {
                let t = n as f64 / 8.0;
                counts[(at + n) * channels + channel] -= height * t * (1.0 - t) * (-t).exp() * 3.0;
            }
        }
    }
    let counts = counts.into_iter().map(|count| count.round() as i16).collect();
    Signal { name: "probe, 1024 ch, 30 kHz", channels, hz, counts }
}

/// S001R04.edf, 125 s.
pub fn eeg() -> Option<Signal> {
    let mut file = Edf::open(folder().join("edf/S001R04.edf")).ok()?;
    let channels = 64;
    let mut counts = vec![0; 20_000 * channels];
    for record in 0..125 {
        for channel in 0..channels {
            for (n, count) in file.digital(channel, record).ok()?.into_iter().enumerate() {
                counts[(record as usize * 160 + n) * channels + channel] = count as i16;
            }
        }
    }
    Some(Signal { name: "S001R04.edf, 64 ch, 160 Hz", channels, hz: 160, counts })
}
