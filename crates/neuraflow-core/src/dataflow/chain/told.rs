//! What an operator on windows is told beside the data, and waits for its time.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Step;
use crate::dataflow::items::ControlError;
use crate::model::{Control, Marker, Timestamp};
use crate::operator::Operator;

/// Controls that may wait, of each operator. They may be large.
const CONTROLS: usize = 64;
/// Markers that may wait.
const MARKERS: usize = 4_096;

/// Something that an operator is told, and when.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Told {
    Marker(Arc<Marker>),
    Control(Arc<Control>),
}

impl Told {
    fn time(&self) -> Timestamp {
        match self {
            Self::Marker(marker) => marker.time,
            Self::Control(control) => control.at,
        }
    }
}

/// Markers and controls that wait for the first window that begins at or after their time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::dataflow) struct Waiting {
    /// By time, then in the order in which they came.
    told: Vec<Told>,
}

impl Waiting {
    /// Whether an operator is ever told anything.
    pub(super) fn is_for(operator: &impl Operator) -> bool {
        operator.minds_markers() || operator.listens_to().is_some()
    }

    /// Keeps a marker, if the operator minds any.
    pub(super) fn marker(&mut self, operator: &impl Operator, marker: &Arc<Marker>, step: &mut Step<'_>) {
        if !operator.minds_markers() {
            return;
        }
        if self.told.len() - self.controls() >= MARKERS {
            *step.refused_inputs += 1;
        } else {
            self.keep(Told::Marker(Arc::clone(marker)));
        }
    }

    /// Keeps a control, if the operator listens to its name.
    pub(super) fn control(
        &mut self,
        operator: &impl Operator,
        stage: &Arc<str>,
        control: &Arc<Control>,
        step: &mut Step<'_>,
    ) {
        if operator.listens_to() != Some(&*control.target) {
            return;
        }
        step.work.listeners += 1;
        if self.controls() >= CONTROLS {
            let error = ControlError::TooMany { limit: CONTROLS };
            step.controlled(control, Some(stage), Err(error));
        } else {
            self.keep(Told::Control(Arc::clone(control)));
        }
    }

    /// Tells the operator what lies before a window that begins at `start`.
    pub(super) fn tell(
        &mut self,
        operator: &mut impl Operator,
        stage: &Arc<str>,
        start: Timestamp,
        step: &mut Step<'_>,
    ) {
        while self.told.first().is_some_and(|told| told.time() <= start) {
            match self.told.remove(0) {
                Told::Marker(marker) => operator.marker(&marker),
                Told::Control(control) => {
                    let outcome = operator.control(&control.payload);
                    let outcome = outcome.map(|()| start).map_err(ControlError::from);
                    step.controlled(&control, Some(stage), outcome);
                }
            }
        }
    }

    /// The stream is over: what still waits is never told.
    pub(super) fn end(&mut self, stage: &Arc<str>, step: &mut Step<'_>) {
        for told in std::mem::take(&mut self.told) {
            if let Told::Control(control) = told {
                step.controlled(&control, Some(stage), Err(ControlError::Ended));
            }
        }
    }

    fn keep(&mut self, told: Told) {
        let at = self.told.partition_point(|other| other.time() <= told.time());
        self.told.insert(at, told);
    }

    fn controls(&self) -> usize {
        self.told.iter().filter(|told| matches!(told, Told::Control(_))).count()
    }
}
