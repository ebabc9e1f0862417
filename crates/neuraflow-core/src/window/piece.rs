//! A piece: what the sequencer says about a stretch of a stream.

/// A stretch of a stream in order. Values are `[sample][channel]`.
///
/// [`Samples`](Self::Samples), [`Missing`](Self::Missing) and [`Jump`](Self::Jump) follow each other without a hole:
/// each begins where the one before ended. How a stretch is cut into pieces means nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Piece<'a> {
    /// Samples as they were received.
    Samples {
        /// Number of the first.
        first: u64,
        /// Their values.
        values: &'a [f32],
    },
    /// Samples that are not there: lost, or dropped on the way here.
    Missing {
        /// Number of the first of this piece.
        first: u64,
        /// How many.
        count: u64,
        /// The whole gap of which this piece is a part.
        gap: GapExtent,
        /// Values of the sample at the gap's end, where it is known.
        after: Option<&'a [f32]>,
    },
    /// The stream goes on somewhere else; whatever is in between never came.
    Jump {
        /// First sample that is skipped.
        from: u64,
        /// The next sample.
        to: u64,
    },
    /// Samples that came after their place had been given up. Not part of the order.
    Late {
        /// Number of the first.
        first: u64,
        /// Their values.
        values: &'a [f32],
    },
}

/// Where a gap begins and ends, as far as was known when it was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapExtent {
    /// The first missing sample.
    pub start: u64,
    /// The first received sample after it; `None` where nothing has come since.
    pub end: Option<u64>,
}
