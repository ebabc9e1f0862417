//! Trials: what a decoder is fitted to.

use std::ops::Range;
use std::sync::Arc;

use neuraflow_core::model::{Features, SamplingRate};

use super::layout::{Layout, peak_to_peak};
use super::{Centre, FitError};
use crate::kernel::linalg::TangentSpace;

/// Covariances of epochs, or epochs themselves, each with the class it belongs to.
///
/// They come out of the very pipeline that will decode, up to and including its
/// [`Covariance`](crate::feature::Covariance) or [`Samples`](crate::feature::Samples); a class is what follows a marker of one label.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::decode::{Mdm, Trials};
///
/// // Without a pipeline: covariances of two channels, C3 and C4. From one: Trials::of(&features, classes).
/// let mut trials = Trials::new(["C3", "C4"], SamplingRate::hz(160)?, ["left", "right"])?.band(8.0..30.0);
/// trials.push(0, &[1.0, 0.1, 0.1, 3.0])?;
/// trials.push(1, &[3.0, 0.1, 0.1, 1.0])?;
/// let model = Mdm::new().fit(&trials)?;
/// assert_eq!(model.decide(&[1.2, 0.0, 0.0, 2.5])?.0, "left");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trials {
    pub(super) montage: Arc<[String]>,
    pub(super) rate: SamplingRate,
    pub(super) band: Option<(f64, f64)>,
    pub(super) classes: Arc<[String]>,
    pub(super) layout: Layout,
    /// The greatest difference between two values of a channel, beyond which an epoch is an artifact.
    pub(super) limit: Option<f64>,
    /// `[trial]`, and in it `[channel][column]`.
    pub(super) values: Vec<Vec<f64>>,
    /// The class of each trial.
    pub(super) labels: Vec<usize>,
}

impl Trials {
    /// No trials yet: covariances of these channels, at this rate, of these classes.
    ///
    /// # Errors
    /// [`FitError::Classes`] for fewer than two classes or more than 1,024, [`FitError::Setting`] for no channel or more than
    /// 1,024, or a name that two classes have.
    pub fn new<C: Into<String>, N: Into<String>>(
        channels: impl IntoIterator<Item = C>,
        rate: SamplingRate,
        classes: impl IntoIterator<Item = N>,
    ) -> Result<Self, FitError> {
        const MOST: usize = 1_024;
        let montage: Arc<[String]> = channels.into_iter().map(Into::into).collect();
        let classes: Arc<[String]> = classes.into_iter().map(Into::into).collect();
        if classes.len() < 2 {
            let expected = "at least two to decide between; name each class with its marker's label";
            return Err(FitError::Classes { expected, found: classes.len() });
        }
        if classes.len() > MOST {
            return Err(FitError::Classes { expected: "at most 1,024", found: classes.len() });
        }
        let twice = classes.iter().enumerate().find(|(at, name)| classes[..*at].contains(name));
        if let Some((_, name)) = twice {
            let (expected, found) = ("a name of its own for each".to_owned(), format!("two named {name}"));
            return Err(FitError::Setting { setting: "classes", expected, found });
        }
        if !(1..=MOST).contains(&montage.len()) {
            let (expected, found) = ("from 1 to 1,024".to_owned(), montage.len().to_string());
            return Err(FitError::Setting { setting: "channels", expected, found });
        }
        let (values, labels) = (Vec::new(), Vec::new());
        Ok(Self {
            montage,
            rate,
            band: None,
            classes,
            layout: Layout::Covariance,
            limit: None,
            values,
            labels,
        })
    }

    /// No trials yet: epochs of so many samples of these channels, at this rate, of these classes.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`FitError::Setting`] for no sample.
    pub fn epochs<C: Into<String>, N: Into<String>>(
        channels: impl IntoIterator<Item = C>,
        samples: usize,
        rate: SamplingRate,
        classes: impl IntoIterator<Item = N>,
    ) -> Result<Self, FitError> {
        if samples == 0 {
            let (setting, expected) = ("samples of an epoch", "1 or more".to_owned());
            return Err(FitError::Setting { setting, expected, found: "0".to_owned() });
        }
        Ok(Self { layout: Layout::Samples(samples), ..Self::new(channels, rate, classes)? })
    }

