//! Who was there first keeps it: names, paths, domains, and what lies within them.

use coalmine_core::kind::Kind;
use coalmine_core::proposal::Expected;
use coalmine_core::values::{Applied, Reader, Repository};

use super::{PLAIN, errors, tree, with_path};

/// What is said about the services of a revision that comes after another.
fn after(
    before: &[(&str, &str)],
    after: &[(&str, &str)],
) -> std::collections::BTreeMap<String, String> {
    let before = tree(before);
    assert!(errors(&Repository::parse(&before)).is_empty());
    errors(&Repository::parse_after([&before], &tree(after)))
}

#[test]
fn a_name_stays_with_its_service() {
    let owner = ("services/foxtrot.yaml", PLAIN);
    let newcomer = ("services/team-a/foxtrot.yaml", PLAIN);
    let found = after(&[owner], &[owner, newcomer]);
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        [(
            "services/team-a/foxtrot.yaml".to_owned(),
            "services/team-a/foxtrot.yaml:1:1: services/foxtrot.yaml is the service foxtrot already; rename this \
             file: a file's name is its service's, and a name is used once"
                .to_owned()
        )]
    );
    // The order of the paths means nothing.
    let newcomer = ("services/a/foxtrot.yaml", PLAIN);
    assert_eq!(after(&[owner], &[newcomer, owner]).len(), 1);
    // A file that moves is the same service.
    assert!(after(&[owner], &[newcomer]).is_empty());
    // Its owner's mistake gives it to nobody.
    let broken = ("services/foxtrot.yaml", "deployment: [");
    let found = after(&[owner], &[broken, newcomer]);
    assert_eq!(
        found.keys().map(String::as_str).collect::<Vec<_>>(),
        ["foxtrot", "services/a/foxtrot.yaml"]
    );
    assert!(found["foxtrot"].starts_with("services/foxtrot.yaml:1:"), "{found:?}");
}

#[test]
fn a_path_stays_with_its_service() {
    let owner = ("services/payments.yaml", PLAIN);
    for path in ["{prefix: /payments}", "{prefix: /payments, methods: [GET]}"] {
        let file = with_path(path);
        let found = after(&[owner], &[owner, ("services/team-a/it.yaml", &file)]);
        assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["it"], "{path}");
        assert!(
            found["it"].contains("services/payments.yaml has the prefix path \"/payments\" in apiGroup example already"),
            "{found:?}"
        );
    }
    // Its owner's mistake gives it to nobody, and neither does what the newcomer does meanwhile.
    let file = with_path("{prefix: /payments}");
    let newcomer = ("services/team-a/it.yaml", &*file);
    let mut reader = Reader::default();
    reader.read(&tree(&[owner]));
    let broken = ("services/payments.yaml", "deployment: [");
    for _ in 0..3 {
        let found = errors(&reader.read(&tree(&[broken, newcomer])));
        assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["it", "payments"]);
    }
    let found = errors(&reader.read(&tree(&[owner, newcomer])));
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["it"]);
    // Its owner moves the file.
    let moved = ("services/team-b/payments.yaml", PLAIN);
    let found = errors(&reader.read(&tree(&[moved, newcomer])));
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["it"]);
    errors(&reader.read(&tree(&[owner, newcomer])));
    // Once its owner gives it up, it is free.
    let elsewhere = with_path("{prefix: /pay}");
    let moved = ("services/payments.yaml", &*elsewhere);
    assert!(
        errors(&reader.read(&tree(&[moved, newcomer]))).contains_key("it"),
        "a carve-out of /pay"
    );
    assert!(errors(&reader.read(&tree(&[newcomer]))).is_empty());
    let found = errors(&reader.read(&tree(&[owner, newcomer])));
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["payments"]);
}

