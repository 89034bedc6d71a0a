//! What no input may do: one plain function a target, which panics where a promise is broken.
//!
//! The same functions run in three ways: under libFuzzer (`cargo xtask fuzz`), under proptest and
//! over the inputs of `corpus/` in the ordinary tests. Each takes any bytes; what the first few
//! choose (chunk sizes, a mode) is said where they are read. Nothing ships this crate.
#![expect(clippy::expect_used, reason = "a broken promise is told by a panic")]

pub mod bus_bodies;
mod commands;
pub mod config;
pub mod frames;
pub mod json_commands;
pub mod protobuf_commands;
pub mod requests;
pub mod room_names;
mod take;
pub mod tokens;

/// One target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: that of its module, of its program and of its folder in `corpus/`.
    pub name: &'static str,
    /// Runs it over one input.
    pub run: fn(&[u8]),
    /// Longest input in bytes that is tried: a little more than what the product lets in.
    pub bytes_max: usize,
}

/// Every target.
pub const TARGETS: [Target; 8] = [
    Target { name: "frames", run: frames::run, bytes_max: 4_096 },
    Target { name: "json_commands", run: json_commands::run, bytes_max: 16_384 },
    Target { name: "protobuf_commands", run: protobuf_commands::run, bytes_max: 16_384 },
    Target { name: "room_names", run: room_names::run, bytes_max: 600 },
    Target { name: "tokens", run: tokens::run, bytes_max: 20_000 },
    Target { name: "bus_bodies", run: bus_bodies::run, bytes_max: 16_384 },
    Target { name: "config", run: config::run, bytes_max: 4_096 },
    Target { name: "requests", run: requests::run, bytes_max: 8_192 },
];
