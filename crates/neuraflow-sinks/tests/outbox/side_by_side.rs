//! Several writes at the same time.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use neuraflow_core::model::Features;
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_core::testing::Scratch;
use neuraflow_sinks::layer::{Outbox, OutboxConfig};

use crate::{hurried, row_of};

const STREAMS: i64 = 32;

/// A sink whose writes last until as many are under way as are awaited, or for a moment.
#[derive(Clone, Debug, Default)]
struct Crowd(Arc<(Mutex<Inside>, Condvar)>);

#[derive(Debug, Default)]
struct Inside {
    awaited: usize,
    under_way: usize,
    most: usize,
    /// What came of each stream, in order.
    came: BTreeMap<i64, Vec<i64>>,
}

impl Sink for Crowd {
    type Item = Features;
    type Writer = Self;

    fn name(&self) -> String {
        "crowd".into()
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }

    fn open(&self, _: &SinkContext) -> Result<Self, SinkError> {
        Ok(self.clone())
    }
}

impl SinkWriter for Crowd {
    type Item = Features;

    fn write(&mut self, items: &mut Vec<Features>) -> Result<(), SinkError> {
        let (inside, changed) = &*self.0;
        let mut inside = inside.lock().unwrap();
        inside.under_way += 1;
        inside.most = inside.most.max(inside.under_way);
        changed.notify_all();
        // Until the crowd is together, once. It is not before as many are let through.
        let awaited = |inside: &mut Inside| inside.most < inside.awaited;
        inside = changed.wait_timeout_while(inside, Duration::from_millis(100), awaited).unwrap().0;
        for item in items.drain(..) {
            inside.came.entry(item.info.index % STREAMS).or_default().push(item.info.index);
        }
        inside.under_way -= 1;
        Ok(())
    }
}

fn run(concurrency: usize, awaited: usize) -> (usize, BTreeMap<i64, Vec<i64>>) {
    let (scratch, crowd) = (Scratch::new().unwrap(), Crowd::default());
    crowd.0.0.lock().unwrap().awaited = awaited;
    let config = OutboxConfig { concurrency, max_bytes: 1 << 30, ..hurried() };
    let outbox = Outbox::new(crowd.clone(), scratch.file("outbox"), config).unwrap();
    let (watch, mut writer) = (outbox.watch(), outbox.open(&SinkContext::default()).unwrap());
    writer.write(&mut (0..3_000).map(|index| row_of(index, STREAMS)).collect()).unwrap();
    writer.finish().unwrap();
    assert_eq!((watch.stats().handed_on, watch.stats().failures), (3_000, 0));
    let mut inside = crowd.0.0.lock().unwrap();
    (inside.most, std::mem::take(&mut inside.came))
}

#[test]
fn as_many_writes_as_are_allowed_are_under_way_and_each_stream_is_in_order() {
    for (concurrency, most) in [(1, 1), (3, 3)] {
        let (found, came) = run(concurrency, most);
        assert_eq!(found, most);
        assert_eq!(came.len(), STREAMS as usize);
        for (stream, came) in came {
            let expected: Vec<i64> = (stream..3_000).step_by(STREAMS as usize).collect();
            assert_eq!(came, expected, "stream {stream}");
        }
    }
}
