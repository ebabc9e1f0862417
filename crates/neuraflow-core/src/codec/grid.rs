//! From values to whole numbers and back: exactly, or to the nearest point of a grid that is fine enough for the error
//! that is allowed.
//!
//! The grid is applied before anything is predicted. So an error never adds up over samples or channels, and the bound
//! is that of a single rounding.

use super::bytes::{Cursor, put_varint};
use super::error::CodecError;
use super::layout::{Config, Layout};
use super::values::{Decoded, ValueType, Values};

/// Floats beyond so many grid points from zero are kept as they are: there, rounding would be the larger error.
const FARTHEST: f64 = (1u64 << 30) as f64;

/// How values are mapped to whole numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Grid {
    /// Every value is kept to the bit.
    Exact(ValueType),
    /// Multiples of `step` counts, an odd number: the nearest is at most `(step - 1) / 2` away.
    Counts { values: ValueType, step: u32 },
    /// Multiples of `step`. Values of which the nearest is too far away, and those that are no numbers, are kept apart.
    Floats { step: f64, bound: f64 },
}

/// A float that is kept as it is, and its place among the frame's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exception {
    pub(super) at: usize,
    pub(super) bits: u32,
}

impl Grid {
    /// The coarsest grid that keeps what `config` promises.
    pub(super) fn of(layout: &Layout, config: &Config) -> Self {
        let exact = Self::Exact(layout.values);
        if config.max_error == 0.0 {
            return exact;
        }
        if layout.values == ValueType::F32 {
            let bound = config.max_error;
            // A little less than twice the bound, so that rounding to a float rarely goes beyond it.
            let step = bound * 1.984_375;
            return if step.is_normal() { Self::Floats { step, bound } } else { exact };
        }
        // The quotient may have been rounded up; the product tells.
        let mut off = (config.max_error / layout.lsb).floor().min(f64::from(1u32 << 20));
        if off > 0.0 && off * layout.lsb > config.max_error {
            off -= 1.0;
        }
        let off = off as u32;
        if off == 0 { exact } else { Self::Counts { values: layout.values, step: 2 * off + 1 } }
    }

    /// By how much a value may be off, in the layout's unit.
    pub(super) fn max_error(&self, layout: &Layout) -> f64 {
        match self {
            Self::Exact(_) => 0.0,
            Self::Counts { step, .. } => f64::from(step / 2) * layout.lsb,
            Self::Floats { bound, .. } => *bound,
        }
    }

    /// The type whose range all whole numbers are in; differences are taken modulo that range.
    pub(super) fn whole(&self) -> ValueType {
        match self {
            Self::Exact(values) | Self::Counts { values, .. } => *values,
            Self::Floats { .. } => ValueType::I32,
        }
    }

