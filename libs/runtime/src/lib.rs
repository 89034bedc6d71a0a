//! The life of a process: arguments, config, telemetry, ops port, signals, exit codes.
//!
//! A service's main is three lines: `runtime::run("rooms", load, start)`. `load` takes its
//! sections from a [`config::Loader`], `start` builds the service and returns when
//! [`Process::shutdown`] was cancelled and the work is handed off. Nothing here knows the domain.
//!
//! Spans are for traces and log lines carry their own fields: while no OTLP endpoint is set no
//! layer wants a span, so a span then costs one atomic read.
pub mod args;
pub mod config;
pub mod health;
pub mod ops;
pub mod process;
pub mod prometheus;
pub mod ready;
pub mod telemetry;
pub mod trace;

pub use process::{Process, run, run_with};
pub use ready::{Readiness, ReadyFlag};
