//! What came of it: how far off, in which part of the track, and how late.

use std::error::Error;

use neuraflow::model::{Decision, Span, stable_hash};

use super::graph::{Decoded, Fitted};
use super::options::{Kind, Options, POSITION, file};
use super::score::median;
use super::shared::Budget;
use super::track::Frames;

/// A window that tests.
pub struct Tested {
    pub window: i64,
    /// Where it was at the time that the decision speaks of, and at the window's end, in pixels.
    pub truth: f64,
    pub now: f64,
    /// Where it was decided to be, and how sure that is; or none.
    pub decided: Option<(f64, f64)>,
}

pub struct Outcome {
    pub tested: Vec<Tested>,
    /// Windows that a decision shares spikes with, itself among them.
    pub shared: usize,
    pub length: f64,
    pub parts: usize,
    /// How much worse it is to always say the middle of training, in pixels.
    pub constant: f64,
    pub budget: Budget,
    pub windows: usize,
    /// Of every decision's bits.
    pub digest: u128,
}

impl Outcome {
    pub fn new(options: &Options, fitted: &Fitted, decoded: &Decoded) -> Result<Self, Box<dyn Error>> {
        let frames = Frames::read(&file(options.tested(), POSITION))?;
        let line = &fitted.line;
        let look_back = decoded.contract.look_back;
        let remembers = (1_000 / options.hop_ms) as usize;
        let shared = if options.decoder == Kind::Kalman { remembers.max(1) } else { fitted.model.windows() };
        // The first window that shares no spike with training.
        let first = if options.halves() { fitted.last + shared as i64 } else { i64::MIN };
        let tested = decoded.decisions.iter().filter_map(|decision| {
            let end = decision.info.end.as_secs_f64();
            // Bayes says where it was when the spikes came; the others were fitted to where it is in the newest window.
            let span = if options.decoder == Kind::Bayes { look_back } else { Span::millis(options.hop_ms) };
            let spoken_of = end - span.as_secs_f64() / 2.0;
            let runs = decision.info.index >= first && frames.speed(spoken_of)? > options.speed_above;
            runs.then_some(())?;
            Some(Tested {
                window: decision.info.index,
                truth: line.place(frames.at(spoken_of)?),
                now: line.place(frames.at(end)?),
                decided: decision.outcome.as_ref().ok().map(|(values, confidence)| (values[0], *confidence)),
            })
        });
        let tested: Vec<Tested> = tested.collect();
        if tested.is_empty() {
            let above = options.speed_above;
            return Err(format!("expected running faster than {above} px/s to test on, found none").into());
        }
        let constant = median(tested.iter().map(|tested| (tested.truth - fitted.median).abs()).collect());
        let windows = decoded.decisions.len();
        // The run's time for each decision, everything included.
        let compute = 1e3 * decoded.elapsed.as_secs_f64() / windows.max(1) as f64;
        let budget = Budget::new(options.hop_ms as f64, decoded.contract, compute);
        let digest = digest(&decoded.decisions);
        let (length, parts) = (line.length, usize::from(options.parts));
        Ok(Self { tested, shared, length, parts, constant, budget, windows, digest })
    }
}

/// Of every window's number and decision: the same however the recording comes in.
fn digest(decisions: &[Decision<Vec<f64>>]) -> u128 {
    let mut bytes = Vec::new();
    for decision in decisions {
        bytes.extend(decision.info.index.to_le_bytes());
        match &decision.outcome {
            Ok((values, confidence)) => {
                values
                    .iter()
                    .chain([confidence])
                    .for_each(|value| bytes.extend(value.to_bits().to_le_bytes()));
            }
            Err(reason) => bytes.extend(format!("{reason:?}").bytes()),
        }
    }
    stable_hash(&bytes)
}
