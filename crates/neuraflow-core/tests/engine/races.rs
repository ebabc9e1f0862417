//! Stops and wake-ups, again and again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use neuraflow_core::dataflow::{Pipeline, Tumbling, Workers};
use neuraflow_core::ingest::Ingest;
use neuraflow_core::model::{StreamHeader, Window};
use neuraflow_core::sink::{Overflow, Placement};
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader, Waker};

use super::hostile::in_time;
use super::parts::{Keep, header};

/// A source that another thread feeds one sample at a time: it is idle until it is woken.
#[derive(Clone)]
struct Fed {
    fed: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    waker: Arc<(Mutex<Option<Waker>>, Condvar)>,
}

impl Source for Fed {
    fn name(&self) -> String {
        "fed".into()
    }
    fn streams(&self) -> Vec<StreamHeader> {
        Vec::new()
    }
    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        if context.worker + 1 != context.workers {
            return Ok(None);
        }
        *self.waker.0.lock().unwrap() = Some(context.waker);
        self.waker.1.notify_all();
        Ok(Some(Box::new(FedReader { source: self.clone(), taken: 0 })))
    }
}
struct FedReader {
    source: Fed,
    taken: u64,
}
impl SourceReader for FedReader {
    fn poll(&mut self, out: &mut Ingest, _: usize) -> Result<Polled, SourceError> {
        let header = header("fed", 1_000, 1);
        let slot = match out.slot(&header.key) {
            Some(slot) => slot,
            None => out.open(header),
        };
        let over = self.source.over.load(Ordering::SeqCst);
        let fed = self.source.fed.load(Ordering::SeqCst);
        while self.taken < fed {
            out.samples(slot, self.taken, &[1.0]);
            self.taken += 1;
        }
        Ok(if over { Polled::Ended } else { Polled::Idle })
    }
}

#[test]
fn no_wake_is_ever_lost() {
    in_time("wakes", || {
        for round in 0..200u64 {
            let source = Fed { fed: Arc::default(), over: Arc::default(), waker: Arc::default() };
            let (mut sink, kept) = Keep::<Window>::new();
            if round % 2 == 0 {
                sink.placement = Placement::Thread { capacity: 1, overflow: Overflow::Block };
            }
            let graph = Pipeline::from(source.clone()).window(Tumbling::millis(1)).sink(sink);
            let running = graph.build().unwrap().spawn(Workers::new(1 + (round as usize) % 3)).unwrap();
            let waker = {
                let mut w = source.waker.0.lock().unwrap();
                while w.is_none() {
                    w = source.waker.1.wait(w).unwrap();
                }
                w.clone().unwrap()
            };
            for n in 1..=50 {
                source.fed.store(n, Ordering::SeqCst);
                waker.wake();
                if n % 10 == round % 10 {
                    // wait for it to have gone through
                    while running.progress().samples_in < n {
                        std::thread::yield_now();
                    }
                }
            }
            match round % 4 {
                0 => {
                    source.over.store(true, Ordering::SeqCst);
                    waker.wake();
                }
                1 => running.stop(),
                2 => {
                    drop(running);
                    continue;
                }
                _ => {
                    let s = running.stopper();
                    s.stop();
                    s.stop();
                    source.over.store(true, Ordering::SeqCst);
                    waker.wake();
                }
            }
            let report = running.join().unwrap();
            assert!(report.balances());
            assert_eq!(report.windows().total() as usize, kept.lock().unwrap().len());
        }
    });
}

#[test]
fn starts_and_stops_at_once() {
    in_time("start and stop", || {
        for round in 0..200usize {
            let source =
                Fed { fed: Arc::new(AtomicU64::new(5)), over: Arc::default(), waker: Arc::default() };
            let (mut sink, _) = Keep::<Window>::new();
            sink.placement = Placement::Thread { capacity: 1, overflow: Overflow::Block };
            let running = Pipeline::from(source)
                .window(Tumbling::millis(1))
                .sink(sink)
                .build()
                .unwrap()
                .spawn(Workers::new(1 + round % 4))
                .unwrap();
            running.stop();
            assert!(running.join().unwrap().balances());
        }
    });
}
