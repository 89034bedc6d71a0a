//! Who is here: leases of gateways, the entries under them, counts, join and leave signals.
//!
//! Gateways are the only writers of their own entries. A lease that is not renewed takes its
//! entries with it: readers ignore it at once, the sweeper deletes them and tells the leaves.
//! Nothing here is durable: a store that lost its data is filled again by the gateways.
mod announce;
pub mod app;
pub mod config;
mod counts;
pub mod doctor;
mod lease;
mod metrics;
mod service;
pub mod store;
mod sweeper;
mod tracker;

pub use app::start;
pub use config::PresenceConfig;
pub use service::PresenceService;
