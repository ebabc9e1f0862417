//! What came of it: how well targets are told from others, right and wrong decisions, and how late they are.

use neuraflow::model::Decision;

use super::folds::Plan;
use super::options::Options;
use super::paradigm::Decoded;
use super::roc::Auc;
use super::shared::{Budget, Confusion, wilson};
use super::trial::truth;

pub struct Trial {
    pub truth: usize,
    /// A class and the probability of a target, or in lower case why there is none.
    pub decided: Result<(usize, f64), String>,
    fold: usize,
}

pub struct Outcome {
    pub classes: Vec<String>,
    pub trials: Vec<Trial>,
    /// One for each fold.
    pub folds: Vec<Auc>,
    pub budget: Budget,
}

impl Outcome {
    pub fn new(options: &Options, plan: &Plan, decoded: &Decoded) -> Self {
        let Decoded { decisions, report, contract, .. } = decoded;
        let classes: Vec<String> = plan.whole().classes().to_vec();
        let outcome = |decision: &Decision<String>| match &decision.outcome {
            Ok((name, confidence)) => match classes.iter().position(|class| class == name) {
                Some(0) => Ok((0, 1.0 - confidence)),
                Some(class) => Ok((class, *confidence)),
                None => Err("unknown".to_owned()),
            },
            Err(reason) => Err(format!("{reason:?}").to_lowercase()),
        };
        let trial = |(place, decision): &(_, Decision<String>)| {
            let truth = truth(&decision.info, options)?;
            Some(Trial { truth, decided: outcome(decision), fold: plan.fold(*place) })
        };
        let trials: Vec<Trial> = decisions.iter().filter_map(trial).collect();
        let area = |fold: usize| {
            let scores = |wanted: usize| -> Vec<f64> {
                let of = trials.iter().filter(|trial| trial.fold == fold && trial.truth == wanted);
                of.filter_map(|trial| Some(trial.decided.as_ref().ok()?.1)).collect()
            };
            Auc::of(&scores(1), &scores(0))
        };
        let folds = (0..plan.count()).filter_map(area).collect();
        // The sinks of decisions stand last in the graph.
        let slowest =
            report.sinks.iter().rev().take(plan.count()).filter_map(|sink| sink.latency.max()).max();
        let compute = slowest.unwrap_or(0) as f64 / 1e6;
        let wait = 1e3 * f64::from(options.packet) / plan.whole().rate().as_hz();
        Self { classes, trials, folds, budget: Budget::new(wait, *contract, compute) }
    }

    pub fn correct(&self) -> usize {
        let right = |trial: &&Trial| trial.decided.as_ref().is_ok_and(|(class, _)| *class == trial.truth);
        self.trials.iter().filter(right).count()
    }

    pub fn interval(&self) -> [f64; 2] {
        let n = self.trials.len() as f64;
        wilson(self.correct() as f64 / n, n)
    }

    /// The mean of the folds' areas.
    pub fn auc(&self) -> Option<Auc> {
        Auc::mean(&self.folds)
    }

    /// How many of a class were decided about.
    pub fn decided(&self, class: usize) -> usize {
        self.trials.iter().filter(|trial| trial.truth == class && trial.decided.is_ok()).count()
    }

    /// How often a class was decided as which, or why not.
    pub fn confusion(&self) -> Confusion {
        Confusion::of(&self.classes, &[], self.trials.iter().map(|trial| (trial.truth, self.label(trial))))
    }

    pub fn label(&self, trial: &Trial) -> String {
        trial.decided.as_ref().map_or_else(Clone::clone, |(class, _)| self.classes[*class].clone())
    }
}
