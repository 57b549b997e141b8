use super::functions;
use super::shadowing::per_million;
use crate::api::{AbortFault, DelayFault, Duration};
use crate::code::Code;
use crate::config::{Abort, Action, Delay, Fault, Route};
use crate::translate::mistake::Mistake;
use crate::translate::proxy::ProxyRoute;
use crate::translate::view::View;

/// Made-up answers and delays, of routes that forward only.
pub(super) fn apply(route: &ProxyRoute, out: &mut Route, view: &View) -> Result<(), Mistake> {
    functions::check_shape(route, out, view)?;
    let (Some(options), Action::Forward(_)) = (&route.options, &out.action) else { return Ok(()) };
    let Some(faults) = &options.faults else { return Ok(()) };
    let abort = faults.abort.map(abort).transpose()?;
    let delay = faults.delay.map(delay).transpose()?;
    if abort.is_some() || delay.is_some() {
        out.fault = Some(Fault { abort, delay });
    }
    Ok(())
}

fn abort(abort: AbortFault) -> Result<Abort, Mistake> {
    let status = abort.http_status;
    if !(200..600).contains(&status) {
        let words = format!("invalid abort status code '{status}', must be in range of [200,600)");
        return Err(Mistake::new(Code::InvalidFaults, words));
    }
    Ok(Abort { status, per_million: per_million(abort.percentage) })
}

/// Gloo looks at whole seconds only.
fn delay(delay: DelayFault) -> Result<Delay, Mistake> {
    let fixed = delay.fixed_delay.unwrap_or_default();
    if fixed.seconds() <= 0 {
        let text = delay.fixed_delay.map_or_else(|| "<nil>".into(), message);
        let words = format!("invalid delay duration '{text}', must be greater than 0");
        return Err(Mistake::new(Code::InvalidFaults, words));
    }
    Ok(Delay { fixed, per_million: per_million(delay.percentage) })
}

/// A duration in protobuf's text format.
fn message(duration: Duration) -> String {
    let parts = [("seconds", duration.seconds()), ("nanos", duration.subsecond_nanos())];
    let parts = parts.into_iter().filter(|(_, n)| *n != 0).map(|(name, n)| format!("{name}:{n}"));
    parts.collect::<Vec<_>>().join(" ")
}
