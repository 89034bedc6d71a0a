//! What tests need and no product code may: real parts, real clients, a recorder and a checker.
//!
//! Knows none of the services, so that any crate may depend on it in its tests. What it proves,
//! it proves from outside of the system under test.
pub mod authority;
pub mod backend;
pub mod checker;
pub mod client;
pub mod collector;
pub mod fossil;
pub mod history;
pub mod issuer;
pub mod log;
pub mod member;
pub mod parts;
pub mod poll;