#[test]
fn a_domain_stays_with_its_service() {
    let file = |domain: &str| {
        format!(
            "deployment: {{v1: {{}}}}\nroutes: {{domains: ['{domain}'], primary: {{version: v1}}}}\n"
        )
    };
    let (owner, newcomer) = (file("a.example"), file("A.Example"));
    let owner = ("services/owner.yaml", &*owner);
    let found = after(&[owner], &[owner, ("services/a.yaml", &newcomer)]);
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["a"]);
    // What is within a domain of another folder is a carve-out.
    let (owner, newcomer) = (file("*.a.example"), file("login.a.example"));
    let owner = ("services/owner.yaml", &*owner);
    let found = after(&[owner], &[owner, ("services/team-a/a.yaml", &newcomer)]);
    assert!(found["a"].contains("would take requests of services/owner.yaml"), "{found:?}");
    assert!(after(&[owner], &[owner, ("services/a.yaml", &newcomer)]).is_empty(), "one folder");
    // A `*` stands for something: this takes nothing from the owner.
    let (wide, other) = (file("*a.example"), file("a.example"));
    let wide = ("services/owner.yaml", &*wide);
    assert!(after(&[wide], &[wide, ("services/team-a/a.yaml", &other)]).is_empty());
    let other = file("ba.example");
    assert_eq!(after(&[wide], &[wide, ("services/team-a/a.yaml", &other)]).len(), 1);
    // Envoy looks for a `*` at the beginning before one at the end, and `a.b.example` fits both.
    let (end, beginning) = (file("a.*"), file("*.example"));
    let (end, beginning) =
        [("services/owner.yaml", &*end), ("services/team-a/a.yaml", &*beginning)].into();
    let found = after(&[end], &[end, beginning]);
    assert!(found["a"].contains("would take requests of services/owner.yaml"), "{found:?}");
    assert!(after(&[beginning], &[beginning, end]).is_empty(), "what comes behind takes nothing");
    let policy = "folders: {team-a: {namespaces: [a], domains: [login.a.example]}}\n";
    let files = [("coalmine.yaml", policy), owner, ("services/team-a/a.yaml", &newcomer)];
    assert!(after(&[owner], &files).is_empty(), "the platform team's word");
}

#[test]
fn the_object_of_a_service_stays_with_it() {
    let owner = "namespace: shop\ndeployment: {v2-v1: {}}\nroutes: {apiGroup: example, primary: {version: v2-v1}}\n";
    let newcomer = "namespace: shop\ndeployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}}\n";
    let owner = ("services/echo.yaml", owner);
    let found = after(&[owner], &[owner, ("services/team-a/echo-v2.yaml", newcomer)]);
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["echo-v2"]);
}

#[test]
fn nobody_of_another_folder_carves_requests_out_of_a_path() {
    let owner = with_path(
        "{prefix: /echo}, {exact: /exact}, {regex: '/re/[a-z]+'}, {prefix: /post, methods: [POST]}",
    );
    let owner = ("services/echo.yaml", &*owner);
    let found = |path: &str, folder: &str| {
        let file = with_path(path);
        let name = format!("services/{folder}it.yaml");
        after(&[owner], &[owner, (&name, &file)])
    };
    for path in [
        "{prefix: /echo/login}",
        "{prefix: /echoes}",
        "{exact: /echo}",
        "{exact: /echo/login}",
        "{regex: '/echo/.*'}",
        "{regex: '/e.*'}",
        "{regex: '.*'}",
        "{prefix: /, methods: [GET]}",
        "{prefix: /, methods: [GET, POST]}",
        "{prefix: /echo, queryParameters: {a: b}}",
        "{exact: /re/abc}",
        "{regex: '/re/abc.*'}",
        "{prefix: /post/login, methods: [POST, PUT]}",
    ] {
        let errors = found(path, "team-a/");
        assert_eq!(errors.keys().map(String::as_str).collect::<Vec<_>>(), ["it"], "{path}");
        assert!(
            errors["it"].contains("would take requests of services/echo.yaml"),
            "{path}: {errors:?}"
        );
        assert!(
            errors["it"].contains("`routes.allowCarveOut: true` in services/echo.yaml"),
            "{errors:?}"
        );
    }
    for path in [
        // What Gloo puts behind the owner's.
        "{prefix: /}",
        "{prefix: /ech}",
        "{prefix: /other}",
        "{prefix: /exact/b}",
        "{prefix: /post/login, methods: [GET, PUT]}",
    ] {
        assert!(found(path, "team-a/").is_empty(), "{path}: {:?}", found(path, "team-a/"));
    }
    // Within a folder it is the owners' own affair.
    assert!(found("{prefix: /echo/login}", "").is_empty());
}

