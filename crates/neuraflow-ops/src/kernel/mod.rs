//! Kernels: slices in, slices out. They know nothing of streams, windows or pipelines.
//!
//! A kernel is designed once, where it may refuse and allocate; processing allocates nothing. Computing is in `f64`
//! unless [`Precision::Single`] is asked for, in a fixed order, without fused multiply-add and without std's transcendental functions, so that one
//! input gives the same bits on every processor. The reference is SciPy 1.17, to 1e-12 of the greatest output.

#[cfg(feature = "linalg")]
pub mod cca;
#[cfg(feature = "linalg")]
pub mod linalg;
pub mod stats;

mod analytic;
mod band;
mod cell;
mod complex;
mod design;
mod dft;
mod dft_power;
mod elliptic;
mod error;
mod fft;
mod fir;
mod history;
mod pairing;
mod prototype;
mod sections;
mod simd;
mod slepian;
mod solve;
mod sos;
mod spectrum;
mod transform;
mod value;
mod window;

pub(crate) use analytic::Analytic;
pub use band::Band;
pub(crate) use cell::{DOUBLES, SINGLES};
pub use design::{MAX_ORDER, Response, butterworth, chebyshev1, chebyshev2, elliptic, notch};
pub use dft::RealDft;
pub(crate) use dft::SideBySide;
pub use dft_power::DftPower;
pub use error::{DesignError, KernelError};
pub use fir::{MAX_TAPS, firwin, minimum_phase};
pub(crate) use fir::{group_delay_at, hilbert, kaiser, power_at, windowed_sinc};
pub(crate) use history::{Histories, HistoriesState, dot};
pub use num_complex::Complex64;
pub use sections::Sos;
pub(crate) use slepian::{Slepian, slepians};
pub(crate) use solve::solve_positive;
pub use sos::{Missing, Precision, SosFilter, SosState};
pub use spectrum::{Detrend, Psd};
pub(crate) use spectrum::{PsdLanes, SegmentPlan};
pub use value::{Value, gather_channel};
pub use window::Window;
