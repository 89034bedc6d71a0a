//! A whole roomcast for tests: the real binaries as separate processes on real parts, or the
//! all-in-one, and what is needed to load them, break them and look into them.
//!
//! The tests across services stand in `tests/`. They see the system from outside, as its users do.
pub mod binaries;
pub mod house;
pub mod load;
pub mod service;
pub mod service_tls;
pub mod system;

pub use house::House;
pub use service::Service;
pub use service_tls::ServiceTls;
pub use system::{Shape, System};