    /// No trials yet: covariances of these channels in each of these bands in Hz, at this rate, of these classes.
    ///
    /// # Errors
    /// As [`new`](Self::new), of all channels in all bands; [`FitError::Setting`] for no band.
    pub fn bands<C: Into<String>, N: Into<String>>(
        channels: impl IntoIterator<Item = C>,
        bands: impl IntoIterator<Item = Range<f64>>,
        rate: SamplingRate,
        classes: impl IntoIterator<Item = N>,
    ) -> Result<Self, FitError> {
        let bands: Vec<Range<f64>> = bands.into_iter().collect();
        if bands.is_empty() {
            let (setting, expected) = ("bands", "1 or more".to_owned());
            return Err(FitError::Setting { setting, expected, found: "0".to_owned() });
        }
        let channels: Vec<String> = channels.into_iter().map(Into::into).collect();
        let of_band = |band: &Range<f64>| {
            channels.iter().map(|name| format!("{}-{} Hz {name}", band.start, band.end)).collect()
        };
        let rows: Vec<Vec<String>> = bands.iter().map(of_band).collect();
        Ok(Self {
            layout: Layout::Bands(bands.len()),
            ..Self::new(rows.into_iter().flatten(), rate, classes)?
        })
    }

    /// The trials that a pipeline put out, as covariances or samples of epochs. `classes` are pairs of a marker's label and the name of
    /// the class that it begins a trial of.
    ///
    /// Their order is that of streams and markers, whatever order they are given in.
    ///
    /// # Errors
    /// No trial at all, or what [`new`](Self::new) and [`push`](Self::push) refuse; a trial at a marker of no class.
    pub fn of<L: Into<String>, N: Into<String>>(
        features: &[Features],
        classes: impl IntoIterator<Item = (L, N)>,
    ) -> Result<Self, FitError> {
        let (markers, names): (Vec<String>, Vec<String>) =
            classes.into_iter().map(|(label, name)| (label.into(), name.into())).unzip();
        let Some(first) = features.first() else {
            return Err(FitError::TooFewTrials { class: "all classes".to_owned(), needed: 1, found: 0 });
        };
        let mut trials = Self::new(first.spec.rows.iter().cloned(), first.info.stream.rate, names)?;
        trials.layout = Layout::of(&first.spec).unwrap_or(Layout::Covariance);
        let mut sorted: Vec<&Features> = features.iter().collect();
        sorted.sort_by_key(|trial| (trial.info.stream.key, trial.info.index));
        for (at, trial) in sorted.into_iter().enumerate() {
            let differs = |what, expected: String, found: String| {
                Err(FitError::Layout { trial: at, what, expected, found })
            };
            if Layout::of(&trial.spec) != Some(trials.layout) {
                return differs("layout", trials.layout.name(), trial.spec.unit.clone());
            }
            if trial.spec.rows != trials.montage {
                return differs("montage", trials.montage.join(" "), trial.spec.rows.join(" "));
            }
            if trial.info.stream.rate != trials.rate {
                return differs("sampling rate", trials.rate.to_string(), trial.info.stream.rate.to_string());
            }
            let label = trial.info.marker.as_ref().map(|marker| marker.label.as_str());
            match markers.iter().position(|known| Some(known.as_str()) == label) {
                Some(class) => trials.push(class, &trial.values)?,
                None => {
                    let found = label.unwrap_or("a window that is no epoch").to_owned();
                    return Err(FitError::Label { trial: at, expected: markers.join(", "), found });
                }
            }
        }
        Ok(trials)
    }

    /// One more trial: the number of its class and its covariance `[channel][channel]`, or, one after the other, its
    /// covariances in all bands, or its samples `[channel][sample]`.
    ///
    /// # Errors
    /// A class that there is not, another number of values, [`FitError::Missing`] where one is not finite.
    pub fn push(&mut self, class: usize, values: &[f64]) -> Result<(), FitError> {
        let (trial, channels) = (self.labels.len(), self.montage.len());
        let Some(name) = self.classes.get(class) else {
            let expected = format!("0 to {}", self.classes.len() - 1);
            return Err(FitError::Label { trial, expected, found: format!("class {class}") });
        };
        let columns = self.layout.columns(channels);
        if values.len() != channels * columns {
            return Err(FitError::Layout {
                trial,
                what: "number of values",
                expected: format!("{channels} × {columns}"),
                found: values.len().to_string(),
            });
        }
        if values.iter().any(|value| !value.is_finite()) {
            return Err(FitError::Missing { trial, class: name.clone() });
        }
        self.values.push(values.to_vec());
        self.labels.push(class);
        Ok(())
    }

