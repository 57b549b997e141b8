//! Proposals between small trees.

use super::*;

const PLATFORM_YAML: &str = "\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: app, namespace: gloo-system}
spec:
  virtualHost:
    domains: ['*']
    routes:
    - matchers: [{prefix: /}]
      delegateAction: {selector: {labels: {apiGroup: example}, namespaces: ['*']}}
";

fn tree(files: &[(&str, &str)]) -> Tree {
    let mut all = vec![("platform/app.yaml", PLATFORM_YAML)];
    all.extend(files);
    let files = all.iter().map(|(path, content)| ((*path).to_owned(), (*content).into()));
    Tree { revision: "0123456789abcdef0123456789abcdef01234567".into(), files: files.collect() }
}

fn values(versions: &str, canary: &str) -> String {
    let primary = versions.split(',').next().expect("a version");
    let deployment: Vec<_> =
        versions.split(',').map(|version| format!("{version}: {{}}")).collect();
    let canary = if canary.is_empty() { String::new() } else { format!(", canary: {{{canary}}}") };
    format!(
        "deployment: {{{}}}\nroutes: {{apiGroup: example, primary: {{version: {primary}}}{canary}}}\n",
        deployment.join(", ")
    )
}

fn plain(proposal: &Proposal) -> String {
    anstream::adapter::strip_str(&text(proposal, false)).to_string()
}

fn between(before: &str, after: &str) -> Proposal {
    Proposal::of(&tree(&[("services/echo.yaml", before)]), &tree(&[("services/echo.yaml", after)]))
}

const TEST: &str = "version: v2, headers: {stage: canary}";

