//! A share of a source: what a source of your own does by reading only its partitions.

use neuraflow::prelude::*;
use neuraflow::source::{SourceContext, SourceError, SourceReader};

use super::PROCESSES;

/// One process's share of a source's streams: every so many-th, as if the workers of all processes were one pipeline's.
pub struct Share {
    pub source: Synthetic,
    pub process: usize,
}

impl Source for Share {
    fn name(&self) -> String {
        self.source.name()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        Source::streams(&self.source).into_iter().skip(self.process).step_by(PROCESSES).collect()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        let worker = context.worker * PROCESSES + self.process;
        self.source.open(SourceContext { worker, workers: context.workers * PROCESSES, ..context })
    }
}
