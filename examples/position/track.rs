//! Where the rat was: frames of a camera, its speed, and the line that the track is.

use std::error::Error;
use std::path::Path;

use neuraflow::ops::kernel::linalg::{Estimator, Spectrum, covariance};

/// How far apart two frames may be for the rat to have been between them, in seconds.
const HOLE: f64 = 0.5;
/// Speed is over this long around an instant, in seconds.
const AROUND: f64 = 0.5;

/// Frames `(time, x, y)` in seconds and pixels, ascending.
pub struct Frames(Vec<[f64; 3]>);

impl Frames {
    /// Reads `position.npy`, as `scripts/convert/linear_track.py` writes it.
    pub fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        const FIELDS: &str = "[('time', '<f8'), ('x', '<f8'), ('y', '<f8')]";
        let wrong = |expected: &str| -> Box<dyn Error> {
            format!("{}: expected {expected}; make it with scripts/convert/linear_track.py", path.display())
                .into()
        };
        let bytes =
            std::fs::read(path).map_err(|error| wrong(&format!("a file that can be read ({error})")))?;
        let start = bytes.first_chunk::<10>().filter(|start| start.starts_with(b"\x93NUMPY\x01"));
        let start = start.ok_or_else(|| wrong("a .npy file of version 1"))?;
        let (header, body) = bytes[10..]
            .split_at_checked(usize::from(u16::from_le_bytes([start[8], start[9]])))
            .ok_or_else(|| wrong("a whole header"))?;
        if !String::from_utf8_lossy(header).contains(FIELDS) {
            return Err(wrong(&format!("the fields {FIELDS}")));
        }
        let number = |bytes: &[u8; 8]| f64::from_le_bytes(*bytes);
        let frames: Vec<[f64; 3]> = body
            .as_chunks::<8>()
            .0
            .as_chunks::<3>()
            .0
            .iter()
            .map(|frame| frame.each_ref().map(number))
            .filter(|frame| frame.iter().all(|value| value.is_finite()))
            .collect();
        if frames.len() < 2 || !frames.is_sorted_by(|a, b| a[0] <= b[0]) {
            return Err(wrong("at least two frames, sorted by time"));
        }
        Ok(Self(frames))
    }

    /// Where it was at this time, on the line between two frames; nowhere where there is none near.
    pub fn at(&self, time: f64) -> Option<[f64; 2]> {
        let next = self.0.partition_point(|frame| frame[0] <= time);
        let (before, after) = (self.0.get(next.checked_sub(1)?)?, self.0.get(next)?);
        let between = after[0] - before[0];
        let share = (time - before[0]) / between;
        (between <= HOLE).then(|| [1, 2].map(|axis| before[axis] + share * (after[axis] - before[axis])))
    }

    /// How it moved around this time, in pixels a second.
    pub fn velocity(&self, time: f64) -> Option<[f64; 2]> {
        let (from, to) = (self.at(time - AROUND / 2.0)?, self.at(time + AROUND / 2.0)?);
        Some([0, 1].map(|axis| (to[axis] - from[axis]) / AROUND))
    }

    /// How fast that was.
    pub fn speed(&self, time: f64) -> Option<f64> {
        self.velocity(time).map(|[x, y]| x.hypot(y))
    }
}

/// The line that the rat runs along: the first principal component of where it was.
pub struct Line {
    origin: [f64; 2],
    direction: [f64; 2],
    /// From the lowest place in training to the highest, in pixels.
    pub length: f64,
}

impl Line {
    /// Through places of training.
    pub fn through(places: &[[f64; 2]]) -> Result<Self, Box<dyn Error>> {
        let spread = covariance(places.as_flattened(), 2, Estimator::Sample)?;
        let vectors = Spectrum::of(&spread)?.vectors;
        // The greatest comes last; its sign is arbitrary, and to the right is up.
        let sign = if vectors[2] < 0.0 { -1.0 } else { 1.0 };
        let mut line =
            Self { origin: [0.0; 2], direction: [sign * vectors[2], sign * vectors[3]], length: 0.0 };
        let along = places.iter().map(|place| line.place(*place));
        let (low, high) =
            along.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)));
        line.origin = line.direction.map(|part| low * part);
        line.length = high - low;
        Ok(line)
    }

    /// The part of a velocity that is along it.
    pub fn along(&self, [x, y]: [f64; 2]) -> f64 {
        x * self.direction[0] + y * self.direction[1]
    }

    /// How far along it a place is, in pixels from the lowest in training.
    pub fn place(&self, [x, y]: [f64; 2]) -> f64 {
        (x - self.origin[0]) * self.direction[0] + (y - self.origin[1]) * self.direction[1]
    }
}