#[test]
fn a_shift_shows_who_gets_which_requests_and_what_is_done() {
    let shifted = format!("{TEST}, weight: 25");
    let proposal = between(&values("v1,v2", TEST), &values("v1,v2", &shifted));
    assert_eq!(proposal.verdict, Verdict::Advance);
    insta::assert_snapshot!(plain(&proposal), @r"
    echo: CanaryTest → Shifting 25 % (advance)
      requests                   before    after
      /echo* with stage: canary  v2 100 %  v2 100 %
      /echo*                     v1 100 %  v1 75 %, v2 25 %
      steps
        1. write RouteTable echo/echo-routes, and roll back to the previous routes if Gloo's status of the new ones is worse
    ");
}

#[test]
fn a_whole_rollout_is_carried_out_in_the_safe_order() {
    let start = between(&values("v1", ""), &values("v1,v2", TEST));
    let full = format!("{TEST}, weight: 100");
    let finish = between(&values("v1,v2", &full), &values("v2", ""));
    insta::assert_snapshot!(plain(&start) + &plain(&finish), @r"
    echo: Stable → CanaryTest (advance)
      requests                   before    after
      /echo* with stage: canary  v1 100 %  v2 100 %
      /echo*                     v1 100 %  v1 100 %
      steps
        1. write Deployment echo/echo-v2
        2. wait until Deployment echo/echo-v2 is ready
        3. write RouteTable echo/echo-routes, and roll back to the previous routes if Gloo's status of the new ones is worse
    echo: Shifted → Stable (advance)
      requests                   before    after
      /echo*                     v2 100 %  v2 100 %
      /echo* with stage: canary  v2 100 %  v2 100 %
      steps
        1. write RouteTable echo/echo-routes, and roll back to the previous routes if Gloo's status of the new ones is worse
        2. wait 3 s until every proxy goes by them
        3. delete Deployment echo/echo-v1
    ");
}

#[test]
fn a_rollback_a_jump_and_the_end_of_a_service_are_called_by_their_names() {
    let verdict = |before: &str, after: &str| between(before, after).verdict;
    let ten = values("v1,v2,v3", "version: v2, weight: 10");
    assert_eq!(verdict(&ten, &values("v1,v2,v3", "version: v2")), Verdict::Rollback);
    assert_eq!(verdict(&ten, &values("v1,v2,v3", "version: v3, weight: 10")), Verdict::Jump);
    assert_eq!(verdict(&ten, &ten), Verdict::Unchanged);
    let more = values("v1", "").replace("v1: {}", "v1: {replicas: 3}");
    assert_eq!(verdict(&values("v1", ""), &more), Verdict::Change);
    let echo = tree(&[("services/echo.yaml", &values("v1", ""))]);
    assert_eq!(Proposal::of(&tree(&[]), &echo).verdict, Verdict::New);
    assert_eq!(Proposal::of(&echo, &tree(&[])).verdict, Verdict::Removed);
}

#[test]
fn what_the_policy_or_gloo_would_refuse_is_an_error() {
    let policy = "policy: {maxStep: 20}\n";
    let with = |weight: u8| {
        let values = values("v1,v2", &format!("{TEST}, weight: {weight}"));
        tree(&[("services/echo.yaml", &values), ("coalmine.yaml", policy)])
    };
    let proposal = Proposal::of(&with(0), &with(25));
    assert_eq!(proposal.verdict, Verdict::Error);
    assert!(proposal.objections("echo")[0].line().contains("policy.maxStep"), "{proposal:?}");

    let taken = values("v1", "").replace("primary:", "paths: [{prefix: /echo}], primary:");
    let two = tree(&[("services/echo.yaml", &values("v1", "")), ("services/golf.yaml", &taken)]);
    let proposal = Proposal::of(&tree(&[("services/echo.yaml", &values("v1", ""))]), &two);
    assert_eq!(proposal.verdict, Verdict::Error, "{}", plain(&proposal));
}

#[test]
fn mistakes_that_were_there_before_are_nobodys_fault() {
    let broken = values("v1", "version: v9");
    assert_eq!(between(&values("v1", ""), &broken).verdict, Verdict::Error);
    let still = between(&broken, &broken);
    assert_eq!(still.verdict, Verdict::Unchanged);
    assert!(still.services[0].warnings[0].contains("services/echo.yaml:2"), "{still:?}");
}

#[test]
fn markdown_lets_nothing_through_that_others_chose() {
    let canary = "version: v2, headers: {stage: 'a|b``<img src=x>@team'}";
    let markdown = markdown(&between(&values("v1", ""), &values("v1,v2", canary)));
    assert!(
        markdown.starts_with("<!-- coalmine plan -->\n### coalmine plan: advance\n"),
        "{markdown}"
    );
    let cell =
        r"| ``` /echo* with stage: a\|b``<img src=x>@team ``` | `v1 100 %` | **`v2 100 %`** |";
    assert!(markdown.contains(cell), "{markdown}");
}

#[test]
fn a_tree_without_a_virtual_service_is_judged_as_far_as_it_can_be() {
    let mut alone = tree(&[("services/echo.yaml", &values("v1", ""))]);
    alone.files.remove("platform/app.yaml");
    let judgement = Judgement::of(&Expected::of(&alone));
    assert_eq!((judgement.refused, judgement.platform), (BTreeMap::new(), Vec::new()));
}

#[test]
fn a_domain_that_the_platform_has_is_refused_by_name() {
    let golf = values("v1", "").replace("apiGroup: example", "domains: ['*']");
    let tree = tree(&[("services/echo.yaml", &values("v1", "")), ("services/golf.yaml", &golf)]);
    let refused = Judgement::of(&Expected::of(&tree)).refused;
    assert!(refused.keys().eq(["golf"]), "{refused:?}");
}

#[test]
fn a_domain_that_the_platform_has_is_refused_in_a_proposal_too() {
    let golf = values("v1", "").replace("apiGroup: example", "domains: ['*']");
    let both = tree(&[("services/echo.yaml", &values("v1", "")), ("services/golf.yaml", &golf)]);
    let proposal = Proposal::of(&tree(&[("services/echo.yaml", &values("v1", ""))]), &both);
    let [golf] = &proposal.services[..] else { panic!("{proposal:?}") };
    assert_eq!((golf.service.as_str(), golf.verdict), ("golf", Verdict::Error));
    assert!(golf.errors[0].line().contains("domain conflict"), "{:?}", golf.errors);
}

#[test]
fn a_tree_without_a_virtual_service_is_proposed_as_far_as_it_can_be() {
    let alone = |files: &[(&str, &str)]| {
        let mut tree = tree(files);
        tree.files.remove("platform/app.yaml");
        tree
    };
    let echo = values("v1", "");
    let proposal = Proposal::of(&alone(&[]), &alone(&[("services/echo.yaml", &echo)]));
    assert_eq!(proposal.verdict, Verdict::New, "{}", plain(&proposal));
    let upstream = "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: echo, namespace: echo}\n\
                    spec: {static: {hosts: [{addr: 10.0.0.1, port: 80}]}}\n";
    let files = [("services/echo.yaml", echo.as_str()), ("platform/echo.yaml", upstream)];
    let proposal = Proposal::of(&alone(&[]), &alone(&files));
    assert_eq!(proposal.verdict, Verdict::Error, "the platform has echo's Upstream");
}

#[test]
fn a_proposal_shows_what_changes_in_which_objects() {
    let more = values("v1", "").replace("v1: {}", "v1: {replicas: 3}");
    let proposal = between(&values("v1", "").replace("v1: {}", "v1: {replicas: 2}"), &more);
    let [object] = &proposal.services[0].objects[..] else { panic!("{proposal:?}") };
    assert_eq!(object.object, "Deployment echo/echo-v1");
    assert!(object.diff.contains("\n-  replicas: 2\n+  replicas: 3\n"), "{}", object.diff);
    let start = between(&values("v1", ""), &values("v1,v2", ""));
    let objects = start.services[0].objects.iter().map(|it| it.object.as_str());
    assert_eq!(objects.collect::<Vec<_>>(), ["Deployment echo/echo-v2"]);
    let end = between(&values("v1,v2", ""), &values("v1", ""));
    let [object] = &end.services[0].objects[..] else { panic!("{end:?}") };
    assert!(object.diff.lines().all(|line| !line.starts_with("+ ")), "it goes: {}", object.diff);
}

#[test]
fn what_is_to_be_kept_stays_when_its_file_goes_and_not_before() {
    let kept = |versions: &str| format!("keep: true\n{}", values(versions, ""));
    let removed = |after: &Tree| {
        let before = tree(&[("services/echo.yaml", &kept("v1,v2"))]);
        let proposal = Proposal::of(&before, after);
        let objects = proposal.services.iter().flat_map(|it| &it.objects);
        objects.map(|it| it.object.clone()).collect::<Vec<_>>()
    };
    assert_eq!(removed(&tree(&[("services/echo.yaml", &kept("v1"))])), ["Deployment echo/echo-v2"]);
    assert_eq!(removed(&tree(&[])), [""; 0]);
}

#[test]
fn requests_to_a_domain_and_copies_are_shown() {
    let own = |canary: &str| {
        let values = values("v1,v2", canary).replace("apiGroup: example", "domains: [b.example]");
        values.replace("routes: {", "routes: {split: upstream, ")
    };
    let proposal = between(&own(TEST), &own("version: v2, headers: {stage: canary}, shadow: 20"));
    let shown = plain(&proposal);
    assert!(shown.contains("b.example/echo*"), "{shown}");
    assert!(shown.contains("v1 100 %, copies to v2 20 %"), "{shown}");
    let rows = &proposal.services[0].routes_after;
    assert!(rows.iter().all(|row| row.requests.domains == ["b.example"]), "{rows:?}");
}

#[test]
fn differences_of_objects_are_coloured_line_by_line() {
    let more = values("v1", "").replace("v1: {}", "v1: {replicas: 3}");
    let proposal = between(&values("v1", "").replace("v1: {}", "v1: {replicas: 2}"), &more);
    let shown = text(&proposal, true);
    let style = |start: &str| {
        let line = shown.lines().find(|line| line.contains(start)).expect(start);
        line.trim_start().split(start).next().expect("a style").to_owned()
    };
    let (heading, removed, added) = ("\u{1b}[36m", "\u{1b}[31m", "\u{1b}[32m");
    assert_eq!(["--- before", "+++ after", "@@ -"].map(style), [heading; 3]);
    assert_eq!([style("-  replicas: 2"), style("+  replicas: 3")], [removed, added]);
    assert!(!text(&proposal, false).contains("replicas"));
}

#[test]
fn the_cluster_that_is_expected_has_pods_and_what_others_keep() {
    let both = "deployment: {v1: {}, v2: {external: {upstream: {name: vm, namespace: edge}}}}\n\
                routes: {apiGroup: example, split: upstream, primary: {version: v1}}\n";
    let expected = Expected::of(&tree(&[("services/echo.yaml", both)]));
    assert_eq!(expected.repository.services["echo"].as_ref().err(), None);
    let cluster = expected.cluster();
    let has = |kind: &str, namespace: &str, name: &str| {
        cluster.contains(&ObjectRef::new(kind, namespace, name))
    };
    assert!(has("Upstream", "edge", "vm") && has("Upstream", "echo", "echo-v1"));
    assert!(has("Pod", "echo", "echo-v1") && !has("Pod", "echo", "echo-v2"));
    assert!(has("Endpoints", "echo", "echo") && has("VirtualService", "gloo-system", "app"));
    assert!(!cluster.contains(&ObjectRef::default()));
}

#[test]
fn a_host_reaches_the_routes_that_an_object_holds() {
    let found = |domains: &str| {
        let own = values("v1", "").replace("apiGroup: example", &format!("domains: {domains}"));
        let mut tree = tree(&[("services/echo.yaml", &own)]);
        tree.files.remove("platform/app.yaml");
        let translation = translate(&Expected::of(&tree).cluster(), &Memory::default());
        let holders = |name: &str| BTreeSet::from([ObjectRef::new("VirtualService", name, name)]);
        assert_eq!(host_of(&translation, &holders("golf")), None);
        host_of(&translation, &holders("echo"))
    };
    assert_eq!(found("[a.example, b.example]").as_deref(), Some("a.example"));
    assert_eq!(found("['*.example']").as_deref(), Some("any.example"));
    assert_eq!(found("['*']").as_deref(), Some("localhost"));
}

#[test]
fn a_service_may_not_use_an_upstream_that_the_platform_brings_in_the_same_change() {
    let upstream = "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: vm, namespace: edge}\n\
                    spec: {static: {hosts: [{addr: 10.0.0.1, port: 80}]}}\n";
    let uses = "deployment: {v1: {external: {upstream: {name: vm, namespace: edge}}}}\n\
                routes: {apiGroup: example, split: upstream, primary: {version: v1}}\n";
    let all = [("services/echo.yaml", uses), ("platform/vm.yaml", upstream)];
    let verdict = |before: &[(&str, &str)], after: &[(&str, &str)]| {
        let proposal = Proposal::of(&tree(before), &tree(after));
        let echo = proposal.services.iter().find(|it| it.service == "echo");
        echo.map(|it| it.verdict).expect("echo comes")
    };
    assert_eq!(verdict(&[], &all), Verdict::Error);
    assert_eq!(verdict(&all[1..], &all), Verdict::New, "it is there already");
    assert_eq!(verdict(&[], &all[..1]), Verdict::New, "others bring it");
}

#[test]
fn versions_are_called_as_they_are_whatever_their_objects_are_called() {
    let test = "version: v2.0-RC1, headers: {stage: canary}, shadow: 5";
    let by_subset = values("1.4.2,v2.0-RC1", test);
    let by_upstream = by_subset.replace("apiGroup: example", "apiGroup: example, split: upstream");
    let proposal = between(&by_subset, &by_upstream);
    let service = proposal.services.first().expect("a service");
    for rows in [&service.routes_before, &service.routes_after] {
        let found: Vec<_> = rows.iter().map(|row| (&row.shares, &row.copies)).collect();
        let [header, main] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(header.0, &BTreeMap::from([("v2.0-RC1".to_owned(), 100)]));
        assert_eq!(main.0.get("1.4.2"), Some(&100));
        assert_eq!(main.1, &BTreeMap::from([("v2.0-RC1".to_owned(), 5)]));
    }
}

const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: echo}\n";

#[test]
fn a_namespace_that_leaves_the_repository_is_released_and_never_deleted() {
    let echo = ("services/echo.yaml", &*values("v1", ""));
    let base = tree(&[("platform/namespaces.yaml", NAMESPACE), echo]);
    let proposal = Proposal::of(&base, &tree(&[echo]));
    insta::assert_snapshot!(plain(&proposal), @r"
    platform: (change)
      warning: Namespace echo leaves the repository and stays in the cluster: no namespace is ever deleted, and echo lives in it; to delete it yourself: kubectl delete namespace echo
    ");
    assert_eq!(proposal.services[0].objects.len(), 0, "nothing is deleted");
}

#[test]
fn what_holds_data_stays_unless_the_repository_says_otherwise() {
    let secret = |more: &str| {
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: keys, namespace: echo{more}}}\n")
    };
    let leaves = |manifest: &str, settings: &str| {
        let settings = ("coalmine.yaml", settings);
        let base = tree(&[("platform/keys.yaml", manifest), settings]);
        plain(&Proposal::of(&base, &tree(&[settings])))
    };
    let kept = leaves(&secret(""), "");
    assert!(kept.contains("Secret echo/keys leaves the repository and stays"), "{kept}");
    assert!(!kept.contains("delete Secret"), "{kept}");
    for deleted in [
        leaves(&secret(""), "prune: {kinds: [Secret]}\n"),
        leaves(&secret(", annotations: {coalmine.dev/keep: \"false\"}"), ""),
    ] {
        assert!(deleted.contains("1. delete Secret echo/keys"), "{deleted}");
        assert!(!deleted.contains("stays"), "{deleted}");
    }
}

