//! What the kit found: one outcome for each check on each spec.

use std::fmt;

/// One property that every operator has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Check {
    /// `prepare` takes the specs the caller named, and at least one of the default ones.
    Prepare,
    /// Cutting the same samples into other chunks does not change a bit of the output.
    ChunkInvariance,
    /// Missing values (NaN, infinities) stay where they are: the state survives them.
    Gap,
    /// After `reset` an instance is a fresh one.
    Reset,
    /// `restore` of a `snapshot` continues with the same bits; what does not fit or is damaged is an error.
    Snapshot,
    /// What comes later changes nothing earlier than the declared look-ahead.
    Causality,
    /// Two instances share nothing.
    Isolation,
    /// `finish` puts out what the look-ahead held, no more and no less.
    Finish,
    /// Input of another shape is refused with an error, and leaves the state alone.
    Shape,
    /// The declared latency is possible: nothing negative, maxima not below what they are maxima of.
    Latency,
    /// The declared group delay is the measured one.
    Delay,
}

impl Check {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::ChunkInvariance => "chunk invariance",
            Self::Gap => "gap",
            Self::Reset => "reset",
            Self::Snapshot => "snapshot",
            Self::Causality => "causality",
            Self::Isolation => "isolation",
            Self::Finish => "finish",
            Self::Shape => "shape",
            Self::Latency => "latency",
            Self::Delay => "delay",
        }
    }
}

/// The first value that is not what it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Sample of the stream, or position of the window in the run.
    pub position: u64,
    /// Channel of the sample, or number within the window's output.
    pub column: usize,
    /// What it should be, as text.
    pub expected: String,
    /// What it is, as text.
    pub found: String,
}

/// Why a check failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What was done, and what should have come of it.
    pub what: String,
    /// Where the output first differs, if it is a difference.
    pub difference: Option<Difference>,
}

impl Fault {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), difference: None }
    }

    /// The same fault, told with what was being done.
    pub(super) fn during(mut self, doing: impl fmt::Display) -> Self {
        self.what = format!("{doing}: {}", self.what);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.difference {
            None => Ok(()),
            Some(d) => write!(
                f,
                "; first at {} column {}: expected {}, found {}",
                d.position, d.column, d.expected, d.found
            ),
        }
    }
}

/// How one check on one spec went.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// As it should be.
    Passed,
    /// Not as it should be.
    Failed(Fault),
    /// Not run, and why.
    Skipped(String),
}

/// One check on one spec.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Which property.
    pub check: Check,
    /// The input's rate, channels and gap policy, for people.
    pub spec: String,
    /// How it went.
    pub verdict: Verdict,
}

/// Everything the kit found about one operator.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "call assert_ok(), or look at failures()"]
pub struct Report {
    /// The operator's type.
    pub operator: &'static str,
    /// The seed of the signals and cuts: the same seed repeats the same run.
    pub seed: u64,
    /// Every check on every spec, in the order they ran.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    pub(super) fn new(operator: &'static str, seed: u64) -> Self {
        Self { operator, seed, outcomes: Vec::new() }
    }

    pub(super) fn add(&mut self, check: Check, spec: &str, verdict: Verdict) {
        self.outcomes.push(Outcome { check, spec: spec.to_owned(), verdict });
    }

    /// The checks that failed, with the reason.
    pub fn failures(&self) -> impl Iterator<Item = (&Outcome, &Fault)> {
        self.outcomes.iter().filter_map(|outcome| match &outcome.verdict {
            Verdict::Failed(fault) => Some((outcome, fault)),
            _ => None,
        })
    }

    /// Whether `check` failed on any spec.
    pub fn failed(&self, check: Check) -> bool {
        self.failures().any(|(outcome, _)| outcome.check == check)
    }

    /// Whether `check` ran and passed on at least one spec.
    pub fn passed(&self, check: Check) -> bool {
        !self.failed(check) && self.outcomes.iter().any(|o| o.check == check && o.verdict == Verdict::Passed)
    }

    /// Panics with every failure if there is one.
    #[track_caller]
    #[allow(clippy::panic, reason = "the kit is for tests")]
    pub fn assert_ok(&self) {
        if self.failures().next().is_some() {
            panic!("{self}");
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count =
            |wanted: fn(&Verdict) -> bool| self.outcomes.iter().filter(|o| wanted(&o.verdict)).count();
        writeln!(
            f,
            "{} (seed {:#x}): {} passed, {} failed, {} skipped",
            self.operator,
            self.seed,
            count(|v| matches!(v, Verdict::Passed)),
            count(|v| matches!(v, Verdict::Failed(_))),
            count(|v| matches!(v, Verdict::Skipped(_)))
        )?;
        for outcome in &self.outcomes {
            match &outcome.verdict {
                Verdict::Passed => {}
                Verdict::Failed(fault) => {
                    writeln!(f, "  FAILED {} [{}]: {fault}", outcome.check.name(), outcome.spec)?;
                }
                Verdict::Skipped(why) => {
                    writeln!(f, "  skipped {} [{}]: {why}", outcome.check.name(), outcome.spec)?;
                }
            }
        }
        Ok(())
    }
}
