//! The demo's command line.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::gateway_kind::GatewayKind;

/// Starts a cluster's control plane, an Envoy and coalmine on this machine, and shows how a git push
/// moves traffic.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "cargo demo", bin_name = "cargo demo", version)]
pub struct Options {
    /// Drive `echo` through a whole rollout, check every step, and end: 0 if all went well
    #[arg(long)]
    pub play: bool,
    /// Write what --play measured to this file, as JSON
    #[arg(long, value_name = "FILE", requires = "play")]
    pub report: Option<PathBuf>,
    /// Write the view at half of the requests, the middle of --play, to this file, as SVG
    #[arg(long, value_name = "FILE", requires = "play")]
    pub picture: Option<PathBuf>,
    /// The gateway before the services: gloo, kgateway or envoy-gateway; without this flag what
    /// COALMINE_GATEWAY says, else gloo
    #[arg(long, value_name = "NAME", value_parser = GatewayKind::parse)]
    pub gateway: Option<GatewayKind>,
    /// How often coalmine asks the repository for news
    #[arg(long, value_name = "DURATION", default_value = "1s")]
    pub interval: Interval,
    /// Tell coalmine of each push of --play by a webhook, as a forge does
    #[arg(long, requires = "play")]
    pub webhook: bool,
    /// Requests a second on each service, all the time
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rate: u32,
    /// Port of the proxy on this machine; any free one if absent and 8080 is taken
    #[arg(long, value_name = "PORT")]
    pub proxy_port: Option<u16>,
    /// Port of the API server on this machine; any free one if absent and 6443 is taken
    #[arg(long, value_name = "PORT")]
    pub api_port: Option<u16>,
    /// Port of coalmine's status on this machine; any free one if absent and 8081 is taken
    #[arg(long, value_name = "PORT")]
    pub status_port: Option<u16>,
}

/// A length of time as people write it, `500ms` or `1s`; handed on to coalmine as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval(String);

impl Interval {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Interval {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length: jiff::SignedDuration = text
            .parse()
            .with_context(|| format!("`{text}` is no length of time such as 500ms or 1s"))?;
        ensure!(
            Duration::try_from(length).is_ok_and(|length| length >= Duration::from_millis(100)),
            "`{text}` is too short; 100ms is the least"
        );
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        let arguments = ["demo"].iter().chain(arguments);
        Options::try_parse_from(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn without_arguments_the_demo_stays_up_and_polls_every_second() {
        let options = parse(&[]).unwrap();
        assert!(!options.play);
        assert_eq!((options.interval.as_str(), options.rate), ("1s", 100));
    }

    #[test]
    fn a_report_and_a_picture_need_something_to_show() {
        assert!(parse(&["--report", "r.json"]).unwrap_err().contains("--play"));
        assert!(parse(&["--play", "--report", "r.json"]).is_ok());
        assert!(parse(&["--picture", "demo.svg"]).unwrap_err().contains("--play"));
    }

    #[test]
    fn a_gateway_is_chosen_by_its_name_and_an_unknown_one_refused() {
        assert_eq!(parse(&[]).unwrap().gateway, None);
        let options = parse(&["--gateway", "kgateway", "--play"]).unwrap();
        assert_eq!(options.gateway, Some(GatewayKind::Kgateway));
        let error = parse(&["--gateway", "kong"]).unwrap_err();
        assert!(error.contains("envoy-gateway"), "{error}");
    }

    #[test]
    fn an_interval_that_is_none_is_refused() {
        for (text, expected) in
            [("soon", "no length of time"), ("-1s", "too short"), ("50ms", "too short")]
        {
            let error = parse(&[&format!("--interval={text}")]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
