use crate::config::Route;
use crate::translate::header_edits;
use crate::translate::mistake::Mistake;
use crate::translate::proxy::ProxyRoute;
use crate::translate::route_findings::RouteFindings;
use crate::translate::view::View;

/// Header changes of a route.
pub(super) fn apply(
    route: &ProxyRoute,
    out: &mut Route,
    view: &View,
    findings: &mut RouteFindings,
) -> Result<(), Mistake> {
    let options = route.options.as_ref();
    if let Some(manipulation) = options.and_then(|options| options.header_manipulation.as_ref()) {
        let edits = header_edits::translate(manipulation, view, |words| findings.note(words))?;
        // Headers that the cross-origin rules put on a direct answer give way, as in Gloo.
        out.headers = edits;
    }
    Ok(())
}
