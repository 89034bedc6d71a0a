//! The rooms service: the log of every room, and who may read and write it.
//!
//! A publish is answered after its transaction is durable, never before, and never depends on the
//! broker. A room's offsets are 1, 2, 3 … without a hole. [`start`] builds the service; it
//! implements `rpc::rooms::Rooms` for gateways and `rpc::admin::Admin` for ops scripts.
//!
//! Reading order: `service` (the verbs), `membership`, `log`, `store`, `dispatch`, `heads`.
mod admin;
mod app;
mod clock;
pub mod config;
mod digest;
mod dispatch;
pub mod doctor;
#[cfg(feature = "failpoints")]
pub mod failpoint;
mod gather;
mod heads;
mod history;
mod janitor;
mod kinds;
mod log;
mod membership;
mod metrics;
mod moderation;
mod service;
pub mod store;

pub use app::{Deps, start};
pub use config::RoomsConfig;
pub use service::RoomsService;
