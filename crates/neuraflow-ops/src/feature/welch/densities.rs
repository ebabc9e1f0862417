//! The densities of every row, in either precision: several rows side by side where there are many.

use super::LookBack;
use crate::kernel::{DOUBLES, Precision, PsdLanes, SINGLES, SegmentPlan, SideBySide, Value};

/// With fewer rows the memory for lanes would be more than that of the look-back.
const ROWS_FOR_LANES: usize = 16;

/// The plan of a density, and the memory to compute it.
pub(in super::super) enum Densities {
    Double(Rows<f64, DOUBLES>),
    Single(Rows<f32, SINGLES>),
}

impl Densities {
    pub(super) fn new(plan: SegmentPlan, precision: Precision) -> Self {
        match precision {
            Precision::Double => Self::Double(Rows::new(plan)),
            Precision::Single => Self::Single(Rows::new(plan)),
        }
    }

    /// Gives the density of each row of a full look-back to `each`.
    pub(super) fn of_rows(&mut self, look_back: &LookBack, rows: usize, each: impl FnMut(usize, &[f64])) {
        match self {
            Self::Double(densities) => densities.of_rows(look_back, rows, each),
            Self::Single(densities) => densities.of_rows(look_back, rows, each),
        }
    }

    /// The density of one row.
    pub(super) fn of(&mut self, samples: &[f64]) -> &[f64] {
        match self {
            Self::Double(densities) => densities.of(samples),
            Self::Single(densities) => densities.of(samples),
        }
    }
}

/// As many rows at once as there are lanes, and one at a time what is left over.
pub(in super::super) struct Rows<S: Value, const W: usize> {
    plan: SegmentPlan,
    one: PsdLanes<S, 1>,
    row: Vec<S>,
    density: Vec<f64>,
    lanes: Option<Lanes<S, W>>,
}

impl<S: SideBySide<W> + SideBySide<1>, const W: usize> Rows<S, W> {
    fn new(plan: SegmentPlan) -> Self {
        let (one, density) = (PsdLanes::new(&plan), vec![0.0; plan.bins()]);
        Self { plan, one, row: Vec::new(), density, lanes: None }
    }

    fn of<T: Value>(&mut self, samples: &[T]) -> &[f64] {
        self.one.process(&self.plan, samples.as_chunks().0, self.density.as_chunks_mut().0);
        &self.density
    }

    fn of_rows(&mut self, look_back: &LookBack, rows: usize, mut each: impl FnMut(usize, &[f64])) {
        let Self { plan, one, row: samples, density, lanes } = self;
        let mut side_by_side = 0;
        if rows >= ROWS_FOR_LANES {
            let lanes = lanes.get_or_insert_with(|| Lanes::new(plan));
            while side_by_side + W <= rows && lanes.rows(side_by_side, look_back, samples, plan) {
                for lane in 0..W {
                    for (value, bin) in density.iter_mut().zip(&lanes.density) {
                        *value = bin[lane];
                    }
                    each(side_by_side + lane, density);
                }
                side_by_side += W;
            }
        }
        for row in side_by_side..rows {
            let samples = look_back.copy(row, samples);
            one.process(plan, samples.as_chunks().0, density.as_chunks_mut().0);
            each(row, density);
        }
    }
}

/// The memory to compute several rows side by side.
struct Lanes<S: Value, const W: usize> {
    psd: PsdLanes<S, W>,
    samples: Vec<[S; W]>,
    density: Vec<[f64; W]>,
}

impl<S: SideBySide<W>, const W: usize> Lanes<S, W> {
    fn new(plan: &SegmentPlan) -> Self {
        Self { psd: PsdLanes::new(plan), samples: Vec::new(), density: vec![[0.0; W]; plan.bins()] }
    }

    /// Computes the rows from `first` on, with room for the samples of one. False where a value is missing.
    fn rows(&mut self, first: usize, look_back: &LookBack, row: &mut Vec<S>, plan: &SegmentPlan) -> bool {
        for lane in 0..W {
            let values = look_back.copy(first + lane, row);
            self.samples.resize(values.len(), [S::ZERO; W]);
            for (wide, value) in self.samples.iter_mut().zip(values) {
                wide[lane] = *value;
            }
        }
        self.psd.process(plan, &self.samples, &mut self.density).is_some()
    }
}
