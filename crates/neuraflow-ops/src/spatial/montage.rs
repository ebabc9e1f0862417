//! Montages: which channels, in which order, against which reference.

use neuraflow_core::model::{Channel, ChannelKind};
use neuraflow_core::operator::OperatorError;

use super::local::{LocalReferences, Referenced, local_operator};
use super::position::find;

/// A referential montage: channels by name, in this order, and, if asked for, against the mean of reference channels.
///
/// ```text
/// y[n][c] = x[n][c] − mean over the valid references r of x[n][r]
/// ```
///
/// Names are labels exactly as recorded, or 10-20 names in any case; `T7` finds a channel that is still called `T3`. Output
/// `[sample][channel]` with the channels named and their own labels and units. Only EEG channels in the reference's unit are
/// re-referenced; others, such as a trigger, pass unchanged if they are named. A reference that is missing is left out of the
/// mean; without one the output is NaN. Linked mastoids are `.referenced_to(["M1", "M2"])`. For the average reference see
/// [`CommonAverage`](super::CommonAverage), for bipolar chains [`Bipolar`](super::Bipolar). No state, no latency.
///
/// Source: American Clinical Neurophysiology Society, Guideline 3: A Proposal for Standard Montages to Be Used in Clinical EEG
/// (2016).
///
/// # Errors
/// `prepare`: no channel; a channel named twice; a name that no channel has (the error lists those there are); a reference
/// that is no EEG channel, or references of different units. `process`: another number of channels than prepared.
///
/// ```
/// use neuraflow_core::model::{Channel, SamplingRate};
/// use neuraflow_core::operator::{Missing, Operator, SignalSpec};
/// use neuraflow_ops::spatial::Montage;
/// let channels = ["C3..", "C4..", "M1", "M2", "Status"].map(Channel::new).to_vec().into();
/// let mut montage = Montage::of(["C4", "C3"]).referenced_to(["M1", "M2"]);
/// let spec = SignalSpec { channels, rate: SamplingRate::hz(160)?, missing: Missing::Restart };
/// assert_eq!(montage.prepare(&spec)?.channels[0].label(), "C4..");
/// assert_eq!(montage.apply(&[10.0, 20.0, 2.0, 4.0, 7.0])?, [17.0, 7.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Montage {
    names: Vec<String>,
    references: Vec<String>,
    local: LocalReferences,
}

impl Montage {
    /// These channels, in this order, against the reference that they were recorded with.
    pub fn of<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self { names: names.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Against the mean of these channels.
    #[must_use]
    pub fn referenced_to<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.references = names.into_iter().map(Into::into).collect();
        self
    }

    fn plan(&self, channels: &[Channel]) -> Result<Vec<Referenced>, OperatorError> {
        let refused = |expected: &str, found: String| OperatorError::Spec {
            what: "montage",
            expected: expected.to_owned(),
            found,
        };
        if self.names.is_empty() {
            return Err(refused("at least one channel", "none".to_owned()));
        }
        let mut reference = Vec::new();
        for name in &self.references {
            let place = find(channels, name, "reference of the montage")?;
            let unit = channels[place].unit();
            let other = reference.first().map(|(first, _): &(usize, f64)| channels[*first].unit());
            if channels[place].kind() != ChannelKind::Eeg || other.is_some_and(|other| other != unit) {
                return Err(refused("references that are EEG channels of one unit", name.clone()));
            }
            reference.push((place, 1.0));
        }
        let mut outputs: Vec<Referenced> = Vec::new();
        for name in &self.names {
            let channel = find(channels, name, "channel of the montage")?;
            if outputs.iter().any(|output| output.channel == channel) {
                return Err(refused("each channel once", name.clone()));
            }
            let one = &channels[channel];
            let fits = reference.first().is_some_and(|(first, _)| channels[*first].unit() == one.unit());
            let is_referenced = one.kind() == ChannelKind::Eeg && fits;
            outputs.push(Referenced {
                channel,
                reference: if is_referenced { reference.clone() } else { Vec::new() },
            });
        }
        Ok(outputs)
    }
}

local_operator!(Montage);

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(montage: &Montage, names: &[&str]) -> Result<Vec<Referenced>, OperatorError> {
        let channels: Vec<Channel> = names.iter().copied().map(Channel::new).collect();
        montage.plan(&channels)
    }

    #[test]
    fn old_names_are_found_and_triggers_pass() {
        let outputs =
            plan(&Montage::of(["T7", "Status"]).referenced_to(["Cz"]), &["Status", "T3", "Cz"]).unwrap();
        assert_eq!(outputs.iter().map(|o| o.channel).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(outputs[0].reference, [(2, 1.0)]);
        assert!(outputs[1].reference.is_empty());
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        let refused = |montage: Montage| plan(&montage, &["Cz", "EOG left", "Pz"]).unwrap_err().to_string();
        assert!(refused(Montage::of(["Cz", "Oz"])).contains("one of Cz, EOG left, Pz"));
        assert!(refused(Montage::of(["Cz", "cz"])).contains("once"));
        assert!(refused(Montage::of(["Cz"]).referenced_to(["EOG left"])).contains("EEG channels"));
        assert!(refused(Montage::default()).contains("at least one"));
    }
}
