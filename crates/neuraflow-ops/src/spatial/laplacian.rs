//! The surface Laplacian: each channel against its neighbours.

use neuraflow_core::model::{Channel, ChannelKind};
use neuraflow_core::operator::OperatorError;

use super::local::{LocalReferences, Referenced, local_operator};
use super::position::{angle, position};

/// The surface Laplacian by finite differences: each EEG channel less the weighted mean of its nearest neighbours, near ones
/// weighing more.
///
/// ```text
/// y[n][c] = x[n][c] − Σ w(c, k) x[n][k] / Σ w(c, k),    w = 1 / angle between c and k, over the nearest neighbours k
/// ```
///
/// It sharpens what lies under an electrode and takes out what reaches all of them, the reference included. Neighbours are
/// the four nearest EEG channels there are, by [`position`]; how many, [`neighbours`](Self::neighbours) says. At the rim of the
/// montage they lie to one side, and less is taken out. Input and output `[sample][channel]` in µV, with the same channels. A
/// missing value comes out as NaN in its own channel, and is left out of its neighbours' means: a
/// [`BadChannels`](super::BadChannels) ahead is all it takes. Channels of other kinds pass unchanged. No state, no latency.
///
/// Sources: B. Hjorth (1975), Electroencephalogr. Clin. Neurophysiol. 39:526–530; D. J. McFarland et al. (1997), ibid. 103:386–394.
///
/// # Errors
/// `prepare`: fewer than two EEG channels; an EEG channel that has no 10-20 name, or two at one place; no neighbour asked
/// for. `process`: another number of channels than prepared.
///
/// ```
/// use neuraflow_core::model::{Channel, SamplingRate};
/// use neuraflow_core::operator::{Missing, Operator, SignalSpec};
/// use neuraflow_ops::spatial::Laplacian;
/// let channels = ["Cz", "C3", "C4", "Fz", "Pz"].map(Channel::new).to_vec().into();
/// let mut laplacian = Laplacian::new();
/// laplacian.prepare(&SignalSpec { channels, rate: SamplingRate::hz(250)?, missing: Missing::Restart })?;
/// let sharpened = laplacian.apply(&[10.0, 4.0, 4.0, 8.0, 8.0])?;
/// assert!((sharpened[0] - 4.0_f64).abs() < 1e-12); // all four neighbours of Cz are equally near
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Laplacian {
    neighbours: usize,
    local: LocalReferences,
}

impl Default for Laplacian {
    fn default() -> Self {
        Self { neighbours: 4, local: LocalReferences::default() }
    }
}

impl Laplacian {
    /// Against the four nearest neighbours.
    pub fn new() -> Self {
        Self::default()
    }

    /// Against this many nearest neighbours, or as many as there are.
    #[must_use]
    pub fn neighbours(mut self, neighbours: usize) -> Self {
        self.neighbours = neighbours;
        self
    }

    fn plan(&self, channels: &[Channel]) -> Result<Vec<Referenced>, OperatorError> {
        let refused = |expected: &str, found: String| OperatorError::Spec {
            what: "Laplacian",
            expected: expected.to_owned(),
            found,
        };
        if self.neighbours == 0 {
            return Err(refused("at least one neighbour", "none".to_owned()));
        }
        let mut places = Vec::new();
        for (channel, one) in channels.iter().enumerate().filter(|(_, c)| c.kind() == ChannelKind::Eeg) {
            let place = position(one.name()).ok_or_else(|| {
                let expected = "a 10-20 name for every EEG channel; rename it, leave it out with Montage, or set its \
                                kind with Channel::with_kind";
                refused(expected, one.label().to_owned())
            })?;
            places.push((channel, place));
        }
        if places.len() < 2 {
            let found = format!("{} among {} channels", places.len(), channels.len());
            return Err(refused("at least two EEG channels with 10-20 names", found));
        }
        let mut outputs: Vec<Referenced> =
            (0..channels.len()).map(|channel| Referenced { channel, reference: Vec::new() }).collect();
        for (channel, own) in &places {
            let others = places.iter().filter(|(other, _)| other != channel);
            let mut near: Vec<(usize, f64)> =
                others.map(|(other, place)| (*other, angle(*own, *place))).collect();
            // A stable sort: of equally near ones the first in the layout.
            near.sort_by(|a, b| a.1.total_cmp(&b.1));
            if let Some((twin, _)) = near.first().filter(|(_, distance)| *distance < 1e-6) {
                let found = format!("{} and {}", channels[*channel].label(), channels[*twin].label());
                return Err(refused("one EEG channel at each place", found));
            }
            near.truncate(self.neighbours);
            outputs[*channel].reference =
                near.into_iter().map(|(other, distance)| (other, 1.0 / distance)).collect();
        }
        Ok(outputs)
    }
}