    pub(super) fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Exact(_) => {}
            Self::Counts { step, .. } => put_varint(out, u64::from(*step)),
            Self::Floats { step, bound } => {
                out.extend_from_slice(&step.to_le_bytes());
                out.extend_from_slice(&bound.to_le_bytes());
            }
        }
    }

    /// The grid of a frame of `values` that is not exact.
    pub(super) fn read(values: ValueType, bytes: &mut Cursor<'_>) -> Result<Self, CodecError> {
        if values == ValueType::F32 {
            let (step, bound) = (bytes.f64("grid")?, bytes.f64("grid")?);
            let fits = step.is_normal() && step > 0.0 && bound.is_finite() && bound > 0.0;
            let invalid = CodecError::Invalid {
                what: "grid",
                expected: "a positive step and bound",
                found: step.to_bits(),
            };
            return if fits { Ok(Self::Floats { step, bound }) } else { Err(invalid) };
        }
        let found = bytes.varint("grid")?;
        match u32::try_from(found) {
            Ok(step) if step % 2 == 1 && (3..=(1 << 21) + 1).contains(&step) => {
                Ok(Self::Counts { values, step })
            }
            _ => Err(CodecError::Invalid { what: "grid", expected: "an odd step from 3 to 2097153", found }),
        }
    }

    /// Whole numbers for `values`, which are of the layout's type.
    pub(super) fn to_whole(
        self,
        values: Values<'_>,
        whole: &mut Vec<i32>,
        exceptions: &mut Vec<Exception>,
    ) -> Result<(), CodecError> {
        whole.clear();
        exceptions.clear();
        match (self, values) {
            (Self::Floats { step, bound }, Values::F32(values)) => {
                let nearest = |(at, value): (usize, &f32)| {
                    let point = (f64::from(*value) / step).round();
                    if point.abs() <= FARTHEST {
                        let point = point as i32;
                        if (f64::from(on_grid(point, step)) - f64::from(*value)).abs() <= bound {
                            return point;
                        }
                    }
                    exceptions.push(Exception { at, bits: value.to_bits() });
                    0
                };
                whole.extend(values.iter().enumerate().map(nearest));
            }
            (_, Values::F32(values)) => {
                whole.extend(values.iter().map(|value| ordered(value.to_bits() as i32)));
            }
            (_, Values::I16(values)) => whole.extend(values.iter().map(|value| i32::from(*value))),
            (_, Values::I32(values)) => whole.extend_from_slice(values),
        }
        if self.whole() == ValueType::I24 {
            let (low, high) = ValueType::I24.range();
            if let Some(index) = whole.iter().position(|value| !(low..=high).contains(&i64::from(*value))) {
                let found = i64::from(whole[index]);
                return Err(CodecError::OutOfRange { index, expected: ValueType::I24, found });
            }
        }
        if let Self::Counts { step, .. } = self {
            let step = i64::from(step);
            for value in whole {
                *value = (i64::from(*value) + step / 2).div_euclid(step) as i32;
            }
        }
        Ok(())
    }

    /// Values of the layout's type for whole numbers.
    pub(super) fn to_values(self, whole: &[i32], exceptions: &[Exception], out: &mut Decoded) {
        *out = match self {
            Self::Exact(ValueType::F32) => {
                let mut values = out.take_f32();
                values.extend(whole.iter().map(|n| f32::from_bits(ordered(*n) as u32)));
                Decoded::F32(values)
            }
            Self::Floats { step, .. } => {
                let mut values = out.take_f32();
                values.extend(whole.iter().map(|n| on_grid(*n, step)));
                for Exception { at, bits } in exceptions {
                    if let Some(value) = values.get_mut(*at) {
                        *value = f32::from_bits(*bits);
                    }
                }
                Decoded::F32(values)
            }
            Self::Exact(ValueType::I16) => {
                let mut values = out.take_i16();
                values.extend(whole.iter().map(|n| *n as i16));
                Decoded::I16(values)
            }
            Self::Exact(_) => {
                let mut values = out.take_i32();
                values.extend_from_slice(whole);
                Decoded::I32(values)
            }
            Self::Counts { values: of, step } => {
                // The grid's outermost points may lie beyond the range, and the range's end is nearer to the value.
                let (low, high) = of.range();
                let count = |n: &i32| (i64::from(*n) * i64::from(step)).clamp(low, high);
                if of == ValueType::I16 {
                    let mut values = out.take_i16();
                    values.extend(whole.iter().map(|n| count(n) as i16));
                    Decoded::I16(values)
                } else {
                    let mut values = out.take_i32();
                    values.extend(whole.iter().map(|n| count(n) as i32));
                    Decoded::I32(values)
                }
            }
        };
    }
}

/// The float at a point of the grid: the same two roundings when encoding and decoding.
fn on_grid(point: i32, step: f64) -> f32 {
    (f64::from(point) * step) as f32
}

/// A float's bits as a whole number that grows with the float, so that near floats are near numbers. Its own inverse.
fn ordered(bits: i32) -> i32 {
    bits ^ (((bits >> 31) as u32) >> 1) as i32
}
