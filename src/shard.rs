//! Which of several daemons looks after a service.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// More daemons than this side by side are a mistake in writing.
const MOST: u32 = 1000;

/// One of a number of equal parts of all services, written `index/count` and counted from 0, as the
/// pods of a StatefulSet are: `0/3`, `1/3`, `2/3`.
///
/// A service belongs to the part whose hash with its name is the greatest (rendezvous hashing), so
/// one more part takes its services from all others alike and moves none between those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// All services: `0/1`.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Whether the service belongs to this part. Of all parts with the same count exactly one says
    /// so, today and in every later version of this program.
    pub fn owns(self, service: &str) -> bool {
        let best = (0..self.count).max_by_key(|index| (score(*index, service), *index));
        best == Some(self.index)
    }

    /// Whether the objects of `platform/` belong to this part: to the first one.
    pub fn owns_platform(self) -> bool {
        self.index == 0
    }

    /// True when there are no other parts.
    pub fn is_whole(self) -> bool {
        self.count == 1
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!("expected INDEX/COUNT, such as 0/3, with an INDEX below COUNT, at most {MOST}")
        };
        let (index, count) = text.split_once('/').ok_or_else(expected)?;
        let number = |text: &str| text.parse::<u32>().map_err(|_| expected());
        let (index, count) = (number(index)?, number(count)?);
        if index < count && count <= MOST { Ok(Self { index, count }) } else { Err(expected()) }
    }
}

fn score(index: u32, service: &str) -> u64 {
    let digest = Sha256::new().chain_update(index.to_be_bytes()).chain_update(service).finalize();
    digest.iter().take(8).fold(0, |score, byte| score << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(count: u32) -> impl Iterator<Item = Shard> {
        (0..count).map(move |index| Shard { index, count })
    }

    fn owner(count: u32, service: &str) -> u32 {
        let owners: Vec<_> = all(count).filter(|shard| shard.owns(service)).collect();
        assert_eq!(owners.len(), 1, "{service} belongs to {owners:?}");
        owners[0].index
    }

    proptest! {
        #[test]
        fn every_service_is_in_exactly_one_shard(service in "[a-z][a-z0-9-]{0,40}", count in 1..20_u32) {
            prop_assert!(owner(count, &service) < count);
        }

        #[test]
        fn one_more_shard_takes_services_and_moves_no_others(
            service in "[a-z][a-z0-9-]{0,40}", count in 1..20_u32,
        ) {
            let (before, after) = (owner(count, &service), owner(count + 1, &service));
            prop_assert!(after == before || after == count, "{before} of {count}, then {after}");
        }

        #[test]
        fn what_is_written_is_read_again(count in 1..=MOST, index in 0..MOST) {
            let shard = Shard { index: index % count, count };
            prop_assert_eq!(shard.to_string().parse(), Ok(shard));
        }
    }

    #[test]
    fn shards_are_of_about_one_size() {
        for count in [2, 3, 7] {
            let mut sizes = vec![0_u32; count as usize];
            for service in 0..2000 {
                sizes[owner(count, &format!("service-{service}")) as usize] += 1;
            }
            let share = 2000 / count;
            let even = |size: &u32| (share * 4 / 5..=share * 6 / 5).contains(size);
            assert!(sizes.iter().all(even), "{sizes:?}");
        }
    }

    #[test]
    fn the_hash_is_the_same_in_every_version() {
        let owners: Vec<u32> =
            ["echo", "foxtrot", "golf", "hotel", "india"].map(|it| owner(3, it)).into();
        assert_eq!(owners, [2, 1, 2, 2, 1]);
    }

    #[test]
    fn one_shard_has_everything_and_the_first_has_the_platform() {
        assert!(Shard::WHOLE.owns("echo") && Shard::WHOLE.is_whole());
        assert_eq!(all(3).filter(|shard| shard.owns_platform()).count(), 1);
    }

    #[test]
    fn what_is_no_shard_is_refused() {
        for text in ["", "1", "3/3", "0/0", "-1/3", "a/b", "1/2/3", "0/1001", " 0/1"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
