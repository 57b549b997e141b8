//! What a commit may ask for: three versions, and the routes to them.

/// A set of versions, a bit for each of v1, v2 and v3.
pub(crate) type Set = u8;

/// What a commit may ask for.
#[derive(Clone, Copy)]
pub(crate) struct Goal {
    pub(crate) versions: Set,
    /// An index of [`ROUTES`].
    pub(crate) routes: Option<u8>,
}

/// Versions and their percents.
type Shares = &'static [(u8, u64)];

/// Who gets which share of the requests, and who those with the header; the first is the primary.
pub(crate) const ROUTES: [(Shares, Option<u8>); 6] = [
    (&[(0, 100)], None),
    (&[(0, 100), (1, 0)], Some(1)),
    (&[(0, 50), (1, 50)], None),
    (&[(1, 100)], None),
    (&[(1, 50), (2, 50)], None),
    (&[(1, 90), (0, 10)], Some(0)),
];

/// From nothing at all over every phase to the next rollout, and a canary that goes the other way.
pub(crate) const GOALS: [Goal; 7] = [
    Goal { versions: 0b000, routes: None },
    Goal { versions: 0b001, routes: Some(0) },
    Goal { versions: 0b011, routes: Some(1) },
    Goal { versions: 0b011, routes: Some(2) },
    Goal { versions: 0b010, routes: Some(3) },
    Goal { versions: 0b110, routes: Some(4) },
    Goal { versions: 0b011, routes: Some(5) },
];

/// The versions that get requests by these routes.
pub(crate) fn used(routes: u8) -> Set {
    let (shares, by_header) = ROUTES[usize::from(routes)];
    let shares = shares.iter().filter(|(_, share)| *share > 0).map(|(version, _)| *version);
    shares.chain(by_header).fold(0, |set, version| set | 1 << version)
}
