//! Values of every field.

use std::collections::BTreeMap;
use std::fmt::Debug;

use gloo::ResourceRef;
use gloo::api::*;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::there_and_back;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![select(&["", "a", "/echo", "%REQ(x)%", "é"][..]).prop_map(String::from), ".{0,4}"]
}

fn strings() -> impl Strategy<Value = Vec<String>> {
    vec(text(), 0..3)
}

fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(text(), text(), 0..3)
}

fn percentage() -> impl Strategy<Value = f32> {
    prop_oneof![select(&[0.0, 25.0, 0.1, 33.3][..]), -1e6_f32..1e6]
}

fn duration() -> impl Strategy<Value = Duration> {
    any::<i32>().prop_map(|millis| Duration::from_millis(millis.into()))
}

fn reference() -> impl Strategy<Value = ResourceRef> {
    (text(), text()).prop_map(|(namespace, name)| ResourceRef::new(namespace, name))
}

/// Fields that no type of ours has, nested and with `null`.
fn unknown() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from)
    ];
    let value = leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map(text(), inner, 0..3).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    let name = select(&["extauth", "rateLimit", "zeta", "_a"][..]).prop_map(String::from);
    vec((name, value), 0..3).prop_map(|fields| fields.into_iter().collect())
}

fn open() -> impl Strategy<Value = Option<Box<Open>>> {
    of(unknown().prop_map(|fields| Box::new(Open::from(fields))).boxed())
}

prop_compose! {
    fn matcher()(
        (prefix, exact, regex) in (of(text()), of(text()), of(text())),
        connect_matcher in open(),
        case_sensitive in any::<Option<bool>>(),
        headers in vec((text(), text(), any::<bool>(), any::<bool>()), 0..3),
        query in vec((text(), text(), any::<bool>()), 0..3),
        methods in strings(),
    ) -> Matcher {
        let header = |(name, value, regex, invert_match)| HeaderMatcher { name, value, regex, invert_match };
        let parameter = |(name, value, regex)| QueryParameterMatcher { name, value, regex };
        Matcher {
            prefix, exact, regex, connect_matcher, case_sensitive, methods,
            headers: headers.into_iter().map(header).collect(),
            query_parameters: query.into_iter().map(parameter).collect(),
        }
    }
}

prop_compose! {
    fn header_value()(
        header in of((text(), text())),
        header_secret_ref in of(reference()),
        append in any::<Option<bool>>(),
    ) -> HeaderValueOption {
        let header = header.map(|(key, value)| HeaderValue { key, value });
        HeaderValueOption { header, header_secret_ref, append }
    }
}

prop_compose! {
    fn header_manipulation()(
        request_headers_to_add in vec(header_value(), 0..3),
        request_headers_to_remove in strings(),
        response_headers_to_add in vec(header_value(), 0..3),
        response_headers_to_remove in strings(),
    ) -> HeaderManipulation {
        HeaderManipulation {
            request_headers_to_add, request_headers_to_remove,
            response_headers_to_add, response_headers_to_remove,
        }
    }
}

prop_compose! {
    fn retries()(
        retry_on in text(),
        num_retries in any::<u32>(),
        per_try_timeout in of(duration()),
        back_off in of((of(duration()), of(duration()))),
        retriable_status_codes in vec(any::<u32>(), 0..3),
        unsupported in unknown(),
    ) -> RetryPolicy {
        let back_off = back_off.map(|(base_interval, max_interval)| RetryBackOff { base_interval, max_interval });
        RetryPolicy { retry_on, num_retries, per_try_timeout, retry_back_off: back_off, retriable_status_codes, unsupported }
    }
}

prop_compose! {
    fn cors()(
        (allow_origin, allow_origin_regex, allow_methods) in (strings(), strings(), strings()),
        (allow_headers, expose_headers, max_age) in (strings(), strings(), text()),
        (allow_credentials, disable_for_route) in any::<(bool, bool)>(),
    ) -> Cors {
        Cors {
            allow_origin, allow_origin_regex, allow_methods, allow_headers,
            expose_headers, max_age, allow_credentials, disable_for_route,
        }
    }
}

fn rewrite() -> impl Strategy<Value = RegexRewrite> {
    (text(), text()).prop_map(|(regex, substitution)| RegexRewrite {
        pattern: RegexPattern { regex },
        substitution,
    })
}

fn faults() -> impl Strategy<Value = Faults> {
    let abort = (percentage(), any::<u32>());
    let abort = abort.prop_map(|(percentage, http_status)| AbortFault { percentage, http_status });
    let delay = (percentage(), of(duration()));
    let delay = delay.prop_map(|(percentage, fixed_delay)| DelayFault { percentage, fixed_delay });
    (of(abort), of(delay)).prop_map(|(abort, delay)| Faults { abort, delay })
}

