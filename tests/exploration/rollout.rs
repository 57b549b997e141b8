//! One service with three versions, reduced to what [`coalmine::plan::plan`] decides by: sets of
//! versions, the routes, Gloo's verdict, and what the daemon and the proxy know of each. Time has no
//! numbers: what is young becomes old, but not before the proxy has caught up, which is what the settle
//! time promises.

use crate::goals::{GOALS, Goal, Set, used};
use crate::sight::Decision;

/// Gloo's word on the routes that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Word {
    Pending,
    Accepted,
    Rejected,
}

/// What may still go wrong on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) commits: u8,
    /// How often the pods of a version die by themselves.
    pub(crate) deaths: u8,
    /// How many routes Gloo takes a dislike to.
    pub(crate) dislikes: u8,
}

/// Everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rollout {
    /// An index of [`GOALS`].
    pub(crate) wanted: u8,
    pub(crate) left: Budget,
    /// Routes that Gloo rejects.
    pub(crate) disliked: u8,

    /// The Service and the Upstream are there.
    pub(crate) base: bool,
    pub(crate) deployed: Set,
    pub(crate) ready: Set,
    pub(crate) endpoints: Set,
    pub(crate) routes: Option<u8>,
    pub(crate) word: Word,

    pub(crate) proxy_routes: Option<u8>,
    pub(crate) proxy_endpoints: Set,
    /// Versions that need not answer until the proxy knows them: their pods died by themselves, or
    /// nobody had a right to an answer yet.
    pub(crate) spared: Set,

    pub(crate) daemon: Daemon,
}

/// What the daemon knows; all but what is listed anew is lost when it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Daemon {
    /// The versions whose Deployments it sees rolled out, and those that have been for the settle
    /// time.
    pub(crate) sees_rollout: Set,
    pub(crate) old_rollout: Set,
    pub(crate) sees_ready: Set,
    pub(crate) sees_endpoints: Set,
    /// Those that have been in the Endpoints for the settle time.
    pub(crate) old_endpoints: Set,
    pub(crate) sees_word: Word,
    /// The settle time has passed since the routes changed, and since Gloo judged them.
    pub(crate) settled: bool,
    pub(crate) followed: bool,
    /// The routes before those that are there.
    pub(crate) undo: Option<Option<u8>>,
    pub(crate) refused: Option<u8>,
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A commit.
    Commit(u8),
    /// The process dies and another begins.
    Crash,
    /// The pods of a version die by themselves.
    Die(u8),
    /// Gloo takes a dislike to the routes it is about to judge.
    Dislike,
    /// A version's pods become ready.
    Ready(u8),
    /// The Endpoints follow the pods.
    Endpoints,
    /// Gloo judges.
    Judge,
    /// The proxy learns of the endpoints.
    LearnEndpoints,
    /// The proxy accepts the routes.
    LearnRoutes,
    /// The watches tell of Deployments, of pods and Endpoints, of routes. A version counts only if it
    /// is seen in both of those in the middle, so nothing is worse than when both are late.
    TellDeployments,
    TellPods,
    TellRoutes,
    /// The settle time passes.
    Settle,
    /// The daemon takes the first step of its plan.
    Step,
}

impl Rollout {
    /// A rollout that has arrived at a goal, with this ahead.
    pub(crate) fn arrived(goal: u8, left: Budget) -> Self {
        let Goal { versions, routes } = GOALS[usize::from(goal)];
        let word = if routes.is_some() { Word::Accepted } else { Word::Pending };
        Self {
            wanted: goal,
            left,
            disliked: 0,
            base: routes.is_some(),
            deployed: versions,
            ready: versions,
            endpoints: versions,
            routes,
            word,
            proxy_routes: routes,
            proxy_endpoints: versions,
            spared: 0,
            daemon: Daemon {
                sees_rollout: versions,
                old_rollout: versions,
                sees_ready: versions,
                sees_endpoints: versions,
                old_endpoints: versions,
                sees_word: word,
                settled: true,
                followed: true,
                undo: None,
                refused: None,
            },
        }
    }

    /// What happens by itself, faults apart.
    pub(crate) const CALM: [Action; 12] = [
        Action::Ready(0),
        Action::Ready(1),
        Action::Ready(2),
        Action::Endpoints,
        Action::Judge,
        Action::LearnEndpoints,
        Action::LearnRoutes,
        Action::TellDeployments,
        Action::TellPods,
        Action::TellRoutes,
        Action::Settle,
        Action::Step,
    ];

