//! The alternatives between which evidence is divided.

/// How many alternatives there are.
pub(crate) const SIZE: usize = 3;

/// The odds ratios of the alternatives, as multiples of what is permitted. The last is that of a primary which never
/// fails.
const MULTIPLES: [f64; SIZE] = [2.0, 7.0, f64::INFINITY];

/// More is no more evidence, and has to remain a number in JSON.
const MOST: f64 = 1e100;

/// What is staked on each alternative, with what it has become.
pub(crate) type Wealth = [f64; SIZE];

/// The share that follows from a share by an odds ratio: `θs / (θs + 1 - s)`.
pub(crate) fn tilt(share: f64, odds: f64) -> f64 {
    if share <= 0.0 {
        return 0.0;
    }
    if share >= 1.0 || odds.is_infinite() {
        return 1.0;
    }
    odds * share / (odds * share + 1.0 - share)
}

/// The odds ratio of each alternative.
pub(crate) fn alternatives(permitted: f64) -> [f64; SIZE] {
    MULTIPLES.map(|multiple| multiple * permitted)
}

/// What a stake becomes by a share that was expected to be at most `null`, if it was on `alternative`: its mean is at
/// most 1 as long as the share's mean is at most `null`, for it is a line that rises and is 1 at `null`.
pub(crate) fn factor(share: f64, alternative: f64, null: f64) -> f64 {
    if null <= 0.0 || null >= 1.0 {
        return 1.0;
    }
    share * alternative / null + (1.0 - share) * (1.0 - alternative) / (1.0 - null)
}

/// Divides a new stake between the alternatives.
pub(crate) fn stake(wealth: &mut Wealth, amount: f64) {
    for each in wealth {
        *each += amount / SIZE as f64;
    }
}

/// Multiplies each stake by its factor.
pub(crate) fn multiply(wealth: &mut Wealth, factors: impl Fn(usize) -> f64) {
    for (index, each) in wealth.iter_mut().enumerate() {
        *each = (*each * factors(index)).min(MOST);
    }
}
