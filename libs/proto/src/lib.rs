//! The interface files in `proto/roomcast` as prost messages, tonic clients and tonic servers.
//!
//! Generated code only, made at build time without protoc. Byte fields are `bytes::Bytes`. The
//! crates `rpc` and `bus` turn these types into domain types; no other crate sees them.

/// The packages `roomcast.*.v1`, each at `roomcast::<name>::v1`.
#[expect(
    missing_docs,
    unused_qualifications,
    clippy::allow_attributes,
    clippy::too_many_lines,
    reason = "generated code"
)]
mod packages {
    include!(concat!(env!("OUT_DIR"), "/packages.rs"));
}

pub use packages::roomcast::{admin, auth, core, event, gateway, presence, rooms};

/// The encoded `FileDescriptorSet` of all packages, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
