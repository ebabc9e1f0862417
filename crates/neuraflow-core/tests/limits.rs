//! Budget and concurrency: a hundred thousand random lives, against what they promise.

use neuraflow_core::resilience::{Budget, Concurrency};
use neuraflow_core::testing::Random;

const LIVES: u64 = 100_000;

#[test]
fn retries_are_never_more_than_their_share_and_the_reserve() {
    for seed in 0..LIVES {
        let mut random = Random::new(seed);
        let (percent, reserve) = (random.below(101) as u32, random.below(20) as u32);
        let mut budget = Budget::new(percent, reserve);
        // Hundredths, as the definition has it: earned, never above the reserve, a hundred for each retry.
        let mut expected = u64::from(reserve) * 100;
        for step in 0..50 {
            if random.below(3) > 0 {
                budget.earn();
                expected = (expected + u64::from(percent)).min(u64::from(reserve) * 100);
            } else {
                let may = expected >= 100;
                assert_eq!(budget.spend(), may, "seed {seed}, step {step}, {percent} %, reserve {reserve}");
                expected -= if may { 100 } else { 0 };
            }
        }
    }
}

#[test]
fn a_limit_stays_between_one_and_the_most_and_moves_by_the_rule() {
    for seed in 0..LIVES {
        let mut random = Random::new(seed);
        let most = random.below(70);
        let mut limit = Concurrency::new(most);
        for step in 0..50 {
            let before = limit.now();
            let grows = random.below(4) > 0;
            if grows {
                limit.grow()
            } else {
                limit.shrink()
            }
            let expected = if grows { (before + 1).min(most.max(1)) } else { (before / 2).max(1) };
            assert_eq!(limit.now(), expected, "seed {seed}, step {step}, most {most}");
        }
    }
}