#[test]
fn an_autoscaler_of_pods_that_the_values_count_is_named() {
    let autoscaler = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\n\
        metadata: {name: echo, namespace: echo}\n\
        spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: echo-v1}, maxReplicas: 9}\n";
    let with = |version: &str| {
        let values = format!(
            "deployment: {{v1: {version}}}\nroutes: {{apiGroup: example, primary: {{version: v1}}}}\n"
        );
        let scaled = tree(&[("platform/hpa.yaml", autoscaler), ("services/echo.yaml", &values)]);
        plain(&Proposal::of(&tree(&[]), &scaled))
    };
    let contested = with("{replicas: 3}");
    assert!(
        contested.contains(
            "warning: `deployment.v1.replicas`: HorizontalPodAutoscaler echo/echo scales Deployment echo/echo-v1"
        ),
        "{contested}"
    );
    for free in [with("{}"), with("{replicas: 0}")] {
        assert!(!free.contains("HorizontalPodAutoscaler echo/echo scales"), "{free}");
    }
}

#[test]
fn a_service_whose_file_is_renamed_keeps_answering_its_path() {
    let values = values("v1", "")
        .replace("apiGroup: example,", "apiGroup: example, paths: [{prefix: /echo}],");
    for name in ["services/alpha.yaml", "services/golf.yaml"] {
        let proposal =
            Proposal::of(&tree(&[("services/echo.yaml", &values)]), &tree(&[(name, &values)]));
        assert_ne!(proposal.verdict, Verdict::Error, "{}", plain(&proposal));
        let echo = proposal.services.iter().find(|it| it.service == "echo").expect("it goes");
        assert!(echo.steps[0].starts_with("wait until the service"), "{:?}", echo.steps);
    }
}