#[test]
fn a_carve_out_needs_the_word_of_the_wideor_the_platform() {
    let carve = with_path("{prefix: /echo/login}");
    let newcomer = ("services/team-a/it.yaml", &*carve);
    let owner = ("services/echo.yaml", PLAIN);
    let allows = PLAIN.replace("primary:", "allowCarveOut: true, primary:");
    let allows = ("services/echo.yaml", &*allows);
    assert!(after(&[owner], &[owner, newcomer]).contains_key("it"));
    assert!(after(&[owner], &[allows, newcomer]).is_empty());
    let policy =
        "folders: {team-a: {namespaces: [it], apiGroups: [example], paths: [/echo/login]}}\n";
    assert!(after(&[owner], &[("coalmine.yaml", policy), owner, newcomer]).is_empty());
    // What was there first is no carve-out of what came later.
    let wide = with_path("{prefix: /echo}");
    let wide = ("services/team-b/wide.yaml", &*wide);
    assert!(after(&[newcomer], &[newcomer, wide]).is_empty());
    let regex = with_path("{regex: '/echo/.*'}");
    let found = after(&[newcomer], &[newcomer, ("services/team-b/wide.yaml", &regex)]);
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["wide"]);
}

#[test]
fn long_paths_and_domains_cost_no_more_than_their_length() {
    let deep = format!("/echo{}", "/a".repeat(100_000));
    let file = with_path(&format!("{{exact: {deep}}}"));
    let found = after(
        &[("services/echo.yaml", PLAIN)],
        &[("services/echo.yaml", PLAIN), ("services/team-a/it.yaml", &file)],
    );
    assert!(found["it"].contains("would take requests"), "{:.200}", found["it"]);
    let domain = format!("{}.example", "a".repeat(100_000));
    let file = format!(
        "deployment: {{v1: {{}}}}\nroutes: {{domains: [{domain}], primary: {{version: v1}}}}\n"
    );
    let files = [("services/team-a/it.yaml", &*file)];
    assert!(after(&files, &files).is_empty());
}

/// As [`what_the_cluster_has_stays_with_its_service_when_a_daemon_starts`], where the routes are HTTPRoutes.
#[test]
fn what_the_http_routes_of_the_cluster_take_stays_with_its_service_when_a_daemon_starts() {
    for profile in ["kgateway", "envoy-gateway", "portable"] {
        let settings = format!(
            "gateway: {{api: gateway-api, profile: {profile}, gateways: [{{name: edge, namespace: infra}}]}}\n"
        );
        let at = |paths: &str| {
            format!(
                "deployment: {{v1: {{}}}}\nroutes: {{apiGroup: a, paths: [{paths}], primary: {{version: v1}}}}\n"
            )
        };
        let domain = |name: &str| {
            format!(
                "deployment: {{v1: {{}}}}\nroutes: {{domains: [{name}], primary: {{version: v1}}}}\n"
            )
        };
        let zulu =
            at("{prefix: /a}, {exact: /b}, {regex: /c.*}, {prefix: /d, methods: [GET, PUT]}, \
             {prefix: /e, queryParameters: {q: x}}");
        let yankee = domain("y.example");
        let owners = [
            ("coalmine.yaml", &*settings),
            ("services/zulu.yaml", &*zulu),
            ("services/yankee.yaml", &*yankee),
        ];
        for (name, file) in [
            ("prefix", at("{prefix: /a}")),
            ("exact", at("{exact: /b}")),
            ("regex", at("{regex: /c.*}")),
            ("methods", at("{prefix: /d, methods: [PUT, GET]}")),
            ("parameters", at("{prefix: /e, queryParameters: {q: x}}")),
            ("domain", domain("Y.example")),
        ] {
            let path = format!("services/{name}.yaml");
            let both: Vec<_> =
                owners.iter().copied().chain([(path.as_str(), file.as_str())]).collect();
            let mut reader = Reader::default();
            reader.remember(applied(&owners));
            let found = errors(&reader.read(&tree(&both)));
            let names: Vec<_> = found.keys().map(String::as_str).collect();
            assert_eq!(names, [name], "{profile}: {found:?}");
        }
    }
}

