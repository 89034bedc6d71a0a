//! A gateway behind real sockets, with small parts around it: what a client may rely on.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed test is how a test speaks"
)]
mod backend;
mod bad_input;
mod echo;
mod fakes;
mod harness;
mod life;
mod limits;
mod nginx;
mod ordered;
mod prompt;
mod protobuf;
mod raw;
mod room;
mod server_side;
mod slow;
mod speaker;
mod streamer;
mod streams;
mod tls;
mod views;
mod ways_in;
