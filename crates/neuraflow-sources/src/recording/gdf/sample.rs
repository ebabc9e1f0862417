//! The number types that samples are stored in.

/// How a signal's samples are stored, by the codes of the format. All are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SampleType {
    /// Code 1.
    Int8,
    /// Code 2, and code 0, which is a character.
    Uint8,
    /// Code 3.
    Int16,
    /// Code 4.
    Uint16,
    /// Code 5.
    Int32,
    /// Code 6.
    Uint32,
    /// Code 7; beyond 2⁵³ rounded.
    Int64,
    /// Code 8; beyond 2⁵³ rounded.
    Uint64,
    /// Code 16.
    Float32,
    /// Code 17.
    Float64,
    /// Code 279.
    Int24,
    /// Code 535.
    Uint24,
}

impl SampleType {
    /// The type with this code, if it can be read.
    pub fn of_code(code: u32) -> Option<Self> {
        Some(match code {
            0 | 2 => Self::Uint8,
            1 => Self::Int8,
            3 => Self::Int16,
            4 => Self::Uint16,
            5 => Self::Int32,
            6 => Self::Uint32,
            7 => Self::Int64,
            8 => Self::Uint64,
            16 => Self::Float32,
            17 => Self::Float64,
            279 => Self::Int24,
            535 => Self::Uint24,
            _ => return None,
        })
    }

    /// Bytes of one sample.
    pub fn bytes(self) -> usize {
        match self {
            Self::Int8 | Self::Uint8 => 1,
            Self::Int16 | Self::Uint16 => 2,
            Self::Int24 | Self::Uint24 => 3,
            Self::Int32 | Self::Uint32 | Self::Float32 => 4,
            Self::Int64 | Self::Uint64 | Self::Float64 => 8,
        }
    }

    /// The number in the first [`bytes`](Self::bytes) of a sample; NaN where there are fewer.
    pub(super) fn number(self, sample: &[u8]) -> f64 {
        self.read(sample).unwrap_or(f64::NAN)
    }

    fn read(self, sample: &[u8]) -> Option<f64> {
        fn first<const N: usize>(sample: &[u8]) -> Option<[u8; N]> {
            sample.first_chunk().copied()
        }
        // Three bytes at the top of four: an arithmetic shift brings the sign down with them.
        let shifted = || first::<3>(sample).map(|[a, b, c]| [0, a, b, c]);
        Some(match self {
            Self::Int8 => f64::from(i8::from_le_bytes(first(sample)?)),
            Self::Uint8 => f64::from(*sample.first()?),
            Self::Int16 => f64::from(i16::from_le_bytes(first(sample)?)),
            Self::Uint16 => f64::from(u16::from_le_bytes(first(sample)?)),
            Self::Int24 => f64::from(i32::from_le_bytes(shifted()?) >> 8),
            Self::Uint24 => f64::from(u32::from_le_bytes(shifted()?) >> 8),
            Self::Int32 => f64::from(i32::from_le_bytes(first(sample)?)),
            Self::Uint32 => f64::from(u32::from_le_bytes(first(sample)?)),
            Self::Int64 => i64::from_le_bytes(first(sample)?) as f64,
            Self::Uint64 => u64::from_le_bytes(first(sample)?) as f64,
            Self::Float32 => f64::from(f32::from_le_bytes(first(sample)?)),
            Self::Float64 => f64::from_le_bytes(first(sample)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_reads_its_extremes() {
        let of = |code: u32, bytes: &[u8]| {
            let known = SampleType::of_code(code).unwrap();
            assert_eq!(known.bytes(), bytes.len(), "{known:?}");
            assert!(known.number(&bytes[1..]).is_nan());
            known.number(bytes)
        };
        assert_eq!((of(0, b"A"), of(1, &[0x80]), of(2, &[0xff])), (65.0, -128.0, 255.0));
        assert_eq!((of(3, &[0, 0x80]), of(4, &[0xff, 0xff])), (-32_768.0, 65_535.0));
        assert_eq!((of(279, &[0xff; 3]), of(535, &[0xff; 3])), (-1.0, 16_777_215.0));
        assert_eq!((of(279, &[0, 0, 0x80]), of(279, &[1, 2, 3])), (-8_388_608.0, f64::from(0x03_02_01)));
        assert_eq!((of(5, &[0xfe, 0xff, 0xff, 0xff]), of(6, &[0xff; 4])), (-2.0, 4_294_967_295.0));
        assert_eq!(
            (of(7, &(-3_i64).to_le_bytes()), of(8, &(1_u64 << 63).to_le_bytes())),
            (-3.0, 2_f64.powi(63))
        );
        assert_eq!((of(16, &1.5_f32.to_le_bytes()), of(17, &(-0.1_f64).to_le_bytes())), (1.5, -0.1));
        assert!(
            [9, 15, 18, 255, 256, 1000, u32::MAX].iter().all(|code| SampleType::of_code(*code).is_none())
        );
    }
}
