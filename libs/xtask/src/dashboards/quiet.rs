//! Queries that may have no data while all is well, each with the reason.
//!
//! Everything else must have some: a name that nobody exports, or a label that nobody gives, is
//! found by that. What the faults bring must have data after them; the rest is found by the tests
//! of the services that count it.

/// A query without data on a good day.
#[derive(Debug, Clone, Copy)]
pub struct Quiet {
    /// A part of the query.
    part: &'static str,
    /// Whether the killed parts must bring it.
    pub broken: bool,
}

const QUIET: [Quiet; 11] = [
    // Calls among services fail when rooms cannot commit or presence cannot ask.
    Quiet { part: "outcome!=\"OK\"", broken: true },
    Quiet { part: "calls_total{outcome=~\"INTERNAL|", broken: true },
    Quiet { part: "publishes_total{outcome=~\"INTERNAL|", broken: true },
    Quiet { part: "roomcast_presence_store_errors_total", broken: true },
    // Needs connects while auth has lost its keys, which it keeps as long as it lives.
    Quiet { part: "=~\"INTERNAL|UNAVAILABLE|DEADLINE_EXCEEDED\"", broken: false },
    // The system has no such backend, ends no TLS, and its services are no names.
    Quiet { part: "roomcast_auth_backend_requests_total", broken: false },
    Quiet { part: "roomcast_gateway_certificate_", broken: false },
    Quiet { part: "roomcast_rpc_certificate_", broken: false },
    // Needs a reader that takes nothing for half a minute, or two thousand calls at once.
    Quiet { part: "code=\"3008\"", broken: false },
    Quiet { part: "roomcast_rpc_shed_total", broken: false },
    Quiet { part: "roomcast_rpc_lookup_failures_total", broken: false },
];
/// The entry that excuses a query, if there is one.
pub fn of(expression: &str) -> Option<Quiet> {
    QUIET.iter().copied().find(|quiet| expression.contains(quiet.part))
}
