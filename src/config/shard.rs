//! Which of several agents watches a target.

use sha1::{Digest, Sha1};

/// One of several agents that share the targets of one config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Its number, from 0.
    pub index: u32,
    /// How many there are.
    pub shards: u32,
}

impl Shard {
    /// Whether it is this one that watches a target.
    pub fn watches(self, target: &str) -> bool {
        shard_of(target, self.shards) == self.index
    }
}

/// The shard that watches a target, by its name alone: the one that draws the highest number for it (rendezvous
/// hashing; Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", IEEE/ACM Transactions on
/// Networking 6(1), 1998). A further shard takes its part from all others, and nothing moves between those.
pub fn shard_of(target: &str, shards: u32) -> u32 {
    (0..shards).max_by_key(|shard| weight(target, *shard)).unwrap_or_default()
}

/// The same on every machine and in every version: agents must agree on it, also while they are replaced one by one.
fn weight(target: &str, shard: u32) -> u64 {
    let digest = Sha1::new().chain_update(shard.to_be_bytes()).chain_update(target).finalize();
    digest.iter().take(8).fold(0, |weight, byte| weight << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_mapping_is_the_same_for_ever() {
        let of =
            |shards| ["chat", "ticker", "game", "edge-1", "edge-2"].map(|target| shard_of(target, shards));
        assert_eq!(of(1), [0; 5]);
        assert_eq!(of(3), [1, 0, 2, 2, 0]);
        assert_eq!(of(7), [1, 0, 4, 6, 5]);
    }

    #[test]
    fn shards_have_about_as_much_to_do() {
        for shards in [2, 5_u32] {
            let mut counts = vec![0_u32; shards as usize];
            (0..1_500).for_each(|n| counts[shard_of(&format!("target-{n}"), shards) as usize] += 1);
            let fair = f64::from(1_500 / shards);
            assert!(counts.iter().all(|count| (f64::from(*count) / fair - 1.0).abs() < 0.15), "{counts:?}");
        }
    }

    #[test]
    fn a_further_shard_takes_its_part_and_no_more() {
        for shards in [1, 2, 5_u32] {
            let moved = (0..1_500).filter(|n| {
                let target = format!("target-{n}");
                shard_of(&target, shards) != shard_of(&target, shards + 1)
            });
            let part = moved.count() as f64 * f64::from(shards + 1) / 1_500.0;
            assert!((0.85..1.15).contains(&part), "{shards}: {part}");
        }
    }

    proptest! {
        #[test]
        fn a_target_is_on_exactly_one_shard(target in "[a-z0-9-]{1,63}", shards in 1_u32..=9) {
            let watching = (0..shards).filter(|index| Shard { index: *index, shards }.watches(&target));
            prop_assert_eq!(watching.count(), 1);
        }

        #[test]
        fn what_moves_moves_to_the_new_shard(target in "[a-z0-9-]{1,63}", shards in 1_u32..=9) {
            let (before, after) = (shard_of(&target, shards), shard_of(&target, shards + 1));
            prop_assert!(after == before || after == shards);
        }
    }
}
