//! The breaker against a model that forgets nothing: it keeps every call and works each state out anew from all of them.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers outside #[test]

use std::time::Duration;

use neuraflow_core::resilience::{Backoff, Breaker, BreakerConfig, BreakerState, Jitter, Outcome, Permit};
use neuraflow_core::testing::Random;

const MS: u64 = 1_000_000;

/// What the model knows of a call: when it was let through, and when what came of it.
#[derive(Clone, Copy, Debug)]
struct Told {
    admitted: usize,
    outcome: Outcome,
    at: u64,
}

/// One thing that happened, in the order in which it happened.
#[derive(Clone, Copy, Debug)]
enum Event {
    Admitted(u64),
    Told(Told),
}

/// What the state must be after these events, from the definition. `opened_for` has how long it was open each time.
fn state(config: &BreakerConfig, events: &[Event], opened_for: &[u64]) -> (BreakerState, u64, usize) {
    let (mut state, mut since, mut openings, mut until) = (BreakerState::Closed, 0, 0, 0);
    for n in 0..events.len() {
        match events[n] {
            Event::Admitted(at) => {
                if state == BreakerState::Open && at >= until {
                    (state, since) = (BreakerState::HalfOpen, n);
                }
            }
            Event::Told(told) if told.admitted >= since => {
                // Calls that were let through and told of since the state began.
                let calls: Vec<Told> = events[since..=n]
                    .iter()
                    .filter_map(|event| match event {
                        Event::Told(told) if told.admitted >= since => Some(*told),
                        _ => None,
                    })
                    .filter(|told| told.outcome != Outcome::Misuse)
                    .collect();
                let failed = |told: &&Told| told.outcome == Outcome::Failure;
                let good =
                    |told: &&Told| matches!(told.outcome, Outcome::Success(t) if t <= config.slow_after);
                let opens = match state {
                    BreakerState::Open => false,
                    BreakerState::HalfOpen if calls.iter().filter(good).count() >= config.trials as usize => {
                        (state, since) = (BreakerState::Closed, n + 1);
                        false
                    }
                    BreakerState::HalfOpen => calls.iter().any(|told| !good(&told)),
                    BreakerState::Closed if told.outcome == Outcome::Misuse => false,
                    BreakerState::Closed => {
                        let row = calls.iter().rev().take_while(failed).count();
                        let young =
                            |told: &&Told| told.at + config.age.as_nanos() as u64 >= events_at(events[n]);
                        let last = &calls[calls.len().saturating_sub(config.window)..];
                        let last: Vec<&Told> = last.iter().filter(young).collect();
                        let share =
                            |bad: usize, percent: u8| bad > 0 && bad * 100 >= last.len() * percent as usize;
                        let failures = last.iter().filter(|told| failed(told)).count();
                        let bad = last.iter().filter(|told| !good(told)).count();
                        row >= config.in_a_row.max(1) as usize
                            || last.len() >= config.minimum
                                && (share(failures, config.failed_percent) || share(bad, config.slow_percent))
                    }
                };
                if opens {
                    until = told.at + opened_for.get(openings).copied().unwrap_or(0);
                    (state, since, openings) = (BreakerState::Open, n + 1, openings + 1);
                }
            }
            Event::Told(_) => {}
        }
    }
    (state, until, openings)
}

fn events_at(event: Event) -> u64 {
    match event {
        Event::Admitted(at) => at,
        Event::Told(told) => told.at,
    }
}