#[test]
fn another_service_may_not_take_the_path_of_one_that_stays() {
    let values = values("v1", "")
        .replace("apiGroup: example,", "apiGroup: example, paths: [{prefix: /echo}],");
    let table = "apiVersion: gateway.solo.io/v1\nkind: RouteTable\n\
        metadata: {name: old, namespace: old, labels: {apiGroup: example}}\n\
        spec: {routes: [{matchers: [{prefix: /echo}], directResponseAction: {status: 200}}]}\n";
    let platform = ("platform/old.yaml", table);
    let proposal =
        Proposal::of(&tree(&[platform]), &tree(&[platform, ("services/golf.yaml", &values)]));
    assert_eq!(proposal.verdict, Verdict::Error, "{}", plain(&proposal));
}

#[test]
fn a_service_that_moves_to_another_namespace_keeps_answering() {
    let moved = format!("namespace: edge\n{}", values("v1", ""));
    let proposal = between(&values("v1", ""), &moved);
    insta::assert_snapshot!(plain(&proposal), @r"
    echo: Stable (change)
      requests  before    after
      /echo*    v1 100 %  v1 100 %
      steps
        1. write Deployment edge/echo-v1, Service edge/echo
        2. write Upstream edge/echo
        3. wait until Deployment edge/echo-v1 is ready
        4. write RouteTable edge/echo-routes, and roll back to the previous routes if Gloo's status of the new ones is worse
        5. wait 3 s until every proxy goes by them
        6. delete RouteTable echo/echo-routes
        7. delete Deployment echo/echo-v1, Upstream echo/echo, Service echo/echo
    ");
}

#[test]
fn an_image_that_leaves_the_values_is_warned_of() {
    let with = |image: &str| {
        format!(
            "deployment: {{v1: {{{image}}}}}\nroutes: {{apiGroup: example, primary: {{version: v1}}}}\n"
        )
    };
    let (named, none) = (with("image: shop"), with(""));
    let leaves = plain(&between(&named, &none));
    assert!(
        leaves.contains(
            "warning: services/echo.yaml:1:14: deployment.v1.image: it leaves the values"
        ),
        "{leaves}"
    );
    let hardly = plain(&between(&with("image: shop, replicas: 2"), &named));
    assert!(!hardly.contains("warning"), "{hardly}");
    assert!(!plain(&between(&none, &with("replicas: 2"))).contains("warning"), "it never had one");
}

#[test]
fn a_mistake_in_platform_is_an_error_of_it_and_deletes_nothing() {
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, namespace: echo}\n";
    let base = tree(&[("platform/config.yaml", config)]);
    let broken = tree(&[("platform/config.yaml", "kind: ConfigMap\n")]);
    let proposal = Proposal::of(&base, &broken);
    assert_eq!(proposal.verdict, Verdict::Error);
    let text = plain(&proposal);
    assert!(text.contains("platform/config.yaml:1:1") && !text.contains("delete"), "{text}");
}

