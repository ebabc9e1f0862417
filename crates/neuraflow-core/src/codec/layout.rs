//! What the frames of a stream have in common, and how they are encoded.

use super::error::CodecError;
use super::values::ValueType;
use crate::model::{SamplingRate, StreamKey, Unit};

/// The most channels a stream may have.
pub const MAX_CHANNELS: usize = 65_536;

/// The most values (samples × channels, missing samples included) one frame may hold.
pub const MAX_VALUES: usize = 1 << 24;

/// The longest name of a unit, in bytes.
const MAX_UNIT: usize = 64;

/// What the frames of a stream have in common. Every key frame carries it.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Which stream.
    pub key: StreamKey,
    /// Samples per second.
    pub rate: SamplingRate,
    /// Values in each sample, 1 to [`MAX_CHANNELS`].
    pub channels: usize,
    /// What a value is.
    pub values: ValueType,
    /// What one count is worth in `unit`; 1 for floats.
    pub lsb: f64,
    /// The unit of `lsb`, or of floats.
    pub unit: Unit,
}

impl Layout {
    /// Counts of a converter whose least significant bit is `lsb` microvolts.
    pub fn counts(key: StreamKey, rate: SamplingRate, channels: usize, values: ValueType, lsb: f64) -> Self {
        Self { key, rate, channels, values, lsb, unit: Unit::Microvolt }
    }

    /// Floats in microvolts.
    pub fn floats(key: StreamKey, rate: SamplingRate, channels: usize) -> Self {
        Self { key, rate, channels, values: ValueType::F32, lsb: 1.0, unit: Unit::Microvolt }
    }

    /// The same in another unit.
    #[must_use]
    pub fn with_unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    pub(super) fn check(&self) -> Result<(), CodecError> {
        if !(1..=MAX_CHANNELS).contains(&self.channels) {
            return Err(setting("channels", "1 to 65536", self.channels));
        }
        if !(self.lsb.is_normal() && self.lsb > 0.0) {
            return Err(setting("least significant bit", "a positive number", self.lsb));
        }
        match &self.unit {
            Unit::Other(name) if name.len() > MAX_UNIT => {
                Err(setting("unit", "a name of at most 64 bytes", name))
            }
            _ => Ok(()),
        }
    }
}

/// What an encoder aims at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Few bytes: of adaptive Golomb codes, bit-packing and LZ4, whatever is smallest.
    #[default]
    Small,
    /// Few cycles: bit-packing.
    Fast,
}

/// How a stream is encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// What to aim at.
    pub profile: Profile,
    /// Every so many frames one is a key frame, at which readers can begin; 1 makes every frame one.
    pub key_interval: u32,
    /// By how much a decoded value may be off, in the layout's unit; 0 for lossless.
    pub max_error: f64,
}

impl Default for Config {
    /// Small, lossless, a key frame every 20 frames: one a second where frames hold 50 ms.
    fn default() -> Self {
        Self { profile: Profile::Small, key_interval: 20, max_error: 0.0 }
    }
}

impl Config {
    /// The default with another profile.
    pub fn of(profile: Profile) -> Self {
        Self { profile, ..Self::default() }
    }

    /// With a key frame every `frames` frames.
    #[must_use]
    pub fn with_key_interval(mut self, frames: u32) -> Self {
        self.key_interval = frames;
        self
    }

    /// Near-lossless: no decoded value is off by more than `error`, in the layout's unit.
    #[must_use]
    pub fn with_max_error(mut self, error: f64) -> Self {
        self.max_error = error;
        self
    }

    pub(super) fn check(&self) -> Result<(), CodecError> {
        if self.key_interval == 0 {
            return Err(setting("key interval", "at least 1 frame", self.key_interval));
        }
        if !(self.max_error.is_finite() && self.max_error >= 0.0) {
            return Err(setting("largest error", "0 or a positive number", self.max_error));
        }
        Ok(())
    }
}

fn setting(what: &'static str, expected: &'static str, found: impl ToString) -> CodecError {
    CodecError::Setting { what, expected, found: found.to_string() }
}
