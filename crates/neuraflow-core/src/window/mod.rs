//! From packets to windows: pure state machines without a clock, a thread or Timely.
//!
//! One instance of each belongs to one stream. A packet passes through them in this order:
//!
//! 1. [`Sequencer`]: puts samples in order by the device's counter; finds what is missing, late or there twice.
//! 2. [`GapFiller`]: turns that into chunks without holes, by the declared [`GapPolicy`].
//! 3. [`Coverage`]: remembers which samples were received, imputed or missing, while filters work on the chunks.
//! 4. [`WindowAssembler`]: cuts the filtered chunks at the [`WindowGrid`]; [`EpochCutter`] cuts them at markers.
//!
//! Event time alone decides what a window contains, so a replay gives the same bits as the live stream.
//! [`Liveness`] is the one part that hears of wall time, and all it can do is ask for a control packet.
//!
//! ```
//! use std::sync::Arc;
//! use neuraflow_core::model::{Channel, Chunk, SamplingRate, Span, StreamHeader, StreamKey, Timestamp, Window};
//! use neuraflow_core::window::{
//!     Coverage, Filled, GapFiller, GapPolicy, Sequencer, SequencerConfig, WindowAssembler, WindowGrid,
//! };
//!
//! let rate = SamplingRate::hz(250)?;
//! let key = StreamKey::of_names("session", "headset");
//! let header = Arc::new(StreamHeader::new(key, "headset", rate, vec![Channel::new("Cz")]));
//! let grid = WindowGrid::new(header.t0, rate, Timestamp::EPOCH, Span::millis(50))?;
//! let mut sequencer = Sequencer::new(&header, grid, SequencerConfig::default());
//! let mut filler = GapFiller::new(GapPolicy::default(), rate, 1);
//! let (mut coverage, mut space) = (Coverage::default(), Chunk::default());
//! let mut assembler = WindowAssembler::new(header, grid, 0);
//! let mut counts = Vec::new();
//! sequencer.samples(0, &[1.0; 26], &mut |piece| {
//!     filler.piece(&piece, &mut space, &mut |filled| {
//!         if let Filled::Chunk { chunk, coverage: kind } = filled {
//!             coverage.push(chunk.first(), chunk.len() as u64, kind);
//!             let keep = |window: &Window| counts.push(window.samples.len());
//!             assembler.push(chunk, 0, 0, &mut (&coverage, keep));
//!         }
//!     });
//! });
//! assert_eq!(counts, [13, 12]); // 50 ms at 250 Hz; sample 25 waits for its window's end
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accounting;
mod assembler;
mod coverage;
mod epochs;
mod error;
mod gaps;
mod given_up;
mod grid;
mod liveness;
mod piece;
mod placement;
mod release;
mod reorder;
mod sequencer;
mod suspect;
mod walk;

pub use accounting::Accounting;
pub use assembler::{AssemblerState, Cut, WindowAssembler};
pub use coverage::{Counts, Coverage, CoverageKind};
pub use epochs::{EpochConfig, EpochCounts, EpochCutter, EpochState};
pub use error::WindowError;
pub use gaps::{Beyond, Filled, GapFiller, GapPolicy};
pub use grid::WindowGrid;
pub use liveness::{Liveness, Silence};
pub use piece::{GapExtent, Piece};
pub use sequencer::{Sequencer, SequencerConfig};