#[test]
fn a_renamed_service_with_a_domain_is_interrupted_and_the_plan_says_so() {
    let values =
        "deployment: {v1: {}}\nroutes: {domains: [shop.example], primary: {version: v1}}\n";
    let base = Tree { revision: "a".into(), ..tree(&[("services/echo.yaml", values)]) };
    let proposal = Proposal::of(&base, &tree(&[("services/golf.yaml", values)]));
    assert_ne!(proposal.verdict, Verdict::Error, "{}", plain(&proposal));
    let text = plain(&proposal);
    assert!(text.contains("shop.example is taken over from echo once golf is ready"), "{text}");
    let steps = |name: &str| -> Vec<String> {
        let mut services = proposal.services.iter();
        services.find(|it| it.service == name).expect("it changes").steps.clone()
    };
    let wait =
        "wait until the service golf is ready but for its routes, which take over its domain";
    assert_eq!(steps("echo")[0], wait);
    let golf = steps("golf");
    let last = &golf[golf.len() - 2..];
    assert_eq!(
        last,
        [
            "wait until VirtualService echo/echo is gone, which has its domain",
            "write VirtualService golf/golf"
        ]
    );
}

#[test]
fn a_service_with_a_domain_that_moves_to_another_namespace_keeps_its_domain() {
    let values = |namespace: &str| {
        format!(
            "namespace: {namespace}\ndeployment: {{v1: {{}}}}\n\
             routes: {{domains: [shop.example], primary: {{version: v1}}}}\n"
        )
    };
    let proposal = between(&values("one"), &values("two"));
    insta::assert_snapshot!(plain(&proposal), @r"
    echo: Stable (change)
      requests            before    after
      shop.example/echo*  v1 100 %  v1 100 %
      steps
        1. write Deployment two/echo-v1, Service two/echo
        2. write Upstream two/echo
        3. wait until Deployment two/echo-v1 is ready
        4. delete VirtualService one/echo
        5. write VirtualService two/echo, and roll back to the previous routes if Gloo's status of the new ones is worse
        6. wait 3 s until every proxy goes by them
        7. delete Deployment one/echo-v1, Upstream one/echo, Service one/echo
    ");
}

#[test]
fn a_virtual_service_of_the_platform_can_be_renamed() {
    let renamed = PLATFORM_YAML.replace("name: app", "name: web");
    let values = values("v1", "");
    let base = tree(&[("services/echo.yaml", &values)]);
    let mut head = base.clone();
    head.files.insert("platform/app.yaml".into(), renamed.as_str().into());
    let proposal = Proposal::of(&base, &head);
    let platform = &proposal.services[0];
    assert_eq!((platform.verdict, &platform.errors[..]), (Verdict::Change, &[][..]));
    assert_eq!(
        platform.steps[..2],
        [
            "delete VirtualService gloo-system/app",
            "write VirtualService gloo-system/web, and roll back to the previous routes if Gloo's status of the new ones is worse"
        ]
    );
}

#[test]
fn a_version_that_takes_the_deployment_of_one_that_goes_is_warned_of() {
    let warnings = |before: &str, after: &str| {
        let proposal = between(&values(before, ""), &values(after, ""));
        proposal.services.into_iter().flat_map(|it| it.warnings).collect::<Vec<_>>()
    };
    assert_eq!(
        warnings("v1.2.3-RC1", "v1.2.3-rc1"),
        [
            "services/echo.yaml:1:14: deployment.v1.2.3-rc1: its Deployment is called echo-v1-2-3-rc1, as the one of v1.2.3-RC1 is, whose \
             selector cannot change; remove v1.2.3-RC1 in a commit before, or name the version otherwise"
        ]
    );
    assert_eq!(warnings("1.4.2", "1-4-2").len(), 1);
    assert_eq!(warnings("1.4.2", "1.4.3"), [""; 0]);
    assert_eq!(warnings("1.4.2", "1.4.2,1.4.3"), [""; 0]);
    let moved = format!("namespace: elsewhere\n{}", values("1-4-2", ""));
    let moved = between(&values("1.4.2", ""), &moved);
    assert!(moved.services.iter().all(|it| it.warnings.is_empty()), "{moved:?}");
}

#[test]
fn an_object_that_moves_from_the_platform_to_a_service_is_not_deleted() {
    let upstream = "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: echo, namespace: echo}\n\
        spec: {kube: {serviceName: echo, serviceNamespace: echo, servicePort: 80}}\n";
    let values = values("v1", "");
    let (by_hand, by_service) =
        (tree(&[("platform/echo.yaml", upstream)]), tree(&[("services/echo.yaml", &values)]));
    for (base, head) in [(&by_hand, &by_service), (&by_service, &by_hand)] {
        let proposal = Proposal::of(base, head);
        let steps: Vec<&String> = proposal.services.iter().flat_map(|it| &it.steps).collect();
        let deletes = |step: &&&String| step.starts_with("delete") && step.contains("Upstream");
        assert_eq!(steps.iter().find(deletes), None, "{steps:?}");
        assert!(steps.iter().any(|step| step.contains("Upstream echo/echo")), "{steps:?}");
    }
    let proposal = Proposal::of(&by_hand, &by_service);
    assert_ne!(proposal.verdict, Verdict::Error, "{}", plain(&proposal));
}

/// What `validate` and `plan` say about a service with these options on its routes: whether it is refused, and the
/// notes.
fn with_options(settings: &str, options: &str) -> (bool, Vec<String>) {
    let service = |options: &str| {
        format!(
            "deployment: {{v1: {{}}}}\nroutes: {{apiGroup: example, {options}primary: {{version: v1}}}}\n"
        )
    };
    let before = service("");
    let after = service(&format!("options: {options}, "));
    let [before, after] = [before, after]
        .map(|service| tree(&[("coalmine.yaml", settings), ("services/echo.yaml", &service)]));
    let judgement = Judgement::of(&Expected::of(&after));
    let proposal = Proposal::of(&before, &after);
    let echo = &proposal.services[0];
    let refused = judgement.refused.contains_key("echo");
    assert_eq!(refused, echo.verdict == Verdict::Error, "plan and validate agree: {options}");
    assert_eq!(judgement.notes["echo"], echo.notes, "plan and validate agree: {options}");
    (refused, echo.notes.clone())
}

#[test]
fn protection_that_gloo_would_drop_is_refused_where_the_edition_is_known_and_noted_where_not() {
    let [open, enterprise] =
        ["open-source", "enterprise"].map(|it| format!("gloo: {{edition: {it}}}\n"));
    for options in [
        "{jwt: {disable: true}}",
        "{waf: {disabled: true}}",
        "{rbac: {disable: true}}",
        "{extProc: {disabled: true}}",
        "{dlp: {actions: []}}",
        "{extensions: {}}",
        "{ratelimitBasic: {}}",
        "{extauth: {configRef: {name: it, namespace: x}}}",
    ] {
        assert_eq!(with_options(&open, options), (true, vec![]), "{options}");
        let (refused, notes) = with_options(&enterprise, options);
        assert!(!refused && notes.len() == 1, "{options}: {notes:?}");
        let (refused, notes) = with_options("", options);
        assert!(!refused && notes.len() == 1, "{options}: {notes:?}");
        let words = "nobody has said which Gloo this is";
        assert!(
            notes[0].starts_with("RouteTable echo/echo-routes: options.")
                && notes[0].contains(words)
        );
    }
    let cors = "{cors: {allowOriginRegex: ['(']}}";
    assert_eq!(with_options("", cors), (true, vec![]), "every Gloo drops it");
    for options in ["{csrf: {}}", "{ratelimit: {}}", "{extauth: {disable: true}}"] {
        for settings in ["", &open, &enterprise] {
            let (refused, notes) = with_options(settings, options);
            assert!(!refused && notes.len() == 1, "{options}: {notes:?}");
        }
    }
}

#[test]
fn a_secret_that_was_looked_for_is_judged_and_another_is_noted() {
    let options = "options: {headerManipulation: {requestHeadersToAdd: [{headerSecretRef: {name: token, namespace: x}}]}}, ";
    let service = format!(
        "deployment: {{v1: {{}}}}\nroutes: {{apiGroup: example, {options}primary: {{version: v1}}}}\n"
    );
    let expected = || Expected::of(&tree(&[("services/echo.yaml", &service)]));
    let unknown = Judgement::of(&expected());
    assert!(unknown.refused.is_empty());
    assert!(
        unknown.notes["echo"][0].contains("Secret x/token was not read"),
        "{:?}",
        unknown.notes
    );
    let token = ObjectRef::new("Secret", "x", "token");
    assert_eq!(expected().unread_secrets(), BTreeSet::from([token.clone()]));
    let missing = Secrets { missing: BTreeSet::from([token]), ..Secrets::default() };
    let judged = Judgement::of(&expected().beside(missing));
    assert!(
        judged.refused["echo"].contains("list did not find secret x.token"),
        "{:?}",
        judged.refused
    );
    let found = serde_json::json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "token", "namespace": "x"}, "stringData": {"authorization": "x"}});
    let expected = expected().beside(Secrets { found: vec![found], ..Secrets::default() });
    let judged = Judgement::of(&expected);
    assert!(judged.refused.is_empty() && expected.unread_secrets().is_empty(), "{judged:?}");
}

