//! What every filter that is a designed cascade has: a precision, arrays, and the operator.

/// Gives a filter with a `stage`, a `checked_design(rate)` and `bands(sos, rate)` its precision, its array method and its
/// `Operator`. The first argument is how the examples make one; the filter must take 10 Hz at 250 Hz.
macro_rules! cascade {
    ($filter:ident, $example:literal) => {
        impl $filter {
            /// Computes in this precision; [`Precision::Double`](crate::kernel::Precision::Double) without it. Where the
            /// design is not stable in single precision, `prepare` and [`filter`](Self::filter) refuse it with
            /// [`OperatorError::Spec`](neuraflow_core::operator::OperatorError::Spec).
            ///
            /// ```
            /// use ndarray::Array2;
            #[doc = concat!("use neuraflow_ops::filter::", stringify!($filter), ";")]
            /// use neuraflow_ops::kernel::Precision;
            /// let constant = Array2::from_elem((100, 2), 10.0_f32); // µV
            #[doc = concat!("let single = ", $example, ".precision(Precision::Single);")]
            /// assert!(single.filter(&constant, 250.0)?.iter().all(|value| value.abs() <= 10.001));
            /// # Ok::<(), neuraflow_core::operator::OperatorError>(())
            /// ```
            #[must_use]
            pub fn precision(mut self, precision: crate::kernel::Precision) -> Self {
                self.stage.precision = precision;
                self
            }

            /// Filters a whole recording `[sample][channel]` in `f32` or `f64`, forward in time, all channels alike;
            /// unit and shape are kept. As a stage that starts with it: `scipy.signal.sosfilt` with `zi =
            /// sosfilt_zi(sos) · x[0]`, and a fresh start after missing values.
            ///
            /// # Errors
            /// [`OperatorError::Spec`](neuraflow_core::operator::OperatorError::Spec) for what `design` refuses, or the
            /// [`precision`](Self::precision).
            ///
            /// ```
            /// use ndarray::Array2;
            #[doc = concat!("use neuraflow_ops::filter::", stringify!($filter), ";")]
            /// let constant = Array2::from_elem((100, 2), 10.0_f64); // µV, and in the steady state from the first sample on
            #[doc = concat!("let filtered = ", $example, ".filter(&constant, 250.0)?;")]
            /// assert!(filtered.iter().all(|value| (value - filtered[(0, 0)]).abs() < 1e-9));
            /// # Ok::<(), neuraflow_core::operator::OperatorError>(())
            /// ```
            pub fn filter<T: crate::kernel::Value>(
                &self,
                signal: &ndarray::ArrayRef2<T>,
                sampling_rate: f64,
            ) -> Result<ndarray::Array2<T>, neuraflow_core::operator::OperatorError> {
                self.stage.filter_array(&self.checked_design(sampling_rate)?, signal)
            }
        }

        impl $filter {
            fn prepare_stage(
                &mut self,
                spec: &neuraflow_core::operator::SignalSpec,
            ) -> Result<(), neuraflow_core::operator::OperatorError> {
                let rate = spec.rate.as_hz();
                let sos = self.checked_design(rate)?;
                self.stage.prepare(&sos, &self.bands(&sos, rate), spec)
            }
        }

        super::stage::stage_operator!($filter, {
            fn memory(&self) -> std::ops::Range<*const u8> {
                self.stage.memory()
            }
        });
    };
}

/// Gives a filter with an order and a `response` its four constructors, whose other settings come between order and edges.
macro_rules! band_constructors {
    ($($setting:ident: $kind:ty),*) => {
        /// Passes what is below `hz`.
        pub fn lowpass(order: usize, $($setting: $kind,)* hz: f64) -> Self {
            Self::new(order, $($setting,)* Response::Lowpass(hz))
        }

        /// Passes what is above `hz`.
        pub fn highpass(order: usize, $($setting: $kind,)* hz: f64) -> Self {
            Self::new(order, $($setting,)* Response::Highpass(hz))
        }

        /// Passes what is between the two edges of `hz`.
        pub fn bandpass(order: usize, $($setting: $kind,)* hz: std::ops::Range<f64>) -> Self {
            Self::new(order, $($setting,)* Response::Bandpass(hz.start, hz.end))
        }

        /// Passes what is outside the two edges of `hz`.
        pub fn bandstop(order: usize, $($setting: $kind,)* hz: std::ops::Range<f64>) -> Self {
            Self::new(order, $($setting,)* Response::Bandstop(hz.start, hz.end))
        }
    };
}

pub(super) use {band_constructors, cascade};