fn shadowing() -> impl Strategy<Value = Shadowing> {
    (of(reference()), percentage(), any::<bool>(), text()).prop_map(
        |(upstream, percentage, disable_shadow_host_suffix_append, host_rewrite_literal)| {
            Shadowing {
                upstream,
                percentage,
                disable_shadow_host_suffix_append,
                host_rewrite_literal,
            }
        },
    )
}

fn hash() -> impl Strategy<Value = LbHash> {
    let policy = (of(text()), of((text(), of(duration()), text())), any::<(Option<bool>, bool)>());
    let policy = policy.prop_map(|(header, cookie, (source_ip, terminal))| {
        let cookie = cookie.map(|(name, ttl, path)| HashCookie { name, ttl, path });
        HashPolicy { header, cookie, source_ip, terminal }
    });
    vec(policy, 0..3).prop_map(|hash_policies| LbHash { hash_policies })
}

fn upgrades() -> impl Strategy<Value = Vec<Upgrade>> {
    let spec = || of(any::<Option<bool>>().prop_map(|enabled| UpgradeSpec { enabled }));
    let upgrade = (spec(), spec(), spec());
    let upgrade = upgrade.prop_map(|(websocket, connect, connect_terminate)| Upgrade {
        websocket,
        connect,
        connect_terminate,
    });
    vec(upgrade, 0..3)
}

fn stream() -> impl Strategy<Value = MaxStreamDuration> {
    (of(duration()), of(duration()), of(duration())).prop_map(
        |(max_stream_duration, grpc_timeout_header_max, grpc_timeout_header_offset)| {
            MaxStreamDuration {
                max_stream_duration,
                grpc_timeout_header_max,
                grpc_timeout_header_offset,
            }
        },
    )
}

prop_compose! {
    fn route_options()(
        (faults, prefix_rewrite, timeout) in (of(faults().boxed()), of(text()), of(duration())),
        (retries, shadowing) in (of(retries().boxed()), of(shadowing().boxed())),
        header_manipulation in of(header_manipulation().boxed()),
        (host_rewrite, host_rewrite_header) in (of(text()), of(text())),
        (auto_host_rewrite, append_x_forwarded_host) in any::<(Option<bool>, Option<bool>)>(),
        (host_rewrite_path_regex, regex_rewrite) in (of(rewrite()), of(rewrite())),
        (cors, lb_hash, upgrades) in (of(cors().boxed()), of(hash().boxed()), upgrades()),
        (max_stream_duration, idle_timeout) in (of(stream().boxed()), of(duration())),
        envoy_metadata in btree_map(text(), unknown().prop_map(Open::from).boxed(), 0..2).boxed(),
        unsupported in unknown(),
    ) -> RouteOptions {
        RouteOptions {
            faults, prefix_rewrite, timeout, retries, shadowing, header_manipulation, host_rewrite,
            auto_host_rewrite, host_rewrite_path_regex, host_rewrite_header, append_x_forwarded_host,
            cors, lb_hash, upgrades, regex_rewrite, max_stream_duration, idle_timeout,
            envoy_metadata, unsupported,
        }
    }
}

prop_compose! {
    fn virtual_host_options()(
        retries in of(retries().boxed()),
        header_manipulation in of(header_manipulation().boxed()),
        cors in of(cors().boxed()),
        include_request_attempt_count in any::<Option<bool>>(),
        include_attempt_count_in_response in any::<Option<bool>>(),
        unsupported in unknown(),
    ) -> VirtualHostOptions {
        VirtualHostOptions {
            retries, header_manipulation, cors, include_request_attempt_count,
            include_attempt_count_in_response, unsupported,
        }
    }
}

prop_compose! {
    fn destination()(
        upstream in of(reference()),
        (kube, consul) in (open(), open()),
        functions in of((open(), open(), open(), open())),
        subset in of(labels()),
    ) -> Destination {
        let spec = functions.map(|(aws, azure, rest, grpc)| Box::new(DestinationSpec { aws, azure, rest, grpc }));
        let subset = subset.map(|values| Subset { values });
        Destination { upstream, kube, consul, destination_spec: spec, subset }
    }
}

fn weighted() -> impl Strategy<Value = WeightedDestination> {
    let options = (of(header_manipulation().boxed()), unknown());
    let options = options.prop_map(|(header_manipulation, unsupported)| {
        Box::new(WeightedDestinationOptions { header_manipulation, unsupported })
    });
    (of(destination().boxed()), any::<Option<u32>>(), of(options)).prop_map(
        |(destination, weight, options)| WeightedDestination { destination, weight, options },
    )
}

