//! The remote doors over real loopback connections: what goes in comes out, and what fails, fails well.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what surprises here must fail the test at once, in what it calls as well"
)]
mod admin_port;
mod answering;
mod mutual_tls;
mod port;
mod repeating;
mod round_trip;
mod samples;
mod trace;
mod watching;