/// What the cluster has once these files are applied.
fn applied(files: &[(&str, &str)]) -> Applied {
    let expected = Expected::of(&tree(files));
    let jobs: Vec<_> = expected.names().filter_map(|name| expected.job(name)).collect();
    let objects = jobs.iter().flat_map(|job| {
        job.desired.manifests().map(|manifest| (manifest.id(), job.service.as_str()))
    });
    let manifests = jobs.iter().flat_map(|job| job.desired.manifests());
    let routes = manifests.filter(|manifest| manifest.id().is(Kind::HttpRoute));
    let routes = routes.map(|route| (route.id().clone(), route.object().clone()));
    Applied::of(&expected.cluster(), &routes.collect(), objects)
}

#[test]
fn what_the_cluster_has_stays_with_its_service_when_a_daemon_starts() {
    let domains = |domain: &str| {
        format!(
            "deployment: {{v1: {{}}}}\nroutes: {{domains: [{domain}], primary: {{version: v1}}}}\n"
        )
    };
    let (own, theirs) = (domains("a.example"), domains("A.example"));
    let owners = [
        ("services/payments.yaml", PLAIN),
        ("services/shop.yaml", &*own),
        ("services/zulu.yaml", PLAIN),
    ];
    let path = with_path("{prefix: /payments}");
    let carve = with_path("{prefix: /zulu/login}");
    let elsewhere = format!("namespace: elsewhere\n{PLAIN}");
    let newcomers = [
        ("services/a/path.yaml", &*path),
        ("services/a/domain.yaml", &*theirs),
        ("services/a/carve.yaml", &*carve),
        ("services/a/zulu.yaml", &*elsewhere),
    ];
    let both: Vec<_> = owners.iter().chain(&newcomers).copied().collect();
    let mut reader = Reader::default();
    reader.remember(applied(&owners));
    for _ in 0..2 {
        let found = errors(&reader.read(&tree(&both)));
        let names: Vec<_> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["carve", "domain", "path", "services/a/zulu.yaml"], "{found:?}");
    }
    // A carve-out that the cluster has is no newcomer.
    let mut reader = Reader::default();
    reader.remember(applied(&[
        owners[2],
        newcomers[2],
        ("services/zulu.yaml", &PLAIN.replace("primary:", "allowCarveOut: true, primary:")),
    ]));
    assert!(errors(&reader.read(&tree(&[owners[2], newcomers[2]]))).is_empty());
    // Its owner's mistake gives it to nobody.
    let mut reader = Reader::default();
    reader.remember(applied(&owners));
    let broken = ("services/payments.yaml", "deployment: [");
    for _ in 0..2 {
        let found = errors(&reader.read(&tree(&[broken, owners[1], owners[2], newcomers[0]])));
        assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["path", "payments"]);
        assert!(found["path"].contains("the service payments has the prefix path"), "{found:?}");
    }
    // What it gave up is free, also for a service that the cluster did not know.
    assert!(errors(&reader.read(&tree(&[newcomers[0]]))).is_empty());
}
