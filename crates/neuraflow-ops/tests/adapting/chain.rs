//! All of it one behind the other, in the conformance kit.

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{Decision, Features, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowItem, WindowSpec};
use neuraflow_core::testing::Random;
use neuraflow_core::testing::conformance::{Check, window_operator};
use neuraflow_ops::decode::{Centre, Decoder, Evidence, Mdm, Recentre, Trials};
use neuraflow_ops::feature::Covariance;

use super::headset::info;

/// Covariances, recentred, decided, accumulated: as one operator on windows, which is what the kit takes.
struct Chain {
    feature: Covariance,
    recentre: Recentre,
    evidence: Evidence,
    prepared: Option<(Features, Features, Decoder, Decision<String>)>,
}

impl Chain {
    fn new(centre: Centre) -> Self {
        Self {
            feature: Covariance::oas().over_millis(400),
            recentre: Recentre::around(centre),
            evidence: Evidence::new(0.9, Span::secs(1)).weight(0.2).continuous(),
            prepared: None,
        }
    }
}

impl Operator for Chain {
    type In = Window;
    type Out = Decision<String>;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<[String]>, OperatorError> {
        let features = self.feature.prepare(spec)?;
        let recentred = self.recentre.prepare(&features)?;
        let mut trials = Trials::new(features.rows.iter().cloned(), spec.signal.rate, ["a", "b"]).unwrap();
        let (channels, mut random) = (features.rows.len(), Random::new(3));
        for n in 0..20 {
            let mut covariance = vec![0.0; channels * channels];
            for channel in 0..channels {
                covariance[channel * (channels + 1)] = 2.0 + (n % 2) as f64 + 0.5 * random.unit();
            }
            trials.push(n % 2, &covariance).unwrap();
        }
        let mut decoder = Mdm::new().fit(&trials).unwrap().decoder();
        let classes = decoder.prepare(&recentred)?;
        let classes = self.evidence.prepare(&classes)?;
        self.prepared = Some((
            Features::blank(info(), &features),
            Features::blank(info(), &recentred),
            decoder,
            Decision::blank(info(), &classes),
        ));
        Ok(classes)
    }

    fn process(&mut self, input: &Window, out: &mut Decision<String>) -> Result<(), OperatorError> {
        let (features, recentred, decoder, decision) = self.prepared.as_mut().unwrap();
        features.begin(&input.info);
        self.feature.process(input, features)?;
        recentred.begin(&input.info);
        self.recentre.process(features, recentred)?;
        decision.begin(&input.info);
        decoder.process(recentred, decision)?;
        self.evidence.process(decision, out)
    }

    fn reset(&mut self) {
        self.feature.reset();
        self.recentre.reset();
        self.evidence.reset();
        self.prepared.iter_mut().for_each(|(_, _, decoder, _)| decoder.reset());
    }

    fn latency(&self) -> Latency {
        self.feature.latency()
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.feature.snapshot(writer);
        self.recentre.snapshot(writer);
        self.evidence.snapshot(writer);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.feature.restore(reader)?;
        self.recentre.restore(reader)?;
        self.evidence.restore(reader)
    }
}

#[test]
fn they_conform() {
    for centre in [Centre::Riemann, Centre::Euclid] {
        let why =
            "a mean of all so far does not settle; that nothing missing enters it has a test of its own";
        let report = window_operator(|| Chain::new(centre)).without(Check::Gap, why).run();
        report.assert_ok();
        assert!(report.passed(Check::Snapshot) && report.passed(Check::Causality), "{report}");
    }
}