#[test]
fn the_gateways_that_would_serve_a_service_are_named() {
    let gateway = |name: &str, port: u16| {
        format!(
            "apiVersion: gateway.solo.io/v1\nkind: Gateway\nmetadata: {{name: {name}, namespace: gloo-system}}\n\
             spec: {{bindPort: {port}, httpGateway: {{}}}}\n"
        )
    };
    let tree = tree(&[
        ("platform/public.yaml", &gateway("public", 80)),
        ("platform/private.yaml", &gateway("private", 81)),
        ("services/echo.yaml", &values("v1", "")),
    ]);
    let gateways = &Judgement::of(&Expected::of(&tree)).gateways["echo"];
    let names: Vec<&str> = gateways.iter().map(String::as_str).collect();
    assert_eq!(names, ["gloo-system/private", "gloo-system/public"]);
}

/// Two services behind a Gateway, echo with this path.
fn behind_a_gateway(profile: &str, path: &str, platform: &[(&str, &str)]) -> Tree {
    let settings = format!(
        "gateway: {{api: gateway-api, profile: {profile}, gateways: [{{name: edge, namespace: infra}}]}}\n"
    );
    let values = |path: &str| {
        format!(
            "deployment: {{v1: {{}}}}\nroutes: {{apiGroup: example, primary: {{version: v1}}, paths: [{path}]}}\n"
        )
    };
    let (echo, foxtrot) = (values(path), values("{prefix: /foxtrot}"));
    let mut files: Vec<(&str, &str)> = vec![
        ("coalmine.yaml", &settings),
        ("services/echo.yaml", &echo),
        ("services/foxtrot.yaml", &foxtrot),
    ];
    files.extend(platform);
    tree(&files)
}

