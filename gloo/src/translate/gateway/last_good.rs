//! What stays of a proxy when something in it is in error.

use std::sync::Arc;

use crate::api::ObjectRef;
use crate::translate::proxy::{Content, Part, Proxy, ProxyListener, ProxyVirtualHost};
use crate::translate::reports::Reports;

impl Proxy {
    /// Replaces what is in error by what was served before.
    ///
    /// A Gateway in error keeps its whole listener; a virtual host in error keeps its last version as
    /// long as its VirtualService exists (gloo-conformance cases 12-last-good*, 12-domains-duplicate,
    /// 17-two-gateways-one-proxy).
    pub(in crate::translate) fn keep_last_good(
        self,
        before: Option<&Self>,
        reports: &Reports,
    ) -> Self {
        let before = before.map(|proxy| proxy.listeners.as_slice()).unwrap_or_default();
        let stays = |listener: &ProxyListener| {
            listener.selection_kept || !reports.has_errors(&listener.gateway)
        };
        let good = self.listeners.into_iter().filter(|listener| stays(listener));
        let good = good.map(|listener| {
            let name = listener.name();
            let old = before.iter().find(|old| old.name() == name);
            let old = old.map(|old| old.parts.as_slice()).unwrap_or_default();
            Arc::new(ProxyListener::clone(&listener).with_kept_hosts(old, reports))
        });
        let mut listeners: Vec<Arc<ProxyListener>> = good.collect();
        let present = |gateway: &Arc<ObjectRef>| {
            listeners.iter().any(|listener| listener.gateway == *gateway)
        };
        let frozen = before.iter().filter(|old| reports.has_errors(&old.gateway));
        let frozen: Vec<_> = frozen.filter(|old| !present(&old.gateway)).cloned().collect();
        listeners.extend(frozen);
        listeners.sort_by(|one, other| one.gateway.cmp(&other.gateway));
        Self { name: self.name, listeners }
    }
}

impl ProxyListener {
    fn with_kept_hosts(mut self, before: &[Part], reports: &Reports) -> Self {
        let rejected = |host: &Arc<ProxyVirtualHost>| reports.has_errors(&host.object());
        for (index, part) in self.parts.iter_mut().enumerate() {
            let Content::Http(http) = &mut part.content else { continue };
            http.virtual_hosts.retain(|host| !rejected(host));
            if let Some(Part { content: Content::Http(old), .. }) = before.get(index) {
                let kept = old.virtual_hosts.iter().filter(|host| rejected(host));
                http.virtual_hosts.extend(kept.cloned());
            }
            http.virtual_hosts.sort_by_cached_key(|host| host.name());
        }
        self
    }
}
