//! When to look again.

use std::time::Duration;

/// How long to wait before the next poll: `interval`, shorter or longer by up to `jitter` of it, so
/// that many daemons do not ask one server in step.
///
/// `jitter` is a fraction from 0 to 1; what lies outside is taken as the nearest of the two.
pub fn next_poll(interval: Duration, jitter: f64, random: &mut fastrand::Rng) -> Duration {
    let jitter = jitter.clamp(0.0, 1.0);
    interval.mul_f64(1.0 + jitter * (2.0 * random.f64() - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_spread_over_the_whole_jitter_and_never_beyond() {
        let mut random = fastrand::Rng::with_seed(7);
        let interval = Duration::from_secs(10);
        let waits: Vec<_> = (0..1000).map(|_| next_poll(interval, 0.2, &mut random)).collect();
        let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        assert!((8.0..8.1).contains(&least.as_secs_f64()), "{least:?}");
        assert!((11.9..=12.0).contains(&most.as_secs_f64()), "{most:?}");
    }

    #[test]
    fn without_jitter_the_interval_is_kept() {
        let mut random = fastrand::Rng::with_seed(7);
        assert_eq!(next_poll(Duration::from_secs(3), 0.0, &mut random), Duration::from_secs(3));
    }
}
