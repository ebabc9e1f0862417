//! Who is fitted to what: folds of the trials, each decoded by a decoder that has not seen it.

use std::error::Error;

use neuraflow::ops::decode::{Model, Trials, Xdawn, XdawnLda, XdawnTangent};
use neuraflow::prelude::Features;

use super::gathered::Gathered;
use super::options::{Method, Options};
use super::trial::{Place, truth};

/// Decoders, and which of them decides about a trial.
pub struct Plan {
    /// One for each fold.
    models: Vec<Model>,
    /// Fitted to all trials.
    whole: Model,
    /// The fold of each trial, by place; others are decided by the first decoder.
    folds: Vec<(Place, usize)>,
}

impl Plan {
    /// One decoder for all.
    pub fn given(model: Model) -> Self {
        Self { models: vec![model.clone()], whole: model, folds: Vec::new() }
    }

    /// One decoder, fitted to all these trials.
    pub fn fitted(options: &Options, gathered: Gathered) -> Result<Self, Box<dyn Error>> {
        let trials: Vec<Features> =
            gathered.usable(options, options.limit()).map(|(_, trial)| trial.clone()).collect();
        Ok(Self::given(fit(options, &trials)?))
    }

    /// A decoder for each fold of these trials, fitted to the others.
    pub fn folds(options: &Options, gathered: Gathered) -> Result<Self, Box<dyn Error>> {
        let (places, trials): (Vec<Place>, Vec<&Features>) =
            gathered.usable(options, options.limit()).unzip();
        let labels: Vec<usize> = trials.iter().filter_map(|trial| truth(&trial.info, options)).collect();
        let count = usize::from(options.folds);
        for (class, (label, name)) in options.classes.iter().enumerate() {
            let found = labels.iter().filter(|of| **of == class).count();
            if found < count {
                let what =
                    format!("expected at least {count} trials of {name} (marker {label}), one for each fold");
                return Err(format!("{what}, found {found}; take fewer folds, or record more").into());
            }
        }
        let folds = stratified(&labels, options.classes.len(), count);
        let but = |fold: usize| -> Vec<Features> {
            let others = trials.iter().zip(&folds).filter(|(_, of)| **of != fold);
            others.map(|(trial, _)| (*trial).clone()).collect()
        };
        let models = (0..count).map(|fold| fit(options, &but(fold))).collect::<Result<_, _>>()?;
        let whole = fit(options, &but(count))?;
        Ok(Self { models, whole, folds: places.into_iter().zip(folds).collect() })
    }

    pub fn models(&self) -> &[Model] {
        &self.models
    }

    pub fn count(&self) -> usize {
        self.models.len()
    }

    pub fn whole(&self) -> &Model {
        &self.whole
    }

    /// Whose decoder decides about a trial.
    pub fn fold(&self, place: Place) -> usize {
        self.folds.iter().find(|(of, _)| *of == place).map_or(0, |(_, fold)| *fold)
    }
}

/// Fits the decoder that was asked for.
fn fit(options: &Options, trials: &[Features]) -> Result<Model, Box<dyn Error>> {
    let mut trials = Trials::of(trials, options.classes.iter().cloned())?.band(options.bandpass.clone());
    if let Some(limit) = options.limit() {
        trials = trials.reject_above(limit)?;
    }
    let xdawn = Xdawn::oas(options.filters);
    Ok(match options.decoder {
        Method::Tangent => XdawnTangent::new(xdawn).fit(&trials)?,
        Method::Lda => XdawnLda::new(xdawn).means_of(options.means_of).shrunk().fit(&trials)?,
    })
}

/// The fold of each trial: as many trials of a class in each as can be, in their order, none shuffled
/// (`sklearn.model_selection.StratifiedKFold`).
fn stratified(labels: &[usize], classes: usize, folds: usize) -> Vec<usize> {
    // Classes in the order in which they come first.
    let first = |class: &usize| labels.iter().position(|label| label == class).unwrap_or(labels.len());
    let mut order: Vec<usize> = (0..classes).collect();
    order.sort_by_key(first);
    let mut of = vec![0; labels.len()];
    let mut before = 0;
    for class in order {
        let members: Vec<usize> = (0..labels.len()).filter(|at| labels[*at] == class).collect();
        // Were all trials sorted by class and dealt like cards, a fold would get so many of this one.
        let share = |fold: usize| (before..before + members.len()).filter(|at| at % folds == fold).count();
        let dealt = (0..folds).flat_map(|fold| std::iter::repeat_n(fold, share(fold)));
        for (at, fold) in members.iter().zip(dealt) {
            of[*at] = fold;
        }
        before += members.len();
    }
    of
}
