//! Values as they come from a converter: integers of 16, 24 or 32 bits, or floats.

use std::fmt;

use super::error::CodecError;

/// What one value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// Counts of a converter of up to 16 bits.
    I16,
    /// Counts of a converter of 24 bits, given as `i32`.
    I24,
    /// Counts of 32 bits.
    I32,
    /// Floats; kept to the bit unless an error is allowed.
    F32,
}

impl ValueType {
    /// Bits of a value.
    pub const fn bits(self) -> u32 {
        match self {
            Self::I16 => 16,
            Self::I24 => 24,
            Self::I32 | Self::F32 => 32,
        }
    }

    /// Bytes of a value.
    pub const fn bytes(self) -> usize {
        self.bits() as usize / 8
    }

    pub(super) const fn code(self) -> u8 {
        match self {
            Self::I16 => 0,
            Self::I24 => 1,
            Self::I32 => 2,
            Self::F32 => 3,
        }
    }

    pub(super) fn from_code(code: u8) -> Result<Self, CodecError> {
        match code {
            0 => Ok(Self::I16),
            1 => Ok(Self::I24),
            2 => Ok(Self::I32),
            3 => Ok(Self::F32),
            other => {
                Err(CodecError::Invalid { what: "value type", expected: "0 to 3", found: u64::from(other) })
            }
        }
    }

    /// The smallest and the largest count.
    pub(super) const fn range(self) -> (i64, i64) {
        let half = 1i64 << (self.bits() - 1);
        (-half, half - 1)
    }

    /// `value` modulo two to the power of the type's bits, so that differences never overflow and are undone exactly.
    #[inline(always)]
    pub(super) const fn wrap(self, value: i32) -> i32 {
        let unused = 32 - self.bits();
        (value << unused) >> unused
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::I16 => "counts of 16 bits",
            Self::I24 => "counts of 24 bits",
            Self::I32 => "counts of 32 bits",
            Self::F32 => "32-bit floats",
        })
    }
}

/// Values to encode, `[sample][channel]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values<'a> {
    /// Counts of 16 bits.
    I16(&'a [i16]),
    /// Counts of 24 or 32 bits, as the layout says.
    I32(&'a [i32]),
    /// Floats.
    F32(&'a [f32]),
}

impl Values<'_> {
    /// How many values.
    pub fn len(&self) -> usize {
        match self {
            Self::I16(values) => values.len(),
            Self::I32(values) => values.len(),
            Self::F32(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether they may be given for a layout of `expected`.
    pub(super) fn check(&self, expected: ValueType) -> Result<(), CodecError> {
        let found = match (self, expected) {
            (Self::I16(_), ValueType::I16) | (Self::F32(_), ValueType::F32) => return Ok(()),
            (Self::I32(_), ValueType::I24 | ValueType::I32) => return Ok(()),
            (Self::I16(_), _) => ValueType::I16,
            (Self::I32(_), _) => ValueType::I32,
            (Self::F32(_), _) => ValueType::F32,
        };
        Err(CodecError::ValueType { expected, found })
    }
}

/// Values as decoded, `[sample][channel]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// Counts of 16 bits.
    I16(Vec<i16>),
    /// Counts of 24 or 32 bits.
    I32(Vec<i32>),
    /// Floats.
    F32(Vec<f32>),
}

impl Default for Decoded {
    fn default() -> Self {
        Self::I16(Vec::new())
    }
}

impl Decoded {
    /// The same values, borrowed.
    pub fn as_values(&self) -> Values<'_> {
        match self {
            Self::I16(values) => Values::I16(values),
            Self::I32(values) => Values::I32(values),
            Self::F32(values) => Values::F32(values),
        }
    }

    /// The memory of 16-bit counts, emptied, if that is what they were.
    pub(super) fn take_i16(&mut self) -> Vec<i16> {
        match std::mem::take(self) {
            Self::I16(values) => emptied(values),
            _ => Vec::new(),
        }
    }

    /// The memory of wider counts.
    pub(super) fn take_i32(&mut self) -> Vec<i32> {
        match std::mem::take(self) {
            Self::I32(values) => emptied(values),
            _ => Vec::new(),
        }
    }

    /// The memory of floats.
    pub(super) fn take_f32(&mut self) -> Vec<f32> {
        match std::mem::take(self) {
            Self::F32(values) => emptied(values),
            _ => Vec::new(),
        }
    }
}

fn emptied<T>(mut values: Vec<T>) -> Vec<T> {
    values.clear();
    values
}