prop_compose! {
    fn route_action()(
        single in of(destination().boxed()),
        multi in of(vec(weighted().boxed(), 0..3)),
        upstream_group in of(reference()),
        cluster_header in of(text()),
        dynamic_forward_proxy in open(),
    ) -> Box<RouteAction> {
        let multi = multi.map(|destinations| MultiDestination { destinations });
        Box::new(RouteAction { single, multi, upstream_group, cluster_header, dynamic_forward_proxy })
    }
}

prop_compose! {
    fn redirect()(
        host_redirect in text(),
        (path_redirect, prefix_rewrite, regex_rewrite) in (of(text()), of(text()), of(rewrite())),
        response_code in select(&[
            RedirectCode::MovedPermanently, RedirectCode::Found, RedirectCode::SeeOther,
            RedirectCode::TemporaryRedirect, RedirectCode::PermanentRedirect,
        ][..]),
        (https_redirect, strip_query, port_redirect) in any::<(bool, bool, Option<u32>)>(),
    ) -> Box<RedirectAction> {
        Box::new(RedirectAction {
            host_redirect, path_redirect, prefix_rewrite, regex_rewrite, response_code,
            https_redirect, strip_query, port_redirect,
        })
    }
}

fn expression() -> impl Strategy<Value = Expression> {
    let operator = select(
        &[
            Operator::Equals,
            Operator::DoubleEquals,
            Operator::NotEquals,
            Operator::In,
            Operator::NotIn,
            Operator::Exists,
            Operator::DoesNotExist,
            Operator::GreaterThan,
            Operator::LessThan,
        ][..],
    );
    (text(), operator, strings()).prop_map(|(key, operator, values)| Expression {
        key,
        operator,
        values,
    })
}

prop_compose! {
    fn delegate()(
        (name, namespace) in (text(), text()),
        reference in of(reference()),
        selector in of((strings(), labels(), vec(expression(), 0..3))),
    ) -> DelegateAction {
        let selector = selector.map(|(namespaces, labels, expressions)| {
            RouteTableSelector { namespaces, labels, expressions }
        });
        DelegateAction { name, namespace, reference, selector }
    }
}

prop_compose! {
    fn route()(
        name in text(),
        matchers in vec(matcher().boxed(), 0..3),
        (inheritable_matchers, inheritable_path_matchers) in any::<(Option<bool>, Option<bool>)>(),
        (route_action, redirect_action) in (of(route_action().boxed()), of(redirect().boxed())),
        direct_response in of((any::<u32>(), text())),
        delegate_action in of(delegate().boxed()),
        options in of(route_options().prop_map(Box::new).boxed()),
        options_config_refs in of(references()),
    ) -> Route {
        let direct_response_action =
            direct_response.map(|(status, body)| DirectResponseAction { status, body });
        Route {
            name, matchers, inheritable_matchers, inheritable_path_matchers, route_action,
            redirect_action, direct_response_action, delegate_action, options, options_config_refs,
        }
    }
}

fn route_table() -> impl Strategy<Value = RouteTableSpec> {
    (vec(route().boxed(), 0..3), any::<Option<i32>>())
        .prop_map(|(routes, weight)| RouteTableSpec { routes, weight })
}

prop_compose! {
    fn virtual_host()(
        domains in strings(),
        routes in vec(route().boxed(), 0..2),
        options in of(virtual_host_options().boxed()),
        options_config_refs in of(references()),
    ) -> VirtualHost {
        VirtualHost { domains, routes, options, options_config_refs }
    }
}

fn references() -> impl Strategy<Value = OptionsConfigRefs> {
    vec(reference(), 0..3).prop_map(|delegate_options| OptionsConfigRefs { delegate_options })
}

fn ssl_config() -> impl Strategy<Value = Box<SslConfig>> {
    let files = of((text(), text()));
    (of(reference()), files, strings(), any::<Option<bool>>(), unknown()).prop_map(
        |(secret_ref, files, sni_domains, one_way_tls, rest)| {
            let ssl_files = files.map(|(tls_cert, root_ca)| SslFiles {
                tls_cert,
                root_ca,
                ..SslFiles::default()
            });
            let config = SslConfig {
                secret_ref,
                ssl_files,
                sni_domains,
                one_way_tls,
                rest,
                ..SslConfig::default()
            };
            Box::new(config)
        },
    )
}

fn virtual_service() -> impl Strategy<Value = VirtualServiceSpec> {
    (of(virtual_host().boxed()), of(ssl_config()), text()).prop_map(
        |(virtual_host, ssl_config, display_name)| VirtualServiceSpec {
            virtual_host,
            ssl_config,
            display_name,
        },
    )
}

