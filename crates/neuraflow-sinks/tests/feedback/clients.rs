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
fn a_socket_that_is_full_holds_nobody_up_and_little_memory() {
    const WINDOWS: i64 = 100_000;
    let site = Site::new(FeedbackConfig::default());
    site.settle();
    let mut unread = site.connect("");
    unread.next();
    // Far more than the system's buffers and the queue hold, as fast as it goes.
    let sink = site.session.signal("raw", 13);
    site.publish(&sink, (0..1_000).map(window));
    let before = resident();
    let mut most = before;
    for block in 1..WINDOWS / 1_000 {
        site.publish(&sink, (block * 1_000..(block + 1) * 1_000).map(window));
        most = most.max(resident());
    }
    // If they were kept, they would be more than 100 MiB. Other tests run in this process, but need less than this.
    let grown = (most - before) / 1024;
    assert!(grown < 32, "{grown} MiB more for a client that reads nothing");
    let mut other = site.connect("?kinds=features");
    other.next();
    site.features(7..8);
    assert_eq!(other.next()["time_ns"], 8 * HOP);
    until("the silent client is given up", || site.session.clients() == 1);
}

/// KiB of memory that this process has now.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
