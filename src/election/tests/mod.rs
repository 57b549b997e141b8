//! Elections over a fake API server, in virtual time: its seconds cost none.

mod api_server;

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::{Campaign, Leadership, LeaseName, Tenure, Timing, campaign};
use crate::shard::Shard;
use api_server::{ApiServer, NetworkState};

const TIMING: Timing = Timing { seconds: 4 };
/// Longer than any hand-over takes, and nothing in virtual time.
const LONG: Duration = Duration::from_secs(60);

struct Daemon {
    campaign: Campaign,
    network: watch::Sender<NetworkState>,
}

impl Daemon {
    fn start(server: &ApiServer, identity: &str) -> Self {
        let (client, network) = server.client();
        let lease = LeaseName::of("coalmine", "default", Shard::WHOLE);
        Self { campaign: campaign(client, lease, identity.to_owned(), TIMING), network }
    }

    fn leads(&self) -> bool {
        self.campaign.leadership.tenure().is_some()
    }

    fn network_is(&self, network_state: NetworkState) {
        self.network.send_replace(network_state);
    }
}

/// Two daemons of which the first leads.
async fn leader_and_standby(server: &ApiServer) -> (Daemon, Tenure, Daemon) {
    let leader = Daemon::start(server, "a");
    let tenure = acquires(&leader).await;
    let standby = Daemon::start(server, "b");
    let knows = async {
        while standby.campaign.leadership.other_leader().as_deref() != Some("a") {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONG, knows).await.expect("the other one is told who leads");
    (leader, tenure, standby)
}

async fn acquires(daemon: &Daemon) -> Tenure {
    let leadership = daemon.campaign.leadership();
    let tenure = timeout(LONG, leadership.acquired()).await.expect("it should lead by now");
    assert!(tenure.is_held());
    tenure
}

async fn loses(tenure: &Tenure) {
    timeout(LONG, tenure.lost()).await.expect("it should have lost the Lease by now");
    assert!(!tenure.is_held());
}

async fn keeps(tenure: &Tenure) {
    assert!(timeout(LONG, tenure.lost()).await.is_err(), "it lost its Lease");
    assert!(tenure.is_held());
}

fn holder(server: &ApiServer) -> Option<String> {
    server.lease()?["spec"]["holderIdentity"].as_str().map(str::to_owned)
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_goes_on_while_the_other_stands_by() {
    let server = ApiServer::new();
    let (_leader, tenure, standby) = leader_and_standby(&server).await;
    keeps(&tenure).await;
    assert!(!standby.leads());
    // One write a second, and none by the other one.
    assert!((55..=65).contains(&server.writes()), "{} writes", server.writes());
}

#[tokio::test(start_paused = true)]
async fn a_leader_hears_a_call_with_its_next_renewal_and_goes_on() {
    let server = ApiServer::new();
    let (leader, tenure, standby) = leader_and_standby(&server).await;
    let (leader, standby) = (leader.campaign.leadership(), standby.campaign.leadership());
    assert!(timeout(LONG, leader.called()).await.is_err(), "nobody has called");
    for _ in 0..3 {
        let began = Instant::now();
        standby.call();
        timeout(LONG, leader.called()).await.expect("it should hear of it");
        assert!(began.elapsed() <= TIMING.renewal() * 2, "{:?}", began.elapsed());
    }
    leader.call();
    assert!(timeout(LONG, leader.called()).await.is_err(), "it need not call itself");
    assert!(tenure.is_held());
}

#[tokio::test(start_paused = true)]
async fn calls_to_a_dead_leader_do_not_put_off_its_replacement() {
    let server = ApiServer::new();
    let (leader, _, standby) = leader_and_standby(&server).await;
    let died = Instant::now();
    drop(leader);
    let leadership = standby.campaign.leadership();
    let calls = async {
        loop {
            leadership.call();
            sleep(Duration::from_millis(300)).await;
        }
    };
    tokio::select! {
        () = calls => {}
        _ = acquires(&standby) => {}
    }
    let after = died.elapsed();
    assert!(after <= TIMING.duration() + Duration::from_millis(100), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dead_leader_is_replaced_within_the_duration_of_its_lease() {
    let server = ApiServer::new();
    let (leader, _, standby) = leader_and_standby(&server).await;
    let died = Instant::now();
    drop(leader);
    acquires(&standby).await;
    let after = died.elapsed();
    assert!(after <= TIMING.duration() + Duration::from_millis(100), "{after:?}");
    assert!(after >= TIMING.deadline() - TIMING.renewal(), "{after:?}: the leader might live");
    assert_eq!(server.lease().unwrap()["spec"]["leaseTransitions"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_resigns_is_replaced_at_once() {
    let server = ApiServer::new();
    let (leader, tenure, standby) = leader_and_standby(&server).await;
    let resigned = Instant::now();
    leader.campaign.resign().await;
    assert!(!tenure.is_held());
    acquires(&standby).await;
    assert!(resigned.elapsed() < Duration::from_millis(100), "{:?}", resigned.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_resigns_leaves_the_lease_alone() {
    let server = ApiServer::new();
    let (_leader, tenure, standby) = leader_and_standby(&server).await;
    standby.campaign.resign().await;
    assert!(tenure.is_held());
    assert_eq!(holder(&server).as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_before_another_starts() {
    for network_state in [NetworkState::Cut, NetworkState::Refusing] {
        let server = ApiServer::new();
        let (leader, tenure, standby) = leader_and_standby(&server).await;
        leader.network_is(network_state);
        loses(&tenure).await;
        assert!(!standby.leads(), "{network_state:?}");
        let new = acquires(&standby).await;
        leader.network_is(NetworkState::Fine);
        keeps(&new).await;
        assert!(!leader.leads() && !tenure.is_held(), "{network_state:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_renewals_arrive_without_its_knowledge_is_not_replaced() {
    let server = ApiServer::new();
    let (leader, tenure, standby) = leader_and_standby(&server).await;
    leader.network_is(NetworkState::Deaf);
    loses(&tenure).await;
    assert!(!standby.leads());
    leader.network_is(NetworkState::Fine);
    acquires(&leader).await;
    assert!(!tenure.is_held(), "a new tenure is another one");
}

#[tokio::test(start_paused = true)]
async fn an_outage_shorter_than_the_deadline_changes_nothing() {
    let server = ApiServer::new();
    let (leader, tenure, standby) = leader_and_standby(&server).await;
    for network_state in
        [NetworkState::Cut, NetworkState::Refusing, NetworkState::Slow { there: 400, back: 400 }]
    {
        for daemon in [&leader, &standby] {
            daemon.network_is(network_state);
        }
        sleep(Duration::from_millis(1500)).await;
        for daemon in [&leader, &standby] {
            daemon.network_is(NetworkState::Fine);
        }
        keeps(&tenure).await;
    }
    assert_eq!(server.lease().unwrap()["spec"]["leaseTransitions"], 0);
}

#[tokio::test(start_paused = true)]
async fn wall_clocks_do_not_matter() {
    for time in ["1990-01-01T00:00:00.000000Z", "2990-01-01T00:00:00.000000Z"] {
        let server = ApiServer::new();
        server.edit(|lease| {
            *lease = Some(json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"name": "coalmine-default", "namespace": "coalmine"},
                "spec": {"holderIdentity": "skewed", "leaseDurationSeconds": 10,
                    "renewTime": time, "acquireTime": time}}));
        });
        let started = Instant::now();
        acquires(&Daemon::start(&server, "a")).await;
        let expected = Duration::from_secs(10)..Duration::from_secs(11);
        assert!(expected.contains(&started.elapsed()), "{time}: {:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_somebody_deletes_is_made_anew_by_who_holds_it() {
    let server = ApiServer::new();
    let (_leader, tenure, _standby) = leader_and_standby(&server).await;
    server.edit(|lease| *lease = None);
    let late = Daemon::start(&server, "c");
    keeps(&tenure).await;
    assert!(!late.leads());
    assert_eq!(holder(&server).as_deref(), Some("a"));
}

/// A story that [`never_two_lead_whatever_the_networks_do`] has found: the first daemon, whose watch has
/// died, finds the Lease gone, and four seconds later gone again.
#[tokio::test(start_paused = true)]
async fn a_lease_that_is_gone_twice_is_not_taken_for_one_that_stayed_gone() {
    use Happening::{Deletion, NetworkState as Network};
    let slow = |there, back| Network(0, NetworkState::Slow { there, back });
    play(vec![
        (7050, slow(2107, 2718)),
        (4850, slow(2311, 2667)),
        (1400, Network(0, NetworkState::Deaf)),
        (3150, Deletion),
        (8500, Network(0, NetworkState::Fine)),
        (650, Deletion),
        (4000, Deletion),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_only_made_is_not_given_up_to_others() {
    let server = ApiServer::new();
    let maker = Daemon::start(&server, "a");
    let made = async {
        while server.lease().is_none() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONG, made).await.expect("it should make one");
    assert!(!maker.leads());
    maker.campaign.resign().await;
    assert_eq!(holder(&server).as_deref(), Some("a"), "it runs out");
    let began = Instant::now();
    acquires(&Daemon::start(&server, "b")).await;
    assert!(began.elapsed() >= TIMING.duration(), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_somebody_takes_by_hand_is_theirs() {
    let server = ApiServer::new();
    let (leader, tenure, _standby) = leader_and_standby(&server).await;
    let by_hand = |lease: &mut Option<Value>| {
        lease.as_mut().expect("a Lease")["spec"]["holderIdentity"] = "somebody".into();
    };
    server.edit(by_hand);
    loses(&tenure).await;
    assert_eq!(leader.campaign.leadership().other_leader().as_deref(), Some("somebody"));
}

#[tokio::test(start_paused = true)]
async fn without_an_election_one_always_leads() {
    keeps(&Leadership::unopposed().acquired().await).await;
}

/// What happens to the daemons at one moment.
#[derive(Clone, Debug)]
enum Happening {
    NetworkState(usize, NetworkState),
    Crash(usize),
    Resignation(usize),
    Deletion,
}

fn happening() -> impl Strategy<Value = (u64, Happening)> {
    let network_state = prop_oneof![
        3 => Just(NetworkState::Fine),
        3 => (0..3000_u64, 0..3000_u64).prop_map(|(there, back)| NetworkState::Slow { there, back }),
        1 => Just(NetworkState::Cut),
        1 => Just(NetworkState::Deaf),
        1 => Just(NetworkState::Refusing),
    ];
    let what = prop_oneof![
        8 => (0..3_usize, network_state).prop_map(|(who, how)| Happening::NetworkState(who, how)),
        1 => (0..3_usize).prop_map(Happening::Crash),
        1 => (0..3_usize).prop_map(Happening::Resignation),
        1 => Just(Happening::Deletion),
    ];
    (0..5000_u64, what)
}

/// Lets time pass and looks at every moment whether at most one leads.
async fn at_most_one_leads(daemons: &[Daemon], leaving: &[Leadership], millis: u64) {
    let end = Instant::now() + Duration::from_millis(millis);
    loop {
        let leaders = daemons.iter().filter(|daemon| daemon.leads()).count();
        let leaders =
            leaders + leaving.iter().filter(|leadership| leadership.tenure().is_some()).count();
        assert!(leaders <= 1, "{leaders} lead");
        if Instant::now() >= end {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn play(happenings: Vec<(u64, Happening)>) {
    let server = ApiServer::new();
    let mut processes = 3;
    let mut daemons: Vec<_> =
        (0..3).map(|number| Daemon::start(&server, &format!("daemon-{number}"))).collect();
    // Those that were told to go, whose last requests may still be on their way.
    let mut leaving = Vec::new();
    for (pause, happening) in happenings {
        at_most_one_leads(&daemons, &leaving, pause).await;
        match happening {
            Happening::NetworkState(who, network_state) => daemons[who].network_is(network_state),
            Happening::Crash(who) | Happening::Resignation(who) => {
                processes += 1;
                let new = Daemon::start(&server, &format!("daemon-{processes}"));
                let old = std::mem::replace(&mut daemons[who], new);
                // A process that crashed does not lead, whatever its Lease says.
                if matches!(happening, Happening::Resignation(_)) {
                    leaving.push(old.campaign.leadership());
                    tokio::spawn(old.campaign.resign());
                }
            }
            Happening::Deletion => {
                if server.lease().is_some() {
                    server.edit(|lease| *lease = None);
                }
            }
        }
    }
    at_most_one_leads(&daemons, &leaving, 10_000).await;
    daemons.iter().for_each(|daemon| daemon.network_is(NetworkState::Fine));
    at_most_one_leads(&daemons, &leaving, 30_000).await;
    assert!(daemons.iter().any(Daemon::leads), "nobody leads although all is well again");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn never_two_lead_whatever_the_networks_do(
        happenings in proptest::collection::vec(happening(), 0..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(play(happenings));
    }
}
