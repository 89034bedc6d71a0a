//! The gateway: sockets of clients on one side, rooms, presence and the bus on the other.
//!
//! [`start`] makes a gateway of its parts, [`serve`] opens its sockets. It knows no room's rules
//! and no store: it asks for them. The journeys of a connect, a subscribe and a message begin in
//! `http`, `connection` and `command` and end in `room` and `worker`.
pub mod app;
mod bindings;
mod clock;
mod command;
pub mod config;
pub mod connection;
mod drain;
mod heads;
pub mod http;
pub mod hub;
mod intake;
pub mod limit;
mod metrics;
mod neighbours;
mod notice;
mod order;
pub mod peers;
mod rate;
pub mod room;
pub mod roster;
mod server;
pub mod sessions;
pub mod tls;
mod translate;
pub mod window;
pub mod worker;

pub use app::{Gateway, GatewayDeps, start};
pub use config::{GatewayConfig, RoomNumbers};
pub use neighbours::port::serve as serve_neighbours;
pub use server::{Front, Serving, listen, serve};
