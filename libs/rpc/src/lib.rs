//! How the parts call each other: one trait a service, with two doors.
//!
//! The local door is an `Arc` of the implementation, the remote one a tonic client in front of
//! its server side. Deadlines, retries, the breaker, metrics and trace context wrap the trait,
//! so both doors behave the same. Prost types do not leave this crate.
pub mod admin;
pub mod auth;
pub mod call;
pub mod config;
pub mod doctor;
pub mod gateway;
pub mod presence;
pub mod rooms;
pub mod server;
pub mod tls;

mod answer;
mod breaker;
mod channel;
mod convert;
mod deadline;
mod door;
mod method;
mod resolve;
mod retry;
mod rpc;
mod status;
mod trace;

pub use call::{Call, Deadline};
pub use config::RpcConfig;
pub use rpc::Rpc;
pub use tls::{Peer, RpcTlsConfig};