    /// The same trials recentred around their mean, which is given too: fit to them where a [`Recentre`](super::Recentre) stands
    /// ahead of the decoder. Trials of several sessions are recentred each around their own mean.
    ///
    /// # Errors
    /// No trial, a singular covariance; [`FitError::Layout`] for trials that are no covariances.
    pub fn recentred(&self, centre: Centre) -> Result<(Self, Vec<f64>), FitError> {
        let mean =
            centre.of(self.covariances()?).map_err(FitError::numbers("mean covariance of all trials"))?;
        let space = TangentSpace::at(&mean).map_err(FitError::numbers("mean covariance of all trials"))?;
        let mut trials = self.clone();
        for (trial, covariance) in trials.values.iter_mut().enumerate() {
            *covariance = space
                .recentred(covariance)
                .map_err(FitError::numbers(format!("covariance of trial {trial}")))?;
        }
        Ok((trials, mean))
    }

    /// The band in hertz that the signals were filtered to; kept in the model, for people.
    #[must_use]
    pub fn band(mut self, hz: Range<f64>) -> Self {
        self.band = Some((hz.start, hz.end));
        self
    }

    /// Leaves out epochs in which two values of a channel are further apart than this many µV, and has the model leave them
    /// undecided: [`NoDecision::Artifact`](neuraflow_core::model::NoDecision::Artifact). Say it when all trials are in.
    ///
    /// # Errors
    /// [`FitError::Setting`] for a limit that is not above 0; [`FitError::Layout`] for covariances, in which nothing of it is left.
    pub fn reject_above(mut self, microvolts: f64) -> Result<Self, FitError> {
        let samples = self.samples()?;
        if !(microvolts > 0.0 && microvolts.is_finite()) {
            let (setting, expected) = ("peak-to-peak limit", "a finite number of µV above 0".to_owned());
            return Err(FitError::Setting { setting, expected, found: microvolts.to_string() });
        }
        self.limit = Some(microvolts);
        let all = std::mem::take(&mut self.values).into_iter().zip(std::mem::take(&mut self.labels));
        (self.values, self.labels) =
            all.filter(|(epoch, _)| peak_to_peak(epoch, samples) <= microvolts).unzip();
        Ok(self)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Names of the classes, in the order in which they were given.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The class of each trial.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// They are covariances.
    pub(super) fn covariances(&self) -> Result<&[Vec<f64>], FitError> {
        match self.layout {
            Layout::Covariance => Ok(&self.values),
            other => Err(other.refused("covariances, from feature::Covariance")),
        }
    }

    /// They are covariances in so many bands.
    pub(super) fn by_band(&self) -> Result<usize, FitError> {
        match self.layout {
            Layout::Bands(bands) => Ok(bands),
            other => Err(other.refused("covariances by band, from feature::Covariance::by_band")),
        }
    }

    /// They are epochs of so many samples.
    pub(super) fn samples(&self) -> Result<usize, FitError> {
        match self.layout {
            Layout::Samples(samples) => Ok(samples),
            other => Err(other.refused("epochs, from feature::Samples")),
        }
    }

    /// The trials of one class.
    pub(super) fn of_class(&self, class: usize) -> Vec<&[f64]> {
        let of = self.values.iter().zip(&self.labels).filter(|(_, label)| **label == class);
        of.map(|(values, _)| values.as_slice()).collect()
    }

    /// The mean of the trials of one class, number by number.
    pub(super) fn mean(&self, class: usize) -> Vec<f64> {
        let of = self.of_class(class);
        let mut sums = vec![0.0; of.first().map_or(0, |first| first.len())];
        for trial in &of {
            sums.iter_mut().zip(*trial).for_each(|(sum, value)| *sum += value);
        }
        sums.iter_mut().for_each(|sum| *sum /= of.len() as f64);
        sums
    }

    /// Every class has at least so many trials.
    pub(super) fn at_least(&self, needed: usize) -> Result<(), FitError> {
        for (class, name) in self.classes.iter().enumerate() {
            let found = self.labels.iter().filter(|label| **label == class).count();
            if found < needed {
                return Err(FitError::TooFewTrials { class: name.clone(), needed, found });
            }
        }
        Ok(())
    }

    /// There are two classes, and no more.
    pub(super) fn two_classes(&self) -> Result<(), FitError> {
        match self.classes.len() {
            2 => Ok(()),
            found => {
                Err(FitError::Classes { expected: "two; for more use minimum distance to mean (Mdm)", found })
            }
        }
    }
}