local_operator!(Laplacian);

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(neighbours: usize, names: &[&str]) -> Result<Vec<Referenced>, OperatorError> {
        let channels: Vec<Channel> = names.iter().copied().map(Channel::new).collect();
        Laplacian::new().neighbours(neighbours).plan(&channels)
    }

    #[test]
    fn neighbours_are_those_next_to_it() {
        let names =
            ["Fz", "FC1", "FCz", "FC2", "C1", "Cz", "C2", "CP1", "CPz", "CP2", "Pz", "C3", "C4", "Status"];
        let outputs = plan(4, &names).unwrap();
        let of = |name: &str| {
            let at = names.iter().position(|known| *known == name).unwrap();
            let mut found: Vec<&str> = outputs[at].reference.iter().map(|(k, _)| names[*k]).collect();
            found.sort_unstable();
            found
        };
        assert_eq!(of("Cz"), ["C1", "C2", "CPz", "FCz"]);
        assert_eq!(of("FCz"), ["Cz", "FC1", "FC2", "Fz"]);
        assert!(of("Status").is_empty());
    }

    /// The 64 channels of the EEG Motor Movement/Imagery recordings.
    const CAP: &str = "FC5 FC3 FC1 FCz FC2 FC4 FC6 C5 C3 C1 Cz C2 C4 C6 CP5 CP3 CP1 CPz CP2 CP4 CP6 Fp1 Fpz Fp2 AF7 AF3 AFz \
                       AF4 AF8 F7 F5 F3 F1 Fz F2 F4 F6 F8 FT7 FT8 T7 T8 T9 T10 TP7 TP8 P7 P5 P3 P1 Pz P2 P4 P6 P8 PO7 PO3 \
                       POz PO4 PO8 O1 Oz O2 Iz";

    #[test]
    fn on_a_cap_of_64_every_inner_channel_has_the_four_around_it() {
        let names: Vec<&str> = CAP.split(' ').collect();
        assert_eq!(names.len(), 64);
        let outputs = plan(4, &names).unwrap();
        for (channel, around) in [
            ("C3", ["C1", "C5", "CP3", "FC3"]),
            ("C4", ["C2", "C6", "CP4", "FC4"]),
            ("FC2", ["C2", "F2", "FC4", "FCz"]),
            ("CPz", ["CP1", "CP2", "Cz", "Pz"]),
            ("P1", ["CP1", "P3", "PO3", "Pz"]),
        ] {
            let at = names.iter().position(|name| *name == channel).unwrap();
            let mut found: Vec<&str> = outputs[at].reference.iter().map(|(k, _)| names[*k]).collect();
            found.sort_unstable();
            assert_eq!(found, around, "{channel}");
        }
    }

    #[test]
    fn a_missing_neighbour_is_left_out_of_the_mean() {
        let outputs = plan(4, &["Cz", "C3", "C4", "Fz", "Pz"]).unwrap();
        let local = LocalReferences::new(5, outputs);
        let out = local.apply(&[10.0, f64::NAN, 4.0, 4.0, 4.0]).unwrap();
        assert!((out[0] - 6.0).abs() < 1e-12 && out[1].is_nan() && out[2].is_finite());
        assert!(local.apply(&[10.0, f64::NAN, f64::NAN, f64::NAN, f64::NAN]).unwrap()[0].is_nan());
    }

    #[test]
    fn layouts_without_places_are_refused_by_name() {
        let refused = |names: &[&str]| plan(4, names).unwrap_err().to_string();
        assert!(refused(&["Cz", "EXG1"]).contains("EXG1"));
        assert!(refused(&["Cz", "Status"]).contains("1 among 2"));
        assert!(refused(&["Cz", "T3", "T7"]).contains("T3 and T7"));
    }
}
