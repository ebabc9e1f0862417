//! Many clients, among them one that never reads and one that talks nonsense.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use neuraflow_sinks::feedback::{FeedbackConfig, Kind, Subscription};

use crate::kit::*;

#[test]
fn one_that_never_reads_and_one_that_talks_nonsense_among_fifty_good_ones() {
    let site = Site::new(FeedbackConfig::default());
    site.settle();
    let mut unread = site.connect("");
    unread.next();
    let connected = Instant::now();
    let mut garbage = site.connect("");
    garbage.next();
    let done = Arc::new(AtomicBool::new(false));
    let good: Vec<_> = (0..50)
        .map(|_| {
            let mut client = site.connect("?kinds=features");
            client.next();
            let done = Arc::clone(&done);
            std::thread::spawn(move || {
                let (mut seen, mut skipped) = (Vec::new(), 0);
                while !done.load(Ordering::SeqCst) || seen.is_empty() {
                    let message = client.any();
                    skipped += message["skipped"].as_u64().unwrap();
                    if message["kind"] == "features" {
                        seen.push(message["time_ns"].as_i64().unwrap() / HOP);
                    }
                }
                (seen, skipped)
            })
        })
        .collect();
    until("all are there", || site.session.clients() == 52);
    garbage.say("BRAINS");
    assert_eq!(garbage.closed().0, 1008);

    // Publishes in step with one reader, so that nobody has an excuse, until the silent one is gone.
    let mut pace = site.feedback.subscribe("s", Subscription::all().kinds([Kind::Features])).unwrap();
    pace.recv();
    let mut published = 0;
    while site.session.clients() > 50 {
        published += 1;
        site.features(published..published + 1);
        pace.recv().unwrap();
        assert!(connected.elapsed() < PATIENCE, "the silent client is still there");
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    let after = connected.elapsed();
    println!("the silent client was given up after {after:?}, {published} windows");
    assert!(after >= std::time::Duration::from_millis(1_700), "it had two seconds, not {after:?}");
    done.store(true, Ordering::SeqCst);
    for client in good {
        let (seen, skipped) = client.join().unwrap();
        assert!(seen.len() as i64 >= published - 20, "{} of {published}", seen.len());
        assert_eq!((skipped, seen.windows(2).all(|pair| pair[1] == pair[0] + 1)), (0, true));
    }
    let (code, reason) = unread.closed();
    assert_eq!((code, reason.as_str()), (4002, "too slow: nothing was taken for 2 s"));
    drop((unread, garbage));
    until("nobody is left", || site.session.clients() == 0 && site.feedback.clients() == 0);
}

#[test]
fn a_socket_that_is_full_holds_nobody_up() {
    let site = Site::new(FeedbackConfig::default());
    site.settle();
    let mut unread = site.connect("");
    unread.next();
    // Far more than the system's buffers hold, as fast as it goes.
    let sink = site.session.signal("raw", 13);
    for index in 0..20_000 {
        site.publish(&sink, [window(index)]);
    }
    let mut other = site.connect("?kinds=features");
    other.next();
    site.features(7..8);
    assert_eq!(other.next()["time_ns"], 8 * HOP);
    until("the silent client is given up", || site.session.clients() == 1);
}
