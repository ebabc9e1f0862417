//! Evidence: decisions about a trial, added up until they are enough.

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{Decision, Marker, NoDecision, Span, Timestamp};
use neuraflow_core::operator::{Latency, Operator, OperatorError};
use serde::{Deserialize, Serialize};

/// Adds up what a decoder makes of each window of a trial, and decides as soon as it is sure: dynamic stopping.
///
/// ```text
/// ln p(class) = weight · Σ ln p(class | window) over the windows of the trial, normalised
/// it decides when the greatest p reaches the threshold, or at the deadline
/// ```
///
/// A decision names one class and its confidence c; the others share 1 − c equally, which for two classes is all there is
/// to know. This is Wald's test of one hypothesis against another, for several of them: A. Wald (1945), Ann. Math. Stat. 16(2):117–186;
/// C. W. Baum and V. V. Veeravalli (1994), IEEE Trans. Inf. Theory 40(6):1994–2007. For brain-computer interfaces: M. Schreuder et al.
/// (2013), J. Neural Eng. 10:036025.
///
/// Windows that share samples, as those of a look-back do, tell the same thing several times, and a share of correlation is no
/// probability: [`weight`](Self::weight) corrects both, and belongs with the threshold to what is chosen on recordings.
///
/// Input: decisions over windows. A trial begins at a marker; its first window is the first that begins at or after
/// it. Output: one decision a trial, with the trial's marker in its `info`, in the window in which it is made. All other windows have
/// [`Idle`](NoDecision::Idle) where no trial is on, else [`Undecided`](NoDecision::Undecided). A window without a
/// decision adds nothing, and its reason is passed on; after a [`Gap`](NoDecision::Gap) evidence begins anew, and the deadline stays. Where a
/// gap restarts the stream's operators, the trial is given up. State: one number for each class, and the marker.
///
/// # Errors
/// `prepare`: fewer than two classes; a threshold, weight, delay or deadline that makes no sense.
///
/// ```
/// use neuraflow_core::model::Span;
/// use neuraflow_ops::decode::Evidence;
/// // In a pipeline: .feature(Cca::new(…).over_millis(1_000)).decide(move || evidence.clone()).sink(…)
/// let evidence = Evidence::new(0.95, Span::secs(4)).after(Span::millis(1_500)).weight(0.05).at(["33025", "33026"]);
/// ```
#[derive(Clone, Debug)]
pub struct Evidence {
    threshold: f64,
    deadline: Span,
    after: Span,
    weight: f64,
    labels: Vec<String>,
    forced: bool,
    continuous: bool,
    classes: Arc<[String]>,
    trial: Option<Trial>,
}

/// A trial that is on.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Trial {
    began: Timestamp,
    marker: Option<Arc<Marker>>,
    /// For each class the logarithm of its probability, but for what all share.
    evidence: Vec<f64>,
    /// Windows that have added to it.
    windows: u64,
}

impl Evidence {
    /// Decides once a class is this probable, and at the latest in the window that ends `deadline` after the trial's beginning.
    pub fn new(threshold: f64, deadline: Span) -> Self {
        Self {
            threshold,
            deadline,
            after: Span::ZERO,
            weight: 1.0,
            labels: Vec::new(),
            forced: true,
            continuous: false,
            classes: Arc::new([]),
            trial: None,
        }
    }

    /// Counts windows only from this long after the trial's beginning on: what they look back over must lie within it.
    #[must_use]
    pub fn after(mut self, span: Span) -> Self {
        self.after = span;
        self
    }

