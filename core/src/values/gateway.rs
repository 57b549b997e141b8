//! Reads `gateway`: which API routes are written in, and who serves them.

use super::entry::{Entry, Problems};
use super::model::{Gateway, GatewayApi, GatewayRef, Profile};
use super::names::check_subdomain;
use super::scalars::read_label;
use super::schema::{self, MAX_GATEWAYS};

/// What one place says of the gateway. What it does not say, another place may say, or it has its default.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct GatewayChoice {
    api: Option<RouteApi>,
    profile: Option<Profile>,
    gateways: Option<Vec<GatewayRef>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RouteApi {
    Gloo,
    GatewayApi,
    Both,
}

impl GatewayChoice {
    /// What is said here, and where nothing is said, what the other one says.
    pub(super) fn over(self, other: Self) -> Self {
        Self {
            api: self.api.or(other.api),
            profile: self.profile.or(other.profile),
            gateways: self.gateways.or(other.gateways),
        }
    }

    /// What it means, with the defaults for what is said nowhere.
    pub(super) fn resolved(self) -> Gateway {
        let api = GatewayApi {
            profile: self.profile.unwrap_or_default(),
            gateways: self.gateways.unwrap_or_default(),
        };
        match self.api {
            None | Some(RouteApi::Gloo) => Gateway::Gloo,
            Some(RouteApi::GatewayApi) => Gateway::GatewayApi(api),
            Some(RouteApi::Both) => Gateway::Both(api),
        }
    }
}

/// Reads `gateway` of `coalmine.yaml` or of a service's `routes`.
pub(super) fn read(entry: &Entry, problems: &mut Problems) -> GatewayChoice {
    const HELP: &str = "for example `gateway: {api: gateway-api, profile: kgateway}`";
    let mut choice = GatewayChoice::default();
    let Some(mut fields) = entry.fields_like::<schema::Gateway>(HELP, problems) else {
        return choice;
    };
    if let Some(entry) = fields.take(schema::Gateway::api()) {
        match entry.text(problems).as_deref() {
            Some("gloo") => choice.api = Some(RouteApi::Gloo),
            Some("gateway-api") => choice.api = Some(RouteApi::GatewayApi),
            Some("both") => choice.api = Some(RouteApi::Both),
            Some(_) => problems.push(entry.expected("gloo, gateway-api or both")),
            None => {}
        }
    }
    if let Some(entry) = fields.take(schema::Gateway::profile())
        && let Some(text) = entry.text(problems)
    {
        choice.profile = Profile::ALL.into_iter().find(|profile| profile.as_str() == text);
        if choice.profile.is_none() {
            problems.push(entry.expected("kgateway, envoy-gateway or portable"));
        }
    }
    choice.gateways =
        fields.take(schema::Gateway::gateways()).and_then(|entry| read_gateways(&entry, problems));
    fields.finish(problems);
    choice
}

fn read_gateways(entry: &Entry, problems: &mut Problems) -> Option<Vec<GatewayRef>> {
    let items = entry.list(problems)?;
    if items.len() > MAX_GATEWAYS {
        let message = format!("{} Gateways, the most is {MAX_GATEWAYS}", items.len());
        problems.push(entry.problem(message).help("an HTTPRoute has no more parents than that"));
    }
    let mut gateways: Vec<GatewayRef> = Vec::new();
    for item in &items {
        let Some(gateway) = read_gateway(item, problems) else { continue };
        // The API server asks for different sections where a Gateway is named twice.
        let is_same = |other: &GatewayRef| {
            (&other.name, &other.namespace) == (&gateway.name, &gateway.namespace)
                && (other.section_name == gateway.section_name
                    || other.section_name.is_none()
                    || gateway.section_name.is_none())
        };
        if gateways.iter().any(is_same) {
            let problem = item.problem(format!("the Gateway {} is listed twice", gateway.name));
            problems.push(problem.help("keep one of the two, or give each a `sectionName`"));
        }
        gateways.push(gateway);
    }
    Some(gateways)
}

fn read_gateway(entry: &Entry, problems: &mut Problems) -> Option<GatewayRef> {
    const HELP: &str = "for example `- {name: edge, namespace: infra}`";
    let mut fields = entry.fields_like::<schema::GatewayReference>(HELP, problems)?;
    let name = match fields.take(schema::GatewayReference::name()) {
        Some(entry) => read_subdomain(&entry, "a Gateway's name", problems),
        None => {
            problems.push(fields.missing(schema::GatewayReference::name(), HELP));
            None
        }
    };
    let namespace = fields.take(schema::GatewayReference::namespace());
    let namespace = namespace.map(|entry| read_label(&entry, "a namespace", problems));
    let section = fields.take(schema::GatewayReference::section_name());
    let section = section.map(|entry| read_subdomain(&entry, "a listener's name", problems));
    fields.finish(problems);
    Some(GatewayRef {
        name: name?,
        namespace: namespace.map_or(Some(None), |namespace| namespace.map(Some))?,
        section_name: section.map_or(Some(None), |section| section.map(Some))?,
    })
}

fn read_subdomain(entry: &Entry, what: &str, problems: &mut Problems) -> Option<String> {
    let text = entry.text(problems)?;
    match check_subdomain(what, &text) {
        Ok(()) => Some(text),
        Err(message) => {
            problems.push(entry.problem(message));
            None
        }
    }
}
