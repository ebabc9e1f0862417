//! The signal of one synthetic headset: a pure function of seed, stream, channel and sample number.
//!
//! Everything that varies is either computed from the sample number or advanced once for each sample, so packet
//! size, worker count and pace cannot change a bit. `libm` gives the same sines on every machine.

use std::f64::consts::TAU;

use neuraflow_core::model::{Channel, SamplingRate, Span};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::montage::{alpha_gain, blink_gain};

/// Corner frequencies of the low-passes whose sum approximates a 1/f spectrum, in Hz.
const CORNERS: [f64; 5] = [0.3, 1.2, 4.8, 19.2, 76.8];
/// RMS of a channel's own background and of the part that all channels share, in µV.
const OWN: f64 = 9.0;
const SHARED: f64 = 6.0;
/// Peak of a full alpha burst over the occiput, in µV.
const ALPHA: f64 = 30.0;
/// Mean amplitude of the line noise, in µV.
const LINE: f64 = 4.0;

/// One stream's signal, sample by sample.
pub(super) struct Signal {
    rate: SamplingRate,
    n: u64,
    background: Vec<Pink>,
    shared: Pink,
    pink: PinkDesign,
    gains: Vec<Gains>,
    alpha_hz: f64,
    alpha: Episodes,
    blinks: Episodes,
    line_hz: f64,
}

struct Gains {
    alpha: f64,
    blink: f64,
    line: f64,
}

impl Signal {
    /// `line_hz` = 0 for no line noise; a frequency that the rate cannot represent is left out.
    pub(super) fn new(seed: u64, rate: SamplingRate, channels: &[Channel], line_hz: f64) -> Self {
        let mut rng = Xoshiro256Plus::seed_from_u64(mix(seed, 1));
        let gains = channels
            .iter()
            .map(|channel| Gains {
                alpha: ALPHA * alpha_gain(channel.name()) * between(&mut rng, 0.8, 1.2),
                blink: blink_gain(channel.name()) * between(&mut rng, 0.85, 1.15),
                line: LINE * between(&mut rng, 0.6, 1.4),
            })
            .collect();
        let background = (0..channels.len() as u64).map(|c| Pink::new(mix(mix(seed, 2), c))).collect();
        let representable = line_hz > 0.0 && line_hz < rate.as_hz() / 2.0;
        Self {
            rate,
            n: 0,
            background,
            shared: Pink::new(mix(seed, 3)),
            pink: PinkDesign::new(rate.as_hz()),
            gains,
            alpha_hz: between(&mut rng, 9.6, 10.6),
            alpha: Episodes::new(mix(seed, 4), rate, Kind::ALPHA),
            blinks: Episodes::new(mix(seed, 5), rate, Kind::BLINK),
            line_hz: if representable { line_hz } else { 0.0 },
        }
    }

    /// The number of the sample that comes next.
    pub(super) fn next(&self) -> u64 {
        self.n
    }

    /// Appends the next sample, one value in µV for each channel.
    pub(super) fn sample(&mut self, out: &mut Vec<f32>) {
        let alpha = match self.alpha.at(self.n) {
            0.0 => 0.0,
            envelope => envelope * self.sine(self.alpha_hz),
        };
        let blink = self.blinks.at(self.n);
        let line = if self.line_hz > 0.0 { self.sine(self.line_hz) } else { 0.0 };
        let shared = SHARED * self.shared.next(&self.pink);
        for (pink, gains) in self.background.iter_mut().zip(&self.gains) {
            let rhythm = alpha * gains.alpha + blink * gains.blink + line * gains.line;
            out.push((OWN * pink.next(&self.pink) + shared + rhythm) as f32);
        }
        self.n += 1;
    }

    /// Goes on with sample `n` as if all before it had been taken, if it is not beyond it already. The noise is filtered, so each
    /// sample has to be gone through, but for its noise only, at a quarter of the cost of taking it.
    pub(super) fn skip_to(&mut self, n: u64) {
        let count = n.saturating_sub(self.n);
        self.shared.skip(&self.pink, count);
        self.background.iter_mut().for_each(|pink| pink.skip(&self.pink, count));
        self.n += count;
    }

    fn sine(&self, hz: f64) -> f64 {
        let seconds = self.n as f64 * self.rate.den() as f64 / self.rate.num() as f64;
        let turns = hz * seconds;
        libm::sin(TAU * (turns - turns.floor()))
    }
}

/// Coefficients and gains of the low-passes, shared by all channels.
struct PinkDesign {
    smooth: [f64; CORNERS.len()],
    gain: [f64; CORNERS.len()],
}

