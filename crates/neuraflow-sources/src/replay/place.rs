//! Where a replay is, as numbers that a checkpoint keeps: what was given of every stream, of the markers, and of the ends.

use neuraflow_core::model::{Positions, Span, StreamHeader};

use crate::part::part;

const MARKERS: &str = "markers";
const ENDED: &str = "ended";

/// What was given of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Given {
    /// One past the last sample that was given.
    pub(super) next: u64,
    /// Where the contiguous run began that its packets are counted from.
    pub(super) run: u64,
}

/// What was given of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// By stream; `None` for one that was not opened yet.
    pub(super) streams: Vec<Option<Given>>,
    pub(super) markers: u64,
    /// How many of the streams have ended: the first ones, as they end in their order.
    pub(super) ended: u64,
}

impl Place {
    /// Before everything.
    pub(super) fn start(streams: usize) -> Self {
        Self { streams: vec![None; streams], markers: 0, ended: 0 }
    }

    /// The place that these positions tell.
    pub(super) fn of(positions: &Positions, headers: &[StreamHeader]) -> Self {
        let given = |header| {
            let name = part(header);
            let run = positions.get(&run_of(&name)).unwrap_or(0);
            positions.get(&name).map(|next| Given { next, run })
        };
        let count = |name| positions.get(name).unwrap_or(0);
        Self { streams: headers.iter().map(given).collect(), markers: count(MARKERS), ended: count(ENDED) }
    }

    pub(super) fn positions(&self, headers: &[StreamHeader]) -> Positions {
        let mut positions = Positions::default();
        for (given, header) in self.streams.iter().zip(headers) {
            if let Some(Given { next, run }) = *given {
                let name = part(header);
                // Most recordings have no hole, and one run that begins with them.
                if run > 0 {
                    positions.set(run_of(&name), run);
                }
                positions.set(name, next);
            }
        }
        if !positions.is_empty() {
            positions.set(MARKERS, self.markers);
            positions.set(ENDED, self.ended);
        }
        positions
    }

    /// How much event time of the recording is over: pace is kept from there on.
    pub(super) fn over(&self, headers: &[StreamHeader]) -> Span {
        let last = |(given, header): (&Option<Given>, &StreamHeader)| {
            given.and_then(|given| given.next.checked_sub(1)).map(|last| header.rate.offset(last))
        };
        self.streams.iter().zip(headers).filter_map(last).max().unwrap_or(Span::ZERO)
    }
}

fn run_of(part: &str) -> String {
    format!("{part}/run")
}
