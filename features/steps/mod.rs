//! The steps, one file per concept.

mod any;
mod api_server;
mod autopilot;
mod cluster;
mod command_line;
mod drift;
mod gateway;
mod gateways;
mod jwt;
mod migration;
mod mistakes;
mod notifications;
mod ordinary;
mod others;
mod pods;
mod rollout;
mod traffic;

pub(crate) use any::Walk;
pub(crate) use autopilot::Statistics;
pub(crate) use ordinary::Company;
