//! How evenly writes spread over tablets.
//!
//! The model: a table of many tablets, each with an equal share of the range of keys, as pre-split tables and tables that have long balanced
//! by size have them. At any moment a number of sessions are being recorded, each with its streams, and every stream writes one row a
//! second. A tablet's load is the rows it is sent in that second. What is not modelled: that Bigtable also splits tablets by load, which only evens it out more.

use neuraflow_core::model::{Id, Timestamp};
use neuraflow_core::testing::Random;
use neuraflow_sinks::table::RowKey;

use super::kit::*;

const SESSIONS: usize = 10_000;
const TABLETS: u64 = 300;

/// The busiest tablet's load by the mean; `streams` tells how many streams the session of a number has.
fn skew(second: i64, ids: impl Fn(usize) -> (Id, Id), streams: impl Fn(usize) -> usize) -> f64 {
    let mut load = vec![0u64; TABLETS as usize];
    for n in 0..SESSIONS {
        let (tenant, session) = ids(n);
        for signal in 0..streams(n) {
            let mut stream = key(0, "", "headset").with_signal(signal as u16);
            (stream.tenant, stream.session) = (tenant, session);
            let key = RowKey::of_time(stream, Timestamp::from_nanos(second * SECOND)).to_bytes();
            let place = u64::from_be_bytes(key[..8].try_into().unwrap());
            load[((u128::from(place) * u128::from(TABLETS)) >> 64) as usize] += 1;
        }
    }
    let busiest = *load.iter().max().unwrap() as f64;
    busiest * TABLETS as f64 / load.iter().sum::<u64>() as f64
}

#[test]
fn ten_thousand_sessions_spread_over_three_hundred_tablets() {
    let seed = 7;
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let uuids: Vec<u128> =
        (0..SESSIONS).map(|_| (u128::from(random.next()) << 64) | u128::from(random.next())).collect();
    let name = |n: usize| Id::of_name(&format!("session {n}"));
    let one = |_| 1;
    // Whatever ids hosts use: names, random numbers, numbers in sequence, a tenant for each or one for all.
    let named = skew(1_000, |n| (Id::default(), name(n)), one);
    let random_ids = skew(1_000, |n| (Id::from_u128(1), Id::from_u128(uuids[n])), one);
    let counted = skew(1_000, |n| (Id::from_u128(1), Id::from_u128(n as u128)), one);
    let tenants = skew(1_000, |n| (Id::from_u128((n / 20) as u128), Id::from_u128((n % 20) as u128)), one);
    // And where some sessions have several streams.
    let mixed = skew(1_000, |n| (Id::default(), name(n)), |n| 1 + n % 4);
    println!(
        "busiest ÷ mean of {TABLETS} tablets, {SESSIONS} sessions: names {named:.2}, random ids {random_ids:.2}, \
         numbers {counted:.2}, tenants {tenants:.2}, 1 to 4 streams each {mixed:.2}"
    );
    for skew in [named, random_ids, counted, tenants, mixed] {
        assert!((1.0..=2.0).contains(&skew), "{skew}");
    }
    // It is the same at any time: load does not wander through the table as a key that begins with time would let it.
    assert_eq!(skew(2_000_000_000, |n| (Id::default(), name(n)), one), named);
}