    /// The state after the action; `None` when it changes nothing.
    pub(crate) fn after(&self, action: Action) -> Option<Self> {
        let mut next = *self;
        match action {
            Action::Commit(goal) => {
                next.left.commits = self.left.commits.checked_sub(1)?;
                next.wanted = goal;
            }
            Action::Crash => next.restart(),
            Action::Die(version) => {
                let died = self.ready & 1 << version;
                (died != 0).then_some(())?;
                next.left.deaths = self.left.deaths.checked_sub(1)?;
                next.ready &= !died;
                next.spared |= died;
            }
            Action::Dislike => {
                let routes = self.routes.filter(|_| self.word == Word::Pending)?;
                next.left.dislikes = self.left.dislikes.checked_sub(1)?;
                next.disliked |= 1 << routes;
            }
            Action::Ready(version) => next.ready |= self.deployed & 1 << version,
            Action::Endpoints => {
                next.endpoints = if self.base { self.ready } else { 0 };
                next.daemon.old_endpoints &= next.endpoints;
            }
            Action::Judge => {
                let routes = self.routes.filter(|_| self.word == Word::Pending)?;
                let is_disliked = self.disliked & 1 << routes != 0;
                next.word = if is_disliked { Word::Rejected } else { Word::Accepted };
            }
            Action::LearnEndpoints => {
                next.proxy_endpoints = self.endpoints;
                next.spared &= !(self.endpoints & self.ready);
            }
            // What Gloo rejects it does not send.
            Action::LearnRoutes if self.routes.is_some() && self.word != Word::Accepted => {}
            Action::LearnRoutes => {
                next.proxy_routes = self.routes;
                if self.proxy_routes.is_none() && self.routes.is_some() {
                    // Nobody has asked for the service yet.
                    next.spared = 0b111;
                }
            }
            Action::TellDeployments => {
                next.daemon.sees_rollout = self.deployed & self.ready;
                next.daemon.old_rollout &= next.daemon.sees_rollout;
            }
            Action::TellPods => {
                next.daemon.sees_ready = self.ready;
                next.daemon.sees_endpoints = self.endpoints;
            }
            Action::TellRoutes => {
                if next.daemon.sees_word != self.word {
                    (next.daemon.sees_word, next.daemon.followed) = (self.word, false);
                }
            }
            Action::Settle => next.settle()?,
            Action::Step => next.step(),
        }
        (next != *self).then_some(next)
    }

    /// What a new process finds.
    fn restart(&mut self) {
        self.daemon = Daemon {
            sees_rollout: self.deployed & self.ready,
            old_rollout: self.daemon.old_rollout & self.deployed & self.ready,
            sees_ready: self.ready,
            sees_endpoints: self.endpoints,
            sees_word: self.word,
            old_endpoints: self.daemon.old_endpoints,
            settled: false,
            followed: false,
            undo: None,
            refused: None,
        };
    }

    /// The settle time is over only when the proxy has caught up with what there was to know.
    fn settle(&mut self) -> Option<()> {
        let knows_endpoints = self.proxy_endpoints == self.endpoints;
        let is_judged = self.routes.is_none() || self.word != Word::Pending;
        let follows = self.word == Word::Rejected || self.proxy_routes == self.routes;
        (knows_endpoints && (!is_judged || follows)).then_some(())?;
        self.daemon.old_endpoints = self.endpoints;
        if self.endpoints == self.ready {
            // The Endpoints controller has caught up as well.
            self.daemon.old_rollout = self.daemon.sees_rollout & self.ready;
        }
        self.daemon.settled = true;
        self.daemon.followed = is_judged;
        Some(())
    }

    /// Decides by what the daemon sees, and does the first thing that is to be done.
    fn step(&mut self) {
        let goal = &GOALS[usize::from(self.wanted)];
        if self.routes == goal.routes && self.daemon.sees_word == Word::Accepted {
            self.daemon.undo = None;
        }
        match self.decision() {
            Decision::Done | Decision::Wait => {}
            Decision::Deploy(version) => {
                self.deployed |= 1 << version;
                // The answer to the write is entered at once.
                self.daemon.sees_rollout &= !(1 << version);
                self.daemon.old_rollout &= !(1 << version);
            }
            Decision::Expose => self.base = true,
            Decision::Route => {
                self.daemon.undo.get_or_insert(self.routes);
                self.write_routes(goal.routes);
            }
            Decision::RollBack => {
                let before = self.daemon.undo.take().expect("nothing else can be rolled back");
                self.daemon.refused = goal.routes;
                self.write_routes(before);
            }
            Decision::Unroute => {
                // Whoever asks for a service that is to go may be disappointed, at once or later.
                self.spared = 0b111;
                self.write_routes(None);
            }
            Decision::Undeploy(version) => {
                self.deployed &= !(1 << version);
                self.ready &= !(1 << version);
            }
            Decision::Hide => self.base = false,
        }
    }

    fn write_routes(&mut self, routes: Option<u8>) {
        (self.routes, self.word) = (routes, Word::Pending);
        self.daemon.sees_word = Word::Pending;
        (self.daemon.settled, self.daemon.followed) = (false, false);
    }

    /// Whether every request is answered by the version that it is for.
    pub(crate) fn answers(&self) -> bool {
        let Some(routes) = self.proxy_routes else { return true };
        let answering = self.ready & self.proxy_endpoints | self.spared;
        used(routes) & !answering == 0
    }

    /// Whether nothing is left to be done.
    pub(crate) fn has_arrived(&self) -> bool {
        let goal = &GOALS[usize::from(self.wanted)];
        self.routes == goal.routes
            && self.proxy_routes == goal.routes
            && self.deployed == goal.versions
            && self.ready == goal.versions
            && self.decision() == Decision::Done
    }

    /// Whether Gloo rejects what is wanted.
    pub(crate) fn is_refused(&self) -> bool {
        let wanted = GOALS[usize::from(self.wanted)].routes;
        wanted.is_some_and(|routes| self.disliked & 1 << routes != 0)
    }
}