/// One random life of a breaker.
fn trace(seed: u64) {
    let mut random = Random::new(seed);
    let config = BreakerConfig {
        window: 1 + random.below(12),
        age: Duration::from_nanos((10 + random.below(200) as u64) * MS),
        minimum: 1 + random.below(8),
        failed_percent: [20, 50, 100][random.below(3)],
        slow_after: Duration::from_millis(5),
        slow_percent: [40, 80, 100][random.below(3)],
        in_a_row: random.below(6) as u32,
        open: Backoff::new(Duration::from_millis(20), Duration::from_millis(100)),
        trials: 1 + random.below(3) as u32,
    };
    let (mut breaker, mut out) = (Breaker::new(config, Jitter::new(seed)), Vec::<(Permit, usize)>::new());
    let (mut events, mut opened_for, mut now, mut sick) = (Vec::new(), Vec::new(), 0, 40);
    let mut in_a_row = 0;
    for _ in 0..40 {
        now += random.below(12) as u64 * MS;
        if random.chance(5) {
            sick = [0, 10, 50, 95][random.below(4)];
        }
        let before = state(&config, &events, &opened_for);
        if out.is_empty() || random.chance(55) {
            let trials_out =
                out.iter().filter(|(_, admitted)| is_trial(&config, &events, &opened_for, *admitted)).count();
            match breaker.admit(now) {
                Ok(permit) => {
                    assert!(
                        before.0 != BreakerState::Open || now >= before.1,
                        "seed {seed}: let through while open"
                    );
                    out.push((permit, events.len()));
                    events.push(Event::Admitted(now));
                }
                Err(wait) => match before.0 {
                    BreakerState::Open => assert_eq!(wait.as_nanos() as u64, before.1 - now, "seed {seed}"),
                    BreakerState::HalfOpen => {
                        assert!(
                            wait.is_zero() && trials_out > 0,
                            "seed {seed}: nobody is out and nobody may try"
                        );
                    }
                    BreakerState::Closed => panic!("seed {seed}: refused while closed"),
                },
            }
        } else {
            let (permit, admitted) = out.swap_remove(random.below(out.len()));
            let outcome = match random.below(100) {
                n if n < sick => Outcome::Failure,
                n if n < sick + 10 => Outcome::Success(Duration::from_millis(6)),
                n if n < sick + 20 => Outcome::Misuse,
                _ => Outcome::Success(Duration::from_millis(5)),
            };
            let openings = breaker.transitions().opened;
            breaker.done(permit, outcome, now);
            events.push(Event::Told(Told { admitted, outcome, at: now }));
            if breaker.transitions().opened > openings {
                // The wait is asked of a breaker that is open: it does not change by that.
                let wait = breaker.admit(now).unwrap_err();
                let longest = config.open.wait(in_a_row);
                assert!(
                    wait <= longest && wait >= longest / 2,
                    "seed {seed}: open for {wait:?} of {longest:?}"
                );
                opened_for.push(wait.as_nanos() as u64);
                in_a_row += 1;
            } else if breaker.state() == BreakerState::Closed {
                in_a_row = 0;
            }
        }
        let expected = state(&config, &events, &opened_for);
        assert_eq!(breaker.state(), expected.0, "seed {seed}, after {:?}", events.last());
        assert_eq!(breaker.transitions().opened as usize, expected.2, "seed {seed}");
    }
}

/// Whether a call was let through as a trial of the half-open state that is on.
fn is_trial(config: &BreakerConfig, events: &[Event], opened_for: &[u64], admitted: usize) -> bool {
    let here = |events: &[Event]| state(config, events, opened_for);
    let now = here(events);
    now.0 == BreakerState::HalfOpen && here(&events[..=admitted]) == now
}

#[test]
fn a_hundred_thousand_lives_are_as_the_definition_says() {
    (0..100_000).for_each(trace);
}

#[test]
fn a_call_from_before_says_nothing_about_a_peer_that_is_back() {
    let mut breaker = Breaker::new(BreakerConfig::default(), Jitter::new(1));
    let late = breaker.admit(0).unwrap();
    for _ in 0..5 {
        let permit = breaker.admit(0).unwrap();
        breaker.done(permit, Outcome::Failure, 0);
    }
    let later = 2_000 * MS;
    let trial = breaker.admit(later).unwrap();
    breaker.done(late, Outcome::Failure, later);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    breaker.done(trial, Outcome::Success(Duration::ZERO), later);
    assert_eq!(breaker.state(), BreakerState::HalfOpen, "three must succeed");
}
