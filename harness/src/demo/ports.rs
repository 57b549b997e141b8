//! Ports that people can remember, where they are free.

use std::net::{Ipv4Addr, TcpListener};

use crate::namespace::Openings;

use super::options::Options;

/// The ports to open: what the options say, else the usual ones, else any.
pub(super) fn openings(options: &Options) -> Openings {
    Openings {
        api: options.api_port.unwrap_or_else(|| usual(6443)),
        proxy: options.proxy_port.unwrap_or_else(|| usual(8080)),
        status: options.status_port.unwrap_or_else(|| usual(8081)),
    }
}

/// `port`, or 0 for any if somebody has it.
fn usual(port: u16) -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_or(0, |_| port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_left_to_whoever_has_it() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_eq!(usual(port), 0);
        drop(taken);
        assert_eq!(usual(port), port);
    }
}
