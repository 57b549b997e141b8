//! Several gateways behind one port.

use std::sync::Arc;

use super::{Reader, unmodelled};
use crate::api::{
    DelegatedHttpGateway, GatewayMatcher, HttpGateway, HybridGateway, MatchableHttpGatewaySpec,
    ObjectRef, ResourceRef, SslConfig,
};
use crate::code::Code;
use crate::objects::Object;
use crate::translate::findings::Remark;
use crate::translate::mistake::Mistake;
use crate::translate::proxy::{Content, Part, ProxyListener};
use crate::translate::selector::{check, has_labels, holds};

/// A MatchableHttpGateway by its name.
type Matchable = (Arc<ResourceRef>, Arc<Object<MatchableHttpGatewaySpec>>);

impl Reader<'_> {
    /// One filter chain per matched gateway (gloo-conformance case 17-hybrid-matched). Those that the
    /// Gateway holds win over those that it delegates to.
    pub(super) fn hybrid(
        &mut self,
        hybrid: &HybridGateway,
        proxy: &str,
        listener: &mut ProxyListener,
    ) {
        let none = GatewayMatcher::default();
        for matched in &hybrid.matched_gateways {
            let matcher = matched.matcher.as_ref().unwrap_or(&none);
            self.note_matcher(matcher, "hybridGateway.matchedGateways", listener);
            if let Some(http) = &matched.http_gateway {
                self.http(http, matcher.ssl_config.is_some(), Some(matcher), proxy, listener);
            } else if let Some(tcp) = &matched.tcp_gateway {
                let mut part = Part::new(Content::Tcp(tcp.tcp_hosts.clone()));
                part.sources.clone_from(&matcher.source_prefix_ranges);
                listener.parts.push(part);
            }
        }
        if hybrid.matched_gateways.is_empty() {
            self.delegated(hybrid, proxy, listener);
        }
    }

    /// What a matcher asks for beside addresses and TLS is not modelled.
    fn note_matcher(
        &mut self,
        matcher: &GatewayMatcher,
        within: &str,
        listener: &mut ProxyListener,
    ) {
        let plain = |ssl: &SslConfig| *ssl == SslConfig::default();
        if matcher.ssl_config.as_ref().is_none_or(plain) && matcher.rest.is_empty() {
            return;
        }
        listener.opaque = true;
        let gateway = Arc::clone(&listener.gateway);
        self.reports.note(&gateway, unmodelled::note(&format!("a matcher of {within}")));
    }

    /// The gateways that are objects of their own. None of them: a warning, and no listener.
    fn delegated(&mut self, hybrid: &HybridGateway, proxy: &str, listener: &mut ProxyListener) {
        let gateway = Arc::clone(&listener.gateway);
        let delegates_tcp = hybrid.delegated_tcp_gateways.is_some();
        if delegates_tcp {
            listener.opaque = true;
            self.reports.note(&gateway, unmodelled::note("hybridGateway.delegatedTcpGateways"));
        }
        let delegates_http = hybrid.delegated_http_gateways.as_deref();
        let selected = delegates_http.map(|http| self.select(http, &gateway, listener));
        let selected = selected.unwrap_or_default();
        if selected.is_empty() && !listener.opaque && delegates_http.is_some() {
            let words = "hybrid gateway does not have any populated matched gateways";
            self.reports.warning(&gateway, Mistake::new(Code::EmptyHybridGateway, words));
        }
        let (none, everything) = (GatewayMatcher::default(), HttpGateway::default());
        for (_, matchable) in selected {
            let matcher = matchable.spec.matcher.as_ref().unwrap_or(&none);
            self.note_matcher(matcher, "a MatchableHttpGateway", listener);
            let http = matchable.spec.http_gateway.as_ref().unwrap_or(&everything);
            self.http(http, matcher.ssl_config.is_some(), Some(matcher), proxy, listener);
        }
    }

    /// The MatchableHttpGateways that a Gateway delegates to, in the order of their names.
    fn select(
        &mut self,
        delegated: &DelegatedHttpGateway,
        gateway: &ObjectRef,
        listener: &mut ProxyListener,
    ) -> Vec<Matchable> {
        let shared = delegated.ssl_config.as_ref();
        if shared.is_some_and(|ssl| *ssl != SslConfig::default()) {
            let what = "hybridGateway.delegatedHttpGateways.sslConfig";
            self.reports.note(gateway, unmodelled::note(what));
        }
        for name in delegated.rest.keys().filter(|name| *name != "preventChildOverrides") {
            let what = format!("hybridGateway.delegatedHttpGateways.{name}");
            self.reports.note(gateway, unmodelled::note(&what));
        }
        let reference = delegated.reference.as_ref().filter(|_| delegated.selector.is_none());
        let known = &self.view.known;
        let known = match reference {
            Some(reference) => {
                self.view.matchable_gateways.contains_key(reference)
                    || known.tells("MatchableHttpGateway", reference)
            }
            None => known.is_complete("MatchableHttpGateway"),
        };
        if !known {
            listener.opaque = true;
            let remark = match reference {
                Some(reference) => Remark::not_read("MatchableHttpGateway", reference),
                None => "which MatchableHttpGateways hybridGateway.delegatedHttpGateways selects was not \
                         read: what comes of it is not judged"
                    .into(),
            };
            self.reports.note(gateway, remark);
        }
        let mut selected = Vec::new();
        for (name, matchable) in self.view.matchable_gateways.iter() {
            match is_selected(delegated, reference, name, matchable) {
                Ok(true) => selected.push((Arc::clone(name), Arc::clone(matchable))),
                Ok(false) => {}
                Err(mistake) => {
                    let words = |e: &str| format!("{e}: the selector expression is invalid");
                    self.reports.error(gateway, mistake.within(words));
                }
            }
        }
        selected
    }
}

/// # Errors
/// A condition on labels that breaks Kubernetes' rules.
fn is_selected(
    delegated: &DelegatedHttpGateway,
    reference: Option<&ResourceRef>,
    name: &ResourceRef,
    matchable: &Object<MatchableHttpGatewaySpec>,
) -> Result<bool, Mistake> {
    let matcher = matchable.spec.matcher.as_ref();
    let ssl = matcher.is_some_and(|matcher| matcher.ssl_config.is_some());
    if delegated.ssl_config.is_some() != ssl {
        return Ok(false);
    }
    if let Some(reference) = reference {
        return Ok(reference == name);
    }
    let Some(selector) = &delegated.selector else { return Ok(true) };
    selector.expressions.iter().try_for_each(check)?;
    let namespaces = &selector.namespaces;
    let in_namespace =
        namespaces.is_empty() || namespaces.iter().any(|it| it == "*" || *it == name.namespace);
    let fits = selector.expressions.iter().all(|it| holds(it, &matchable.labels));
    Ok(in_namespace && fits && has_labels(&matchable.labels, &selector.labels))
}