    /// What the evidence of one window weighs (1 by default): for windows of 50 ms that look back over a second, about 0.05.
    #[must_use]
    pub fn weight(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    /// Trials begin only at markers with one of these labels; else at every marker.
    #[must_use]
    pub fn at(mut self, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.labels = labels.into_iter().map(Into::into).collect();
        self
    }

    /// At the deadline it does not decide for the most probable class, but leaves the trial undecided.
    #[must_use]
    pub fn or_nothing(mut self) -> Self {
        self.forced = false;
        self
    }

    /// Without markers: a trial begins with the first decision, and the next one when it is over.
    #[must_use]
    pub fn continuous(mut self) -> Self {
        self.continuous = true;
        self
    }

    fn begin(&self, began: Timestamp, marker: Option<Arc<Marker>>) -> Trial {
        Trial { began, marker, evidence: vec![0.0; self.classes.len()], windows: 0 }
    }

    /// Adds a window's decision.
    fn add(&self, trial: &mut Trial, class: &str, confidence: f64) {
        /// No window is certain: none could be outvoted by any number of others.
        const SURE: f64 = 1.0 - 1e-6;
        let Some(chosen) = self.classes.iter().position(|name| name == class) else { return };
        let others = self.classes.len().saturating_sub(1).max(1) as f64;
        let confidence = if confidence.is_finite() { confidence.clamp(1.0 - SURE, SURE) } else { return };
        let (own, other) = (libm::log(confidence), libm::log((1.0 - confidence) / others));
        for (number, sum) in trial.evidence.iter_mut().enumerate() {
            *sum += self.weight * if number == chosen { own } else { other };
        }
        trial.windows += 1;
    }

    fn refused(what: &'static str, expected: &str, found: String) -> OperatorError {
        OperatorError::Spec { what, expected: expected.to_owned(), found }
    }
}

impl Operator for Evidence {
    type In = Decision<String>;
    type Out = Decision<String>;

    fn prepare(&mut self, classes: &Arc<[String]>) -> Result<Arc<[String]>, OperatorError> {
        let refused = Self::refused;
        if classes.len() < 2 {
            return Err(refused("classes", "at least two to decide between", classes.len().to_string()));
        }
        let least = 1.0 / classes.len() as f64;
        if !(self.threshold > least && self.threshold < 1.0) {
            let expected = format!("a probability above chance, {least}, and below 1");
            return Err(refused("threshold of evidence", &expected, self.threshold.to_string()));
        }
        if !(self.weight > 0.0 && self.weight.is_finite()) {
            return Err(refused("weight of evidence", "a finite number above 0", self.weight.to_string()));
        }
        let millis = |span: Span| format!("{} ms", span.as_millis_f64());
        if self.after < Span::ZERO {
            return Err(refused("delay of evidence", "0 ms or more", millis(self.after)));
        }
        if self.deadline <= self.after {
            let expected = format!("more than the {} after which windows count", millis(self.after));
            return Err(refused("deadline of evidence", &expected, millis(self.deadline)));
        }
        self.classes = Arc::clone(classes);
        Ok(Arc::clone(classes))
    }

    fn process(&mut self, input: &Decision<String>, out: &mut Decision<String>) -> Result<(), OperatorError> {
        if self.continuous && self.trial.is_none() && input.outcome.is_ok() {
            self.trial = Some(self.begin(input.info.start, None));
        }
        let Some(mut trial) = self.trial.take() else {
            let reason = input.outcome.as_ref().err().filter(|_| self.continuous);
            out.outcome = Err(reason.copied().unwrap_or(NoDecision::Idle));
            return Ok(());
        };
        let age = input.info.end - trial.began;
        let mut reason = NoDecision::Undecided;
        if age >= self.after {
            match &input.outcome {
                Ok((class, confidence)) => self.add(&mut trial, class, *confidence),
                Err(none) => {
                    reason = *none;
                    if reason == NoDecision::Gap {
                        trial.evidence.fill(0.0);
                        trial.windows = 0;
                    }
                }
            }
        }
        let (class, confidence) = super::classifier::choose(&trial.evidence);
        let late = age >= self.deadline;
        if trial.windows > 0 && (confidence >= self.threshold || (late && self.forced)) {
            out.info.marker.clone_from(&trial.marker);
            out.outcome = Ok((self.classes[class].clone(), confidence));
            return Ok(());
        }
        out.outcome = Err(reason);
        if late {
            out.info.marker.clone_from(&trial.marker);
        } else {
            self.trial = Some(trial);
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.trial = None;
    }

    fn latency(&self) -> Latency {
        Latency::default()
    }

    fn minds_markers(&self) -> bool {
        !self.continuous
    }

    fn marker(&mut self, marker: &Marker) {
        if self.labels.is_empty() || self.labels.contains(&marker.label) {
            self.trial = Some(self.begin(marker.time, Some(Arc::new(marker.clone()))));
        }
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        writer.put(&self.trial);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let trial: Option<Trial> = reader.take()?;
        let found = trial.as_ref().map_or(self.classes.len(), |trial| trial.evidence.len());
        if found != self.classes.len() {
            let reason = format!("evidence of {} classes expected, found {found}", self.classes.len());
            return Err(RestoreError::Encoding { reason });
        }
        self.trial = trial;
        Ok(())
    }
}