#[test]
fn http_routes_are_judged_by_the_implementation_that_serves_them() {
    let words: Vec<String> =
        (1..=40).map(|number| format!("{:08x}", 2_654_435_761_u32.wrapping_mul(number))).collect();
    let long = format!("{{regex: '/echo/({})'}}", words.join("|"));
    for (profile, path, expected) in [
        ("kgateway", "{prefix: /echo}", None),
        ("envoy-gateway", "{prefix: /echo}", None),
        ("portable", "{prefix: /echo}", None),
        ("kgateway", &long, Some("Envoy would refuse the whole route configuration")),
        ("envoy-gateway", &long, None),
        ("kgateway", "{regex: '/.*'}", Some("would take the requests of /foxtrot")),
        ("envoy-gateway", "{regex: '/.*'}", Some("would take the requests of /foxtrot")),
    ] {
        let after = behind_a_gateway(profile, path, &[]);
        let judgement = Judgement::of(&Expected::of(&after));
        let refused: Vec<&String> = judgement.refused.values().collect();
        // Of two that come together the first has what both want.
        let is_freeze = expected.is_some_and(|words| words.starts_with("Envoy"));
        assert_eq!(refused.len(), usize::from(is_freeze), "{profile} {path}: {refused:?}");
        let before = behind_a_gateway(profile, "{prefix: /echo}", &[]);
        let objections = Proposal::of(&before, &after).objections("echo");
        assert_eq!(objections.len(), usize::from(expected.is_some()), "{profile}: {objections:?}");
        if let Some(expected) = expected {
            assert!(objections[0].line().contains(expected), "{profile}: {objections:?}");
        }
        assert!(judgement.notes.values().all(Vec::is_empty), "{:?}", judgement.notes);
        // What stands in for the parent of others that selects kgateway's is not told.
        let named = (profile != "kgateway").then(|| "infra/edge".to_owned());
        assert_eq!(judgement.gateways["foxtrot"], named.into_iter().collect());
    }
}

#[test]
fn a_gateway_in_the_tree_takes_the_place_of_one_that_is_assumed() {
    let gateway = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: edge, namespace: infra}\n\
        spec: {gatewayClassName: ours, listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: \
        {from: FROM}}}]}\n";
    for (from, refused) in
        [("All", 0), ("Same", 2), ("Selector, selector: {matchLabels: {team: a}}", 0)]
    {
        let gateway = gateway.replace("FROM", from);
        let tree = behind_a_gateway(
            "envoy-gateway",
            "{prefix: /echo}",
            &[("platform/gateway.yaml", &gateway)],
        );
        let judgement = Judgement::of(&Expected::of(&tree));
        assert_eq!(judgement.refused.len(), refused, "{from}: {:?}", judgement.refused);
        // Nothing is known of the labels of namespaces that are not in the tree.
        let proposal =
            Proposal::of(&behind_a_gateway("envoy-gateway", "{prefix: /echo}", &[]), &tree);
        let objections = proposal.objections("platform");
        assert_eq!(objections.is_empty(), refused == 0, "{from}: {objections:?}");
    }
}