fn subsets() -> impl Strategy<Value = SubsetSpec> {
    let selector = (strings(), any::<bool>());
    let selector = selector
        .prop_map(|(keys, single_host_per_subset)| SubsetSelector { keys, single_host_per_subset });
    let policies =
        [FallbackPolicy::AnyEndpoint, FallbackPolicy::DefaultSubset, FallbackPolicy::NoFallback];
    (vec(selector, 0..3), select(policies.to_vec()), of(labels())).prop_map(
        |(selectors, fallback_policy, default)| SubsetSpec {
            selectors,
            fallback_policy,
            default_subset: default.map(|values| Subset { values }),
        },
    )
}

prop_compose! {
    fn kube()(
        (service_name, service_namespace) in (text(), text()),
        service_port in any::<u32>(),
        selector in labels(),
        service_spec in open(),
        subset_spec in of(subsets()),
    ) -> KubeUpstream {
        KubeUpstream { service_name, service_namespace, service_port, selector, service_spec, subset_spec }
    }
}

fn fixed() -> impl Strategy<Value = StaticUpstream> {
    let host = (text(), any::<(u32, Option<u32>)>(), text());
    let host = host.prop_map(|(addr, (port, load_balancing_weight), sni_addr)| StaticHost {
        addr,
        port,
        sni_addr,
        load_balancing_weight,
        ..StaticHost::default()
    });
    (vec(host, 0..3), any::<Option<bool>>())
        .prop_map(|(hosts, use_tls)| StaticUpstream { hosts, use_tls })
}

prop_compose! {
    fn upstream()(
        (kube, fixed) in (of(kube().boxed()), of(fixed().boxed())),
        (pipe, aws, azure, consul) in (open(), open(), open(), open()),
        (aws_ec2, gcp, ai) in (open(), open(), open()),
        connection in of((of(duration()), any::<u32>())),
        limits in of(any::<[Option<u32>; 4]>()),
        balancer in of((open(), open(), open(), any::<Option<(u64, u64)>>(), open())),
        (outlier_detection, failover, discovery_metadata) in (open(), open(), open()),
        ssl_config in of(ssl_config()),
        health_checks in vec((of(duration()), any::<Option<u32>>(), open(), unknown()), 0..2),
        use_http2 in any::<Option<bool>>(),
        rest in unknown(),
    ) -> UpstreamSpec {
        let health_checks = health_checks.into_iter().map(|(interval, healthy_threshold, http, rest)| {
            HealthCheck {
                interval,
                healthy_threshold,
                http_health_check: http.map(|open| *open),
                rest,
                ..HealthCheck::default()
            }
        });
        UpstreamSpec {
            kube, fixed, pipe, aws, azure, consul, aws_ec2, gcp, ai, outlier_detection,
            ssl_config, failover, use_http2, discovery_metadata, rest,
            health_checks: health_checks.collect(),
            connection_config: connection.map(|(connect_timeout, max_requests_per_connection)| {
                ConnectionConfig { connect_timeout, max_requests_per_connection }
            }),
            circuit_breakers: limits.map(|[connections, pending, requests, retries]| CircuitBreakers {
                max_connections: connections,
                max_pending_requests: pending,
                max_requests: requests,
                max_retries: retries,
            }),
            load_balancer_config: balancer.map(|(round_robin, least_request, random, ring_hash, maglev)| {
                let ring_hash = ring_hash.map(|(minimum_ring_size, maximum_ring_size)| RingHash {
                    ring_hash_config: Some(RingHashConfig { minimum_ring_size, maximum_ring_size }),
                    ..RingHash::default()
                });
                LoadBalancerConfig {
                    round_robin,
                    least_request,
                    random,
                    ring_hash,
                    maglev,
                    ..LoadBalancerConfig::default()
                }
            }),
            extra: Map::new(),
            ..UpstreamSpec::default()
        }
    }
}

fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    value: &T,
) -> Result<(), TestCaseError> {
    let (_, read) = there_and_back(value);
    prop_assert_eq!(&read, value);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_route_table_comes_back_as_it_was(spec in route_table().boxed()) {
        check(&spec)?;
    }

    #[test]
    fn a_virtual_service_comes_back_as_it_was(spec in virtual_service().boxed()) {
        check(&spec)?;
    }

    #[test]
    fn an_upstream_comes_back_as_it_was(spec in upstream().boxed()) {
        check(&spec)?;
    }

    #[test]
    fn an_upstream_group_comes_back_as_it_was(destinations in vec(weighted().boxed(), 0..3)) {
        check(&UpstreamGroupSpec { destinations })?;
    }
}
