//! The door to Timely: a path of the graph that goes on with Timely's own operators.
//!
//! Everything up to the door is NeuraFlow's: exact windows, filters, features, one chain for each stream. Behind it is
//! a plain Timely stream, here regrouped over all streams to find, for each 50 ms, the headset with the strongest alpha.
//!
//! Run it with `cargo run --release --example raw_timely`.

use std::collections::BTreeMap;
use std::error::Error;

use neuraflow::dataflow::raw::timely::dataflow::channels::pact::Exchange;
use neuraflow::dataflow::raw::timely::dataflow::operators::Inspect;
use neuraflow::dataflow::raw::timely::dataflow::operators::generic::Operator as _;
use neuraflow::prelude::*;

const HEADSETS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let headsets = Synthetic::new(8, SamplingRate::hz(250)?).streams(HEADSETS).seed(11).until(Span::secs(2));
    let pipeline = Pipeline::from(headsets)
        .stage(|| Butterworth::bandpass(4, 1.0..40.0))
        .window(Tumbling::millis(50))
        .feature(|| BandPower::bands([("alpha", 8.0..13.0)]).over_millis(500))
        // Called once on each worker; it must build the same operators on each.
        .raw("strongest alpha", |features| {
            // Windows of one interval meet on one worker. The timestamp is a tick of arrival, never event time, so
            // they are joined by the window's index, not by Timely's time.
            let by_window = Exchange::new(|features: &Features| features.info.index as u64);
            features
                .unary(by_window, "strongest", |_, _| {
                    let mut open: BTreeMap<i64, Vec<(String, f64)>> = BTreeMap::new();
                    move |input, output| {
                        // `for_each` keeps the order of arrival; `for_each_stamp` would not.
                        input.for_each(|time, batch| {
                            let mut session = output.session(&time);
                            for features in batch.drain(..) {
                                let alpha = features.get("O1", "alpha").unwrap_or(f64::NAN);
                                let group = open.entry(features.info.index).or_default();
                                group.push((features.info.stream.name.clone(), alpha));
                                if group.len() == HEADSETS
                                    && let Some(mut group) = open.remove(&features.info.index)
                                {
                                    group.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
                                    session.give((features.info.end, group.swap_remove(0)));
                                }
                            }
                        });
                    }
                })
                .container::<Vec<_>>()
                .inspect(|(end, (name, alpha))| {
                    if alpha.is_finite() && end.as_nanos() % 500_000_000 == 0 {
                        println!("{end}: {name} with {alpha:.1} µV²");
                    }
                });
        })
        .build()?;
    let report = pipeline.spawn(Workers::new(2))?.join()?;
    println!("{} windows of {} streams", report.windows().total(), report.streams.len());
    Ok(())
}