impl PinkDesign {
    fn new(hz: f64) -> Self {
        let smooth = CORNERS.map(|corner| 1.0 - libm::exp(-TAU * corner / hz));
        let gain = smooth.map(|c| libm::sqrt((2.0 - c) / c));
        // All low-passes hear the same white noise; their sum's variance follows from their impulse responses.
        let mut variance = 0.0;
        for (ci, gi) in smooth.iter().zip(gain) {
            for (cj, gj) in smooth.iter().zip(gain) {
                variance += gi * gj * ci * cj / (1.0 - (1.0 - ci) * (1.0 - cj));
            }
        }
        Self { smooth, gain: gain.map(|g| g / libm::sqrt(variance)) }
    }
}

/// Noise with a spectrum close to 1/f between 0.3 and 80 Hz, RMS 1 once settled; it starts at 0.
struct Pink {
    rng: Xoshiro256Plus,
    state: [f64; CORNERS.len()],
}

impl Pink {
    fn new(seed: u64) -> Self {
        Self { rng: Xoshiro256Plus::seed_from_u64(seed), state: [0.0; CORNERS.len()] }
    }

    fn next(&mut self, design: &PinkDesign) -> f64 {
        let white = white(self.rng.next_u64());
        let mut sum = 0.0;
        for ((y, c), g) in self.state.iter_mut().zip(design.smooth).zip(design.gain) {
            *y += c * (white - *y);
            sum += g * *y;
        }
        sum
    }

    /// As if `count` numbers had been taken.
    fn skip(&mut self, design: &PinkDesign, count: u64) {
        // Copies stay in registers.
        let (mut rng, mut state) = (self.rng.clone(), self.state);
        for _ in 0..count {
            let white = white(rng.next_u64());
            for (y, c) in state.iter_mut().zip(design.smooth) {
                *y += c * (white - *y);
            }
        }
        (self.rng, self.state) = (rng, state);
    }
}

/// Nearly Gaussian, mean 0 and variance 1: the sum of four uniform 16-bit numbers.
fn white(bits: u64) -> f64 {
    let sum: u64 = (0..4).map(|i| (bits >> (16 * i)) & 0xffff).sum();
    (sum as f64 - 131_070.0) * (1.732_050_807_568_877_2 / 65_536.0)
}

/// How often something happens, how long it lasts and how strong it is.
#[derive(Clone, Copy)]
struct Kind {
    cell_ms: i64,
    chance: f64,
    length_ms: (f64, f64),
    strength: (f64, f64),
}

impl Kind {
    const ALPHA: Self =
        Self { cell_ms: 2_000, chance: 0.75, length_ms: (800.0, 1_800.0), strength: (0.6, 1.0) };
    const BLINK: Self =
        Self { cell_ms: 4_000, chance: 0.8, length_ms: (250.0, 350.0), strength: (100.0, 300.0) };
}

/// Happenings with a bell-shaped course: at most one in each cell of event time, drawn from the cell's number.
struct Episodes {
    seed: u64,
    kind: Kind,
    cell: u64,
    per_ms: f64,
    current: Option<(u64, Episode)>,
}

#[derive(Clone, Copy)]
struct Episode {
    start: f64,
    length: f64,
    strength: f64,
}

impl Episodes {
    fn new(seed: u64, rate: SamplingRate, kind: Kind) -> Self {
        let cell = rate.samples_in(Span::millis(kind.cell_ms)).max(1);
        Self { seed, kind, cell, per_ms: rate.as_hz() / 1e3, current: None }
    }

    /// Strength at sample `n`.
    fn at(&mut self, n: u64) -> f64 {
        let cell = n / self.cell;
        let episode = match self.current {
            Some((drawn, episode)) if drawn == cell => episode,
            _ => self.draw(cell),
        };
        let x = ((n % self.cell) as f64 - episode.start) / episode.length;
        if !(0.0..=1.0).contains(&x) {
            return 0.0;
        }
        let rise = libm::sin(TAU / 2.0 * x);
        episode.strength * rise * rise
    }

    fn draw(&mut self, cell: u64) -> Episode {
        let mut rng = Xoshiro256Plus::seed_from_u64(mix(self.seed, cell));
        let happens = between(&mut rng, 0.0, 1.0) < self.kind.chance;
        let strength = between(&mut rng, self.kind.strength.0, self.kind.strength.1);
        let length = between(&mut rng, self.kind.length_ms.0, self.kind.length_ms.1) * self.per_ms;
        let start = between(&mut rng, 0.0, (self.cell as f64 - length).max(0.0));
        let episode = Episode { start, length, strength: if happens { strength } else { 0.0 } };
        self.current = Some((cell, episode));
        episode
    }
}

/// A number in `[low, high)`.
pub(super) fn between(rng: &mut impl Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * ((rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64)
}

/// A seed for part `part` of what `seed` seeds: splitmix64's finaliser, so that neighbours share nothing.
pub(super) fn mix(seed: u64, part: u64) -> u64 {
    let mut z = seed.wrapping_add((part.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
